"""One thread for OpenCV and BLAS, while our own threads, or the order of sums, need it."""

from threading import Lock

import cv2
from threadpoolctl import threadpool_limits


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
                self._opencv, self._others = cv2.getNumThreads(), threadpool_limits(1)
                cv2.setNumThreads(1)
            self._running += 1

    def __exit__(self, *exception: object) -> None:
        with self._lock:
            self._running -= 1
            if self._running == 0:
                cv2.setNumThreads(self._opencv)
                self._others.restore_original_limits()


#: The context in which OpenCV and BLAS use one thread each.
one_thread_inside = _OneThreadInside()
