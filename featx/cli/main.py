"""The command line: reads arguments, calls the library, prints.

One file a command. Nothing heavy is imported before the command that needs it runs, so that
``--help`` and wrong usage are answered at once.
"""

import os
import signal
import sys
import warnings
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from featx.cli import (
    compare,
    datasets,
    demo,
    evaluate,
    explain,
    extract,
    find,
    interruption,
    predict,
    recipes,
    train,
)
from featx.cli.options import printable
from featx.core.errors import DatasetError, FeatxError, PluginError, RecipeError

app = typer.Typer(
    name="featx",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for command in (extract.extract, train.train, predict.predict, evaluate.evaluate):
    app.command()(command)
app.command()(compare.compare)
app.command()(explain.explain)
app.command()(find.find)
app.add_typer(recipes.app, name="recipes")
app.add_typer(datasets.app, name="datasets")
app.command()(demo.demo)

_INTERRUPTED = 128 + signal.SIGINT  # typer exits with it


@app.callback(
    invoke_without_command=True,
    epilog="With --debug, a command that fails shows where. Exit status: 0 done; 1 failed, or "
    "images refused under --strict; 2 wrong usage.",
)
def featx(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version, and exit.")
    ] = False,
) -> None:
    """Folders of images to features, and features to classifiers, compared and explained.

    IMAGES is a folder, whose sub-folders are the classes; a glob; a CSV or Parquet manifest with
    the columns path and label; a zip or tar archive; a URL; or - for a list on standard input.
    Where features are wanted, a folder that featx extract wrote stands for its images.
    """
    if version:
        from featx import __version__

        print(f"featx {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; an error is one clear line, with a traceback only under --debug."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    warnings.showwarning = _warn
    interruption.heed_signals()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app(arguments, prog_name="featx")
    except SystemExit as end:
        if end.code in (_INTERRUPTED, 128 + signal.SIGTERM):
            print("featx: interrupted.", file=sys.stderr)
        raise
    except BrokenPipeError:
        # Whoever read the output has stopped; nothing more is to be said to them.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # whatever it is, one line says so; --debug shows where
        if debug:
            raise
        print(f"featx: {_one_line(error)}", file=sys.stderr)
        sys.exit(_status(error))


def _status(error: Exception) -> int:
    """Return the exit status: 2 for wrong usage, 1 for a run that failed."""
    return 2 if isinstance(error, DatasetError | PluginError | RecipeError) else 1


def _one_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {_in_one_line(error) or 'none is left'}."
    expected = isinstance(error, FeatxError | ValueError | OSError | ImportError)
    text = _in_one_line(error)
    return text if expected else f"{type(error).__name__}: {text} (run with --debug to see where)"


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {_in_one_line(message)}", file=sys.stderr)


def _in_one_line(message: Any) -> str:
    return printable(" ".join(str(message).split()))
