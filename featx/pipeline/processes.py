"""Processes on this machine that wait for work.

They load what work needs as they start, which takes seconds: they may be started before the
process that has the work has loaded it for itself.
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

#: Seconds after which processes that have nothing to do end.
_IDLE = 60


def count(n_jobs: int | None) -> int:
    """Tell how many processes these are; -1 stands for one a processor."""
    return int(joblib.effective_n_jobs(n_jobs))


def shared(workers: int, preload: str) -> Any:
    """Return the executor of so many processes; running ones are reused.

    ``preload`` is the module that each process imports when it starts.
    """
    return loky.get_reusable_executor(workers, **_options(preload))


def single(preload: str) -> Any:
    """Return an executor of one process that is not shared."""
    return loky.ProcessPoolExecutor(1, **_options(preload))


def start(n_jobs: int | None, preload: str) -> None:
    """Start the processes that `shared` will return."""
    shared(count(n_jobs), preload).submit(int)


def _options(preload: str) -> dict[str, Any]:
    """Give what loky needs to start a process."""
    return {
        "timeout": _IDLE,
        "initializer": _begin,
        # Processes that started in another folder are not reused: paths may be relative to it.
        "initargs": (os.getpid(), _current_folder(), preload),
        # Processes that crash would print all their threads; the file's reason is enough.
        "env": {"PYTHONFAULTHANDLER": ""},
    }


def _current_folder() -> str:
    with suppress(OSError):  # it may have been removed
        return os.getcwd()
    return ""


def _begin(parent: int, folder: str, preload: str) -> None:
    """Leave it to the process that started this one what an interruption ends, and load."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow, args=(parent,), daemon=True).start()
    configure_own_process()
    import_module(preload)
    # What is imported stays: the collector need not look at it.
    gc.freeze()


def _follow(parent: int) -> None:
    """End with the process that started this one, also where that is killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
