"""Progress of jobs: silent, to a callable, or in plain lines."""

import sys
import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from featx.core.errors import InputError

#: True prints plain lines on standard error; a callable receives (done, refused), the numbers of
#: finished and of rejected images since its last call.
Progress = bool | Callable[[int, int], object]


class Report:
    """Receive the progress of a job; this one discards it.

    A job enters the report, names its phases by `begin`, and calls it with numbers of images.
    """

    #: Whether long steps, such as the epochs of a network, print lines of their own.
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
        """Count finished images, and those among them that were rejected."""

    def begin(self, phase: str, total: int | None = None) -> None:
        """Begin a phase, such as "Features", with its number of images, if it counts any."""

    def expect(self, total: int) -> None:
        """Set the number of images of this phase, if it was not known at its beginning."""


class Lines(Report):
    """Print the phase, images, rate and time left on standard error every ten seconds.

    Parameters
    ----------
    verbose : bool, default=True
        Whether networks print a line for each epoch.
    """

    _every = 10.0  # seconds between lines

    def __init__(self, verbose: bool = True) -> None:
        self.verbose = verbose
        self._phase, self._done = "Starting", 0
        self._total: int | None = None
        self._images = self._refused = 0
        self._started = self._began = time.monotonic()
        self._ended = Event()

    def __enter__(self) -> Self:
        Thread(target=self._print_lines, daemon=True).start()
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """Print the summary, unless the job failed."""
        self._ended.set()
        if kind is None:
            print(self.summary(), file=sys.stderr)

    def __call__(self, done: int, refused: int = 0) -> None:
        """Count finished images, and those among them that were rejected."""
        self._done += done
        self._images += done
        self._refused += refused

    def begin(self, phase: str, total: int | None = None) -> None:
        """Begin a phase."""
        self._phase, self._total, self._done = phase, total, 0
        self._began = time.monotonic()

    def expect(self, total: int) -> None:
        """Set the number of images of this phase."""
        self._total = total

    def line(self) -> str:
        """Return the current phase, with its images, rate and time left.

        Examples
        --------
        >>> from featx.jobs.progress import Lines
        >>> report = Lines()
        >>> report.begin("Fitting hog-svm, fold 2 of 5")
        >>> report.line()
        'Fitting hog-svm, fold 2 of 5, 0 s'
        """
        seconds = time.monotonic() - self._began
        if not self._done and self._total is None:
            return f"{self._phase}, {seconds:.0f} s"
        rate = self._done / max(seconds, 1e-9)
        of_all = "" if self._total is None else f"/{self._total}"
        left = ((self._total or 0) - self._done) / max(rate, 1e-9)
        time_left = f", {left:.0f} s left" if left > 0 and self._done else ""
        refused = f", {self._refused} rejected" if self._refused else ""
        return f"{self._phase} {self._done}{of_all}{refused}, {rate:.0f}/s{time_left}"

    def summary(self) -> str:
        """Return the number of images of the job, its time and its rate."""
        seconds = time.monotonic() - self._started
        refused = f" ({self._refused} rejected)" if self._refused else ""
        rate = self._images / max(seconds, 1e-9)
        return f"{self._images} images{refused} in {seconds:.1f} s, {rate:.0f}/s"

    def _print_lines(self) -> None:
        while not self._ended.wait(self._every):
            print(self.line(), file=sys.stderr)


class _Calls(Report):
    """Call a function of the user."""

    def __init__(self, function: Callable[[int, int], object]) -> None:
        self._function = function

    def __call__(self, done: int, refused: int = 0) -> None:
        self._function(done, refused)


def report_to(progress: Progress) -> Report:
    """Return the report that a job writes its progress to.

    Raises
    ------
    InputError
        If ``progress`` is neither a bool nor callable.

    Examples
    --------
    >>> from featx.jobs.progress import report_to
    >>> with report_to(lambda done, refused: print(done, "done,", refused, "rejected")) as report:
    ...     report(2, 1)
    2 done, 1 rejected
    """
    if isinstance(progress, Report):
        return progress
    if isinstance(progress, bool):
        return Lines() if progress else Report()
    if callable(progress):
        return _Calls(progress)
    raise InputError(f"progress: must be True, False or a callable, got {progress!r}.")
