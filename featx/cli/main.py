"""The command line: parse arguments, call a job, print its result.

Nothing heavy is imported until a command runs, so that help and usage errors are immediate.
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
from featx.cli.errors import ArgumentError, usage_message
from featx.cli.help import Command, Group
from featx.cli.options import printable
from featx.core.errors import DatasetError, FeatxError, PluginError, RecipeError

app = typer.Typer(
    name="featx",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
for job, module in (
    (extract.extract, extract),
    (train.train, train),
    (predict.predict, predict),
    (evaluate.evaluate, evaluate),
    (compare.compare, compare),
    (explain.explain, explain),
    (find.find, find),
):
    app.command(cls=Command, epilog=module.EXAMPLE)(job)
app.add_typer(recipes.app, name="recipes")
app.add_typer(datasets.app, name="datasets")
app.command(cls=Command, epilog=demo.EXAMPLE)(demo.demo)

_INTERRUPTED, _TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM


@app.callback(
    invoke_without_command=True,
    epilog="featx compare photos --recipe hog-svm --recipe gist-svm --out report",
)
def featx(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Extract image features; train, compare and explain classifiers.

    IMAGES is a folder, whose subfolders are the classes; a glob; a CSV or Parquet manifest with
    the columns path and label; a zip or tar archive; a URL; or - for a list on standard input.
    A folder written by featx extract can replace its images. Several IMAGES are read as one; a
    file directly in one of several folders has the folder's name as its class.

    Add --debug to see the traceback of an error. Exit status: 0 for success; 1 for a failed run,
    or rejected images under --strict; 2 for a usage error.
    """
    if version:
        from featx import __version__

        print(f"featx {__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; print an error in one line, with a traceback under ``--debug``."""
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    warnings.showwarning = _warn
    interruption.heed_signals()
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = app(arguments, prog_name="featx", standalone_mode=False)
        sys.stdout.flush()  # raises BrokenPipeError here, rather than at exit
        _end(status)
    except SystemExit as end:
        if end.code == _TERMINATED:
            print("featx: interrupted.", file=sys.stderr)
        raise
    except BrokenPipeError:
        # The reader of the output has ended.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug and not _is_usage_error(error):
            raise
        _fail(error)


def _end(status: Any) -> None:
    """End with the status of a command; click returns that of ``typer.Exit``."""
    if status == _INTERRUPTED:
        print("featx: interrupted.", file=sys.stderr)
    if isinstance(status, int) and status:
        sys.exit(status)


def _fail(error: Any) -> None:
    """Print an error in one line, and exit."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        sys.exit(2)
    line = printable(usage_message(error)) if _is_usage_error(error) else _one_line(error)
    print(f"featx: {line}", file=sys.stderr)
    sys.exit(_status(error))


def _is_usage_error(error: Exception) -> bool:
    """Return whether click raised an error: which class it is depends on typer's version."""
    return hasattr(error, "format_message")


def _status(error: Exception) -> int:
    """Return the exit status: 2 for wrong usage, 1 for a run that failed."""
    usage = isinstance(error, ArgumentError | DatasetError | PluginError | RecipeError)
    return 2 if usage or _is_usage_error(error) else 1


def _one_line(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return f"memory: not enough is free. {_in_one_line(error) or 'Use fewer --jobs.'}"
    expected = isinstance(error, FeatxError | ValueError | OSError | ImportError)
    text = _in_one_line(error)
    return text if expected else f"{type(error).__name__}: {text} (--debug prints a traceback)"


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {_in_one_line(message)}", file=sys.stderr)


def _in_one_line(message: Any) -> str:
    return printable(" ".join(str(message).split()))
