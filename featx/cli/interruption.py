"""What the user, or the system, sends to a long run to stop it."""

import signal
import sys
from types import FrameType, TracebackType
from typing import Any, NoReturn, Self

_came: list[int] = []


def heed_signals() -> None:
    """Let SIGINT and SIGTERM end the run by an exception, so that what is unfinished is removed."""
    signal.signal(signal.SIGTERM, _end)
    # Shells start what they run in the background deaf to SIGINT, and it stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def end_if_told() -> None:
    """End the run if a signal came: its exception is lost where a library catches everything."""
    if _came:
        _raise(_came[-1])


def _end(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    _raise(number)


def _raise(number: int) -> NoReturn:
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


class Interruption:
    """Notes that a run is to stop, so that it can finish what is under way.

    The second time, it ends at once.
    """

    _signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._came: int | None = None
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
        """Tell whether the run is to stop."""
        return self._came is not None

    @property
    def status(self) -> int:
        """The exit status that says what has stopped the run."""
        return 128 + (self._came or 0)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._came = number
        self._restore()
        print("featx: finishing what is under way. Once more ends it at once.", file=sys.stderr)

    def _restore(self) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
