"""Processes on this machine that wait for work.

They load what work needs as they start, which takes seconds: they may be started before the
process that has the work has loaded it for itself.
"""

import os
import signal
import time
from importlib import import_module
from threading import Thread
from typing import Any

import joblib
from joblib.externals import loky

from featx.core.memory import collect_rarely

#: Seconds after which processes that have nothing to do end.
_IDLE = 60


def count(n_jobs: int | None) -> int:
    """Tell how many processes these are; -1 stands for one a processor."""
    return int(joblib.effective_n_jobs(n_jobs))


def shared(workers: int) -> Any:
    """Give so many processes, those that are there already if they are as many."""
    return loky.get_reusable_executor(workers, **_options())


def single() -> Any:
    """Give a process that is nobody else's."""
    return loky.ProcessPoolExecutor(1, **_options())


def start(n_jobs: int | None) -> None:
    """Start processes that `shared` will give."""
    shared(count(n_jobs)).submit(int)


def _options() -> dict[str, Any]:
    """Give what loky needs to start a process."""
    return {
        "timeout": _IDLE,
        "initializer": _begin,
        "initargs": (os.getpid(),),
        # Processes that crash would print all their threads; the file's reason is enough.
        "env": {"PYTHONFAULTHANDLER": ""},
    }


def _begin(parent: int) -> None:
    """Leave it to the process that started this one what an interruption ends, and load."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_follow, args=(parent,), daemon=True).start()
    collect_rarely()
    import_module("featx.pipeline.workers")


def _follow(parent: int) -> None:
    """End with the process that started this one, also where that is killed."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)
