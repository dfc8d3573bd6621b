"""Usage errors of the command line, each in one line."""

import re
from difflib import get_close_matches
from typing import Any

from featx.core.errors import InputError

# Names of options in other tools.
_SYNONYMS = {
    "--batch-size": "--jobs",
    "--class": "--labels",
    "--classes": "--labels",
    "--confidence": "--threshold",
    "--cores": "--jobs",
    "--cv": "--folds",
    "--dest": "--out",
    "--file": "--out",
    "--k-folds": "--folds",
    "--label": "--labels",
    "--min-score": "--threshold",
    "--model": "--recipe",
    "--n-folds": "--folds",
    "--n-jobs": "--jobs",
    "--num-workers": "--jobs",
    "--output": "--out",
    "--output-dir": "--out",
    "--parallel": "--jobs",
    "--pipeline": "--recipe",
    "--processes": "--jobs",
    "--recipe": "--model",
    "--save": "--out",
    "--silent": "--quiet",
    "--splits": "--folds",
    "--target": "--labels",
    "--threads": "--jobs",
    "--verbose": "--debug",
    "--weights": "--model",
    "--workers": "--jobs",
}


class ArgumentError(InputError):
    """An argument of the command line that cannot be used."""


def usage_message(error: Any) -> str:
    """Return a usage error of click, which typer raises, in one line."""
    kind = type(error).__name__
    command = getattr(error.ctx, "command_path", "featx")
    where = command.removeprefix("featx ")
    if kind == "NoSuchOption":
        return f"{error.option_name}: {command} has no such option. {_option_hint(error)}"
    if kind == "MissingParameter":
        return f"{where}: {name_of(error.param)} is missing. {_example(error)}"
    if kind == "BadOptionUsage":
        return f"{error.option_name}: {_wrong_count(error.message)} {_example(error)}"
    if getattr(error, "param", None) is not None:
        return _wrong_value(error)
    if extra := re.search(r"unexpected extra argument\S* \((.*)\)", error.message):
        return f"{extra[1]}: {command} takes no such argument. {_example(error)}"
    return f"{where}: {error.format_message()}"


def name_of(parameter: Any) -> str:
    """Return an option as users type it, such as ``--out``, or the name of an argument."""
    if parameter.param_type_name == "option":
        return str(parameter.opts[0])
    return str(parameter.metavar or parameter.name.upper())


def _example(error: Any) -> str:
    return f"For example: {error.ctx.command.epilog}"


def _option_hint(error: Any) -> str:
    known = [
        name
        for parameter in error.ctx.command.get_params(error.ctx)
        for name in parameter.opts
        if parameter.param_type_name == "option"
    ]
    name = error.option_name.replace("_", "-").lower()
    if name[:2] != "--":
        likely = next((one for one in known if one.startswith(f"-{name[:2]}")), None)
    else:
        likely = _SYNONYMS.get(name)
    if likely not in (*known, "--debug"):
        # Without the dashes, which make all names similar.
        close = get_close_matches(name[2:], [one[2:] for one in known], 1)
        likely = f"--{close[0]}" if close else None
    return f"Did you mean {likely}?" if likely else f"Known: {', '.join(known)}."


def _wrong_count(message: str) -> str:
    if "does not take a value" in message:
        return "takes no value."
    count = re.search(r"requires (\d+) arguments", message)
    return f"needs {count[1]} values." if count else "needs a value."


def _wrong_value(error: Any) -> str:
    """Describe a value that is not of the type of its option."""
    name = name_of(error.param)
    details = error.__cause__.errors() if hasattr(error.__cause__, "errors") else []
    if not details:
        return f"{name}: {error.message}"
    where = f"{name} {details[0]['input']}"
    if details[0]["type"].startswith("int"):
        return f"{where}: is not a whole number. Write digits only, such as 4."
    if details[0]["type"].startswith("float"):
        return f"{where}: is not a number. Write it with a point, such as 0.5."
    return f"{where}: {details[0]['msg']}."
