"""Signals that stop a long run: SIGINT and SIGTERM."""

import signal
import sys
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

_received: list[int] = []


def heed_signals() -> None:
    """Raise an exception on SIGINT and SIGTERM, so that unfinished files are removed."""
    signal.signal(signal.SIGTERM, _end)
    # Shells let background jobs ignore SIGINT, and this must stay so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def end_if_told() -> None:
    """Raise again if a signal was received: a library may have swallowed the exception."""
    if _received:
        _raise(_received[-1])


def _end(number: int, frame: FrameType | None) -> None:
    _received.append(number)
    _raise(number)


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


class Interruption:
    """Record the first signal, so that a run can finish its current images; end on the second."""

    _signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._received: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        for number in self._signals:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._restore()

    def __call__(self) -> bool:
        """Return whether the run should stop."""
        return self._received is not None

    @property
    def status(self) -> int:
        """The exit status of a run that a signal stopped."""
        return 128 + (self._received or 0)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._received = number
        self._restore()
        print(
            "featx: finishing the current images. Press Ctrl+C again to stop at once.",
            file=sys.stderr,
        )

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
