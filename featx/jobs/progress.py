"""How jobs report their progress: silently, to a callable, or in plain lines."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from featx.core.errors import InputError

#: True prints plain lines on standard error; a callable gets (done, refused), the numbers of
#: images that were done and rejected since its last call.
Progress = bool | Callable[[int, int], object]


class Report:
    """Receives what a job has done; this one keeps it to itself.

    A job enters it, calls it with numbers of images, and exits it when its images are done.
    """

    #: Whether steps that take long, such as the epochs of a network, print lines of their own.
    verbose = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None

    def __call__(self, done: int, refused: int = 0) -> None:
        """Count images that are done, and those among them that were rejected."""

    def expect(self, total: int) -> None:
        """Set the number of all images, as soon as it is known."""

    def step(self, name: str) -> None:
        """Name what begins now, in a job of several steps."""


class Lines(Report):
    """Prints plain lines on standard error: images, rate and time left.

    Parameters
    ----------
    total : int, optional
        The number of all images; None if `expect` sets it later.
    verbose : bool, default=True
        Whether networks print a line for each epoch.
    """

    _every = 10.0  # seconds from one plain line to the next

    def __init__(self, total: int | None = None, verbose: bool = True) -> None:
        self.verbose = verbose
        self._total, self._done, self._refused = total, 0, 0
        self._began = self._printed = time.monotonic()

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Print the last line, unless the job failed."""
        if kind is None:
            self._print()

    def __call__(self, done: int, refused: int = 0) -> None:
        """Count images that are done, and print a line now and then."""
        self._done += done
        self._refused += refused
        # The last line is printed at the end.
        if self._done != self._total and time.monotonic() - self._printed > self._every:
            self._print()

    def expect(self, total: int) -> None:
        """Set the number of all images."""
        self._total = total

    def _print(self) -> None:
        self._printed = time.monotonic()
        rate = self._done / max(self._printed - self._began, 1e-9)
        left = ((self._total or 0) - self._done) / max(rate, 1e-9)
        end = f", {left:.0f} s left" if left > 0 else ""
        refused = f", {self._refused} refused" if self._refused else ""
        of_all = "" if self._total is None else f" of {self._total}"
        line = f"{self._done}{of_all} images{refused}, {rate:.0f} a second{end}"
        print(line, file=sys.stderr)


class _Calls(Report):
    """Calls a function of the user."""

    def __init__(self, function: Callable[[int, int], object]) -> None:
        self._function = function

    def __call__(self, done: int, refused: int = 0) -> None:
        self._function(done, refused)


def report_to(progress: Progress) -> Report:
    """Return what a job reports to.

    Raises
    ------
    InputError
        If ``progress`` is neither a bool nor callable.

    Examples
    --------
    >>> from featx.jobs.progress import report_to
    >>> with report_to(lambda done, refused: print(done, "done,", refused, "refused")) as report:
    ...     report(2, 1)
    2 done, 1 refused
    """
    if isinstance(progress, Report):
        return progress
    if isinstance(progress, bool):
        return Lines() if progress else Report()
    if callable(progress):
        return _Calls(progress)
    raise InputError(f"progress: must be True, False or a callable, got {progress!r}.")
