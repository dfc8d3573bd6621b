"""Arguments and options that several commands share, and how results are printed."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.completion import complete_recipe
from featx.cli.help import DISPLAY, INPUT, OUTPUT, RUN

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featx.core.errors import RefusedImage


Images = Annotated[
    list[str],
    typer.Argument(
        metavar="IMAGES",
        help="A folder, a glob, a CSV or Parquet manifest, an archive, a URL, or - for a list on "
        "standard input. Several are read as one.",
        rich_help_panel=INPUT,
        callback=checked(checks.place),
    ),
]
Recipe = Annotated[
    str,
    typer.Option(
        metavar="RECIPE",
        help="Name of a recipe, or a YAML file.",
        rich_help_panel=INPUT,
        callback=checked(checks.recipe),
        autocompletion=complete_recipe,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="File written by featx train.",
        rich_help_panel=INPUT,
        callback=checked(checks.model),
    ),
]
Table = Annotated[
    str,
    typer.Option(
        metavar="FILE",
        help="Table to write: FILE.csv or FILE.parquet.",
        rich_help_panel=OUTPUT,
        callback=checked(checks.table),
    ),
]
Labels = Annotated[
    list[str],
    typer.Option(
        metavar="NEW=OLD,OLD",
        help="Merge and select classes: city=street,tower. Repeat it for each new class.",
        rich_help_panel=INPUT,
        callback=checked(checks.labels),
    ),
]
Plugins = Annotated[
    list[str],
    typer.Option(
        "--plugin",
        metavar="MODULE",
        help="Import a module that registers stages of your own. It can be repeated.",
        rich_help_panel=INPUT,
    ),
]
Jobs = Annotated[
    int,
    typer.Option(
        metavar="NUMBER",
        help="Number of threads; -1 for one per processor.",
        rich_help_panel=RUN,
        callback=checked(checks.jobs),
    ),
]
RandomState = Annotated[
    int,
    typer.Option(
        "--random-state",
        "--seed",
        metavar="NUMBER",
        help="Random seed.",
        rich_help_panel=RUN,
        callback=checked(checks.number(0, 2**32 - 1)),
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Print the result as JSON.", rich_help_panel=DISPLAY),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet",
        help="Print plain lines instead of a progress bar.",
        rich_help_panel=DISPLAY,
    ),
]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Exit with 1 if any image is rejected.", rich_help_panel=RUN),
]


def load_plugins(modules: list[str]) -> list[str]:
    """Import the modules of ``--plugin``; return the names of the stages they register."""
    if not modules:
        return []
    from featx.pipeline.registry import import_plugins

    return import_plugins(modules)


def show(result: dict[str, Any], line: str, as_json: bool) -> None:
    """Print a result as JSON for programs, or as text."""
    lines = [json.dumps(result, indent=2)] if as_json else map(printable, line.split("\n"))
    print(*lines, sep="\n")


def show_refused(refused: "Iterable[RefusedImage]", strict: bool) -> None:
    """Print a line per rejected image; exit with 1 under ``--strict`` if any."""
    refused = list(refused)
    for image in refused:
        print(f"rejected: {printable(str(image))}", file=sys.stderr)
    if refused and strict:
        raise typer.Exit(1)


def printable(text: str) -> str:
    """Escape bytes that are not valid Unicode, and characters that control the terminal."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
