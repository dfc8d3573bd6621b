"""One thread for OpenCV and BLAS, while our own threads, or the order of sums, need it."""

import sys
from functools import lru_cache
from threading import Lock

import cv2
from threadpoolctl import ThreadpoolController


class _OneThreadInside:
    """Leave the processors to the workers: OpenCV and BLAS use one thread in each.

    Streams may run side by side and end in any order: the last restores what the first found.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._running = 0

    def __enter__(self) -> None:
        with self._lock:
            if self._running == 0:
                self._opencv = cv2.getNumThreads()
                self._others = _libraries(len(sys.modules)).limit(limits=1)
                cv2.setNumThreads(1)
            self._running += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                cv2.setNumThreads(self._opencv)
                self._others.restore_original_limits()


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:
    """Find the libraries that have threads, once for so many modules: it takes ten milliseconds."""
    return ThreadpoolController()


#: The context in which OpenCV and BLAS use one thread each.
one_thread_inside = _OneThreadInside()
