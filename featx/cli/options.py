"""The arguments and options that several commands share, and how they are read."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from featx.core.errors import RefusedImage

Images = Annotated[
    str,
    typer.Argument(
        metavar="IMAGES",
        help="A folder, a glob, a CSV or Parquet manifest, an archive, a URL, or - for a list.",
    ),
]
Recipe = Annotated[str, typer.Option(help="The name of a recipe, or a YAML file.")]
Model = Annotated[str, typer.Option(help="A file that featx train wrote.")]
Table = Annotated[str, typer.Option(help="The table to write: FILE.csv or FILE.parquet.")]
Labels = Annotated[
    list[str],
    typer.Option(
        metavar="NEW=OLD,OLD",
        help="Merge classes and select them: city=street,tower. Repeat it for each new class.",
    ),
]
Plugins = Annotated[
    list[str],
    typer.Option(
        "--plugin",
        metavar="MODULE",
        help="Import a module that registers stages of your own. Repeat it for others.",
    ),
]
Jobs = Annotated[int, typer.Option(help="Threads; -1 for one a processor.")]
RandomState = Annotated[
    int, typer.Option("--random-state", "--seed", min=0, help="Seed of the random numbers.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Plain lines in place of a progress bar.")]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 1 if any image is refused.")]


def load_plugins(modules: list[str]) -> list[str]:
    """Import the modules of ``--plugin``; return the stages that a model may then hold."""
    if not modules:
        return []
    from featx.pipeline.registry import import_plugins

    return import_plugins(modules)


def show(result: dict[str, Any], line: str, as_json: bool) -> None:
    """Print a result for programs or for people."""
    lines = [json.dumps(result, indent=2)] if as_json else map(printable, line.split("\n"))
    print(*lines, sep="\n")


def show_refused(refused: "Iterable[RefusedImage]", strict: bool) -> None:
    """Print a line for each refused image; under ``--strict``, they are a failure."""
    refused = list(refused)
    for image in refused:
        print(f"refused: {printable(str(image))}", file=sys.stderr)
    if refused and strict:
        raise typer.Exit(1)


def printable(text: str) -> str:
    """Show what is no Unicode, or would move the cursor, as escapes."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
