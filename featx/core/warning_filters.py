"""Warnings of other libraries, ignored by the thread that causes them and by no other."""

import re
import threading
import warnings
from typing import Any


class IgnoredWarnings:
    """Ignore warnings of some categories, in the threads that are inside.

    ``warnings.catch_warnings`` replaces the filters of all threads, and restores whatever was
    there when it was entered. Here, a filter that holds for the threads inside is put before those
    of the host when the first enters, and is removed when the last leaves.

    Parameters
    ----------
    *categories : type
        The categories of the warnings.
    message : str, default=""
        A regular expression that the message begins with.
    module : str, default=""
        A regular expression that the name of the warning's module begins with.
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
            # Another thread may have replaced the list in the meantime. It is not told of the
            # change: it would forget which warnings it has shown, and show them again.
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
        """Tell whether a warning of this module is ignored; ``warnings`` calls it."""
        return self._here.depth > 0 and self._module.match(module) is not None

    def __reduce__(self) -> tuple[Any, ...]:
        # scikit-learn sends the filters of this process to its workers: there, it matches nothing.
        return re.compile, ("(?!)",)


class _Here(threading.local):
    """How often this thread is inside."""

    depth = 0
