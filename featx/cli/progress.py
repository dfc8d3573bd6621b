"""Progress on the command line: a bar in a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable
from typing import Any, Self

from featx.cli.interruption import end_if_told
from featx.jobs.progress import Lines


class Progress(Lines):
    """Show the phase, images, rate and time left on standard error.

    Parameters
    ----------
    plain : bool
        Print plain lines instead of a bar; networks print no lines of their own.
    """

    def __init__(self, plain: bool) -> None:
        super().__init__(verbose=not plain)
        self._bar = None if plain or not sys.stderr.isatty() else _bar(self.line)

    def __enter__(self) -> Self:
        if self._bar is None:
            return super().__enter__()
        self._bar.start()
        self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """End the bar, and print the summary."""
        if self._bar is not None:
            self._bar.stop()
        super().__exit__(kind, error, trace)

    def __call__(self, done: int, refused: int = 0) -> None:
        """Count finished images, unless a signal was received."""
        end_if_told()
        super().__call__(done, refused)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done)

    def begin(self, phase: str, total: int | None = None) -> None:
        """Begin a phase; a phase without a number of images leaves the bar as it is."""
        end_if_told()
        super().begin(phase, total)
        if total is not None and self._bar is not None and self._bar.live.is_started:
            self._bar.reset(self._task, total=total)

    def expect(self, total: int) -> None:
        """Set the number of images of this phase."""
        super().expect(total)
        if self._bar is not None and self._bar.live.is_started:
            self._bar.update(self._task, total=total)


def _bar(line: Callable[[], str]) -> Any:
    # rich is slow to import, and only a terminal needs it.
    from rich.console import Console
    from rich.progress import BarColumn, ProgressColumn
    from rich.progress import Progress as Bar
    from rich.text import Text

    class Line(ProgressColumn):
        def render(self, task: Any) -> Text:
            return Text(line())

    return Bar(BarColumn(), Line(), console=Console(stderr=True))
