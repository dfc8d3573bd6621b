"""How far long work is: a bar in a terminal, plain lines elsewhere."""

import sys
import time
from types import TracebackType
from typing import Any, Self

from featx.cli.interruption import end_if_told


class Progress:
    """Counts images on standard error, with the rate and the time left.

    Parameters
    ----------
    total : int or None
        How many images there are; None if that is to be said later.
    plain : bool
        Print a line now and then, and no bar.
    """

    _every = 10.0  # seconds from one plain line to the next

    def __init__(self, total: int | None, plain: bool) -> None:
        self._total, self._done, self._refused = total, 0, 0
        self._began = self._spoke = time.monotonic()
        self._bar: Any = None
        self._plain = plain or not sys.stderr.isatty()

    def __enter__(self) -> Self:
        if not self._plain:
            self._bar = _bar()
            self._bar.start()
            self._task = self._bar.add_task("images", total=self._total, note="")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif kind is None:
            self._say()

    def __call__(self, done: int, refused: int = 0) -> None:
        """Say that so many more images are done, and so many of these refused."""
        end_if_told()
        self._done += done
        self._refused += refused
        if self._bar is not None:
            note = f"{self._refused} refused" if self._refused else ""
            self._bar.update(self._task, completed=self._done, note=note)
        # The last line is said at the end.
        elif self._done != self._total and time.monotonic() - self._spoke > self._every:
            self._say()

    def expect(self, total: int) -> None:
        """Say how many images there are."""
        self._total = total
        if self._bar is not None:
            self._bar.update(self._task, total=total)

    def step(self, name: str, images: int) -> None:
        """Say what is done now, for work of several steps."""
        if images:
            self(images)
            return
        end_if_told()
        if self._bar is not None:
            self._bar.update(self._task, note=name)

    def _say(self) -> None:
        self._spoke = time.monotonic()
        rate = self._done / max(self._spoke - self._began, 1e-9)
        left = ((self._total or 0) - self._done) / max(rate, 1e-9)
        end = f", {left:.0f} s left" if left > 0 else ""
        refused = f", {self._refused} refused" if self._refused else ""
        of_all = "" if self._total is None else f" of {self._total}"
        line = f"{self._done}{of_all} images{refused}, {rate:.0f} a second{end}"
        print(line, file=sys.stderr)


def _bar() -> Any:
    # rich takes a while to load, and only a terminal needs it.
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:.0f}/s")

    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
    )
