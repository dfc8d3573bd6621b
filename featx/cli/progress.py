"""Progress on the command line: a bar in a terminal, plain lines elsewhere."""

import sys
from typing import Any, Self

from featx.cli.interruption import end_if_told
from featx.jobs.progress import Lines


class Progress(Lines):
    """Counts images on standard error, with the rate and the time left.

    Parameters
    ----------
    plain : bool
        Print a line now and then, and no bar; networks print no lines of their own.
    total : int, optional
        The number of all images; None if `expect` sets it later.
    """

    def __init__(self, plain: bool, total: int | None = None) -> None:
        super().__init__(total, verbose=not plain)
        self._bar = None if plain or not sys.stderr.isatty() else _bar()

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
            self._task = self._bar.add_task("images", total=self._total, note="")
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        """End the bar, or print the last line."""
        if self._bar is None:
            super().__exit__(kind, error, trace)
        else:
            self._bar.stop()

    def __call__(self, done: int, refused: int = 0) -> None:
        """Count images that are done, unless a signal has told the run to end."""
        end_if_told()
        if self._bar is None:
            super().__call__(done, refused)
            return
        self._done += done
        self._refused += refused
        note = f"{self._refused} refused" if self._refused else ""
        self._bar.update(self._task, completed=self._done, note=note)

    def expect(self, total: int) -> None:
        """Set the number of all images."""
        super().expect(total)
        if self._bar is not None and self._bar.live.is_started:
            self._bar.update(self._task, total=total)

    def step(self, name: str) -> None:
        """Show what begins now."""
        end_if_told()
        if self._bar is not None:
            self._bar.update(self._task, note=name)


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
