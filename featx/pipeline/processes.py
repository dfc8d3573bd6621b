"""Pools of worker processes on this machine.

Workers import their modules when they start, which takes seconds. A pool can therefore be started
before the main process has finished its own imports.
"""

import gc
import os
import signal
import time
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Any

import joblib
from joblib.externals import loky

from featx.core.memory import configure_own_process

#: Seconds after which an idle worker ends.
_IDLE = 60


def count(n_jobs: int | None) -> int:
    """Return the number of processes for ``n_jobs``; -1 means one per processor."""
    return int(joblib.effective_n_jobs(n_jobs))


def shared(workers: int, preload: str) -> Any:
    """Return the shared executor with this number of workers, and reuse running processes.

    Each process imports the module ``preload`` when it starts.
    """
    return loky.get_reusable_executor(workers, **_options(preload))


def single(preload: str) -> Any:
    """Return an unshared executor with one process."""
    return loky.ProcessPoolExecutor(1, **_options(preload))


def start(n_jobs: int | None, preload: str) -> None:
    """Start the processes of the executor that `shared` returns."""
    shared(count(n_jobs), preload).submit(int)


def _options(preload: str) -> dict[str, Any]:
    """Return the arguments of a loky executor."""
    return {
        "timeout": _IDLE,
        "initializer": _begin,
        # Processes that started in another folder are not reused: paths may be relative to it.
        "initargs": (os.getpid(), _current_folder(), preload),
        # A crash would print the stack of each thread; the reason of the rejection is enough.
        "env": {"PYTHONFAULTHANDLER": ""},
    }


def _current_folder() -> str:
    with suppress(OSError):  # it may have been removed
        return os.getcwd()
    return ""


def _begin(parent: int, folder: str, preload: str) -> None:
    """Initialize a worker: ignore SIGINT, follow the parent process and import a module."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow, args=(parent,), daemon=True).start()
    configure_own_process()
    import_module(preload)
    # Imported objects are permanent: exclude them from garbage collection.
    gc.freeze()


def _follow(parent: int) -> None:
    """Exit when the parent process has ended, even if it was killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
