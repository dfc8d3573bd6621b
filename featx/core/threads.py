"""Thread limits of OpenCV and BLAS."""

import sys
from functools import lru_cache
from threading import Lock

import cv2
from threadpoolctl import ThreadpoolController


class _OneThreadInside:
    """Limit OpenCV and BLAS to one thread, since the workers already use all processors.

    Streams may run concurrently and end in any order: the last one to exit restores the limits
    that the first one found.
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
    """Find the libraries with thread pools; cached by module count, as it takes 10 ms."""
    return ThreadpoolController()


#: Context manager that limits OpenCV and BLAS to one thread each.
one_thread_inside = _OneThreadInside()
