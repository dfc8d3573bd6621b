"""Warning filters for single threads."""

import re
import threading
import warnings
from typing import Any


class IgnoredWarnings:
    """Ignore warnings of some categories in the threads that have entered the context.

    ``warnings.catch_warnings`` is not safe here: it replaces the filters of all threads, and
    restores those found on entry. This context inserts one filter before those of the host when
    the first thread enters, and removes it when the last thread exits. The filter matches only in
    threads inside the context.

    Parameters
    ----------
    *categories : type
        Categories of the warnings.
    message : str, default=""
        Regular expression that matches the start of the message.
    module : str, default=""
        Regular expression that matches the start of the warning's module name.
    """

    def __init__(self, *categories: type[Warning], message: str = "", module: str = "") -> None:
        self._module = re.compile(module)
        self._filters = [("ignore", re.compile(message), one, self, 0) for one in categories]
        self._changed: list[Any] = []
        self._lock, self._inside = threading.Lock(), 0
        self._here = _Here()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            # Another thread may have replaced the list in the meantime. warnings is not notified
            # of the change: it would reset the record of shown warnings, and repeat them.
            filters: Any = warnings.filters
            if self._filters[0] not in filters:
                filters[:0] = self._filters
                self._changed.append(filters)
        self._here.depth += 1

    def __exit__(self, *exception: object) -> None:
        self._here.depth -= 1
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for filters in (*self._changed, warnings.filters):
                    self._remove(filters)
                self._changed.clear()

    def _remove(self, filters: Any) -> None:
        for one in self._filters:
            while one in filters:
                filters.remove(one)

    def match(self, module: str) -> bool:
        """Return whether a warning of this module is ignored; called by ``warnings``."""
        return self._here.depth > 0 and self._module.match(module) is not None

    def __reduce__(self) -> tuple[Any, ...]:
        # scikit-learn sends the filters of this process to its workers. There, this one is
        # unpickled as a pattern that never matches.
        return re.compile, ("(?!)",)


class _Here(threading.local):
    """Number of times that this thread has entered the context."""

    depth = 0
