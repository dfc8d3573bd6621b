"""Checks of arguments while the command line is parsed, before anything heavy is imported."""

import glob
import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from featx.cli.completion import bundled_names
from featx.cli.errors import ArgumentError, name_of
from featx.core.errors import OutputError
from featx.core.suggestions import nearest

Check = Callable[[str, Any], None]
_TABLES, _PICTURES, _MODELS = (".csv", ".parquet"), (".png", ".html"), (".skops",)
_PATTERN = "stop-sign"
# Kinds of files that are given by mistake, by their extensions.
_KINDS = {
    **dict.fromkeys([".csv", ".parquet", ".xlsx"], "a table"),
    **dict.fromkeys([".jpg", ".jpeg", ".png", ".gif", ".tif", ".tiff", ".bmp"], "an image"),
    **dict.fromkeys([".pkl", ".pickle", ".joblib"], "a pickle, which featx does not load"),
    **dict.fromkeys([".pt", ".pth", ".onnx"], "a network's file"),
    **dict.fromkeys([".yaml", ".yml"], "a recipe"),
    ".html": "a page",
    ".json": "a JSON file",
    ".skops": "a model",
}


def checked(check: Check) -> Callable[..., Any]:
    """Return a callback for an option that checks each of its values."""

    def callback(ctx: typer.Context, param: typer.CallbackParam, value: Any) -> Any:
        if value is None or ctx.resilient_parsing:
            return value
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str) and one.startswith("--"):
                raise ArgumentError(
                    f"{name_of(param)}: its value is missing, and {one} follows. Write "
                    f"{name_of(param)} VALUE {one}."
                )
            check(name_of(param), one)
        return value

    return callback


def number(least: float, most: float | None = None) -> Check:
    """Return a check that a number is in a range; NaN is not."""
    wanted = f"of at least {least}" if most is None else f"from {least} to {most}"

    def check(name: str, value: float) -> None:
        if not least <= value <= (float("inf") if most is None else most):
            raise ArgumentError(f"{name} {value:.10g}: is out of range. Choose a number {wanted}.")

    return check


def jobs(name: str, value: int) -> None:
    """Check a number of threads or processes."""
    if value < 1 and value != -1:
        raise ArgumentError(
            f"{name} {value}: is out of range. Choose 1 or more, or -1 for one per processor."
        )


def labels(name: str, value: str) -> None:
    """Check the form of a rule that merges classes."""
    new, equals, olds = value.partition("=")
    if new.strip() and equals and all(old.strip() for old in olds.split(",")):
        return
    likely = re.fullmatch(r"([^\s:=]+)[:\s]+([^:=]+)", value)
    hint = f"{likely[1]}={likely[2]}" if likely else "city=street,tower"
    raise ArgumentError(
        f"{name} {value}: is not of the form NEW=OLD,OLD. Write it such as {name} {hint}."
    )


def known_classes(rules: list[str], classes: list[str | None]) -> None:
    """Check that rules name classes that some image has, each once."""
    found = sorted({name for name in classes if name is not None})
    goes_to: dict[str, str] = {}
    for rule in rules:
        new, _, olds = rule.partition("=")
        for old in (one.strip() for one in olds.split(",")):
            if old not in found:
                hint = nearest(old, found) if found else "These images have no classes."
                raise ArgumentError(f"--labels {rule}: no image has the class {old!r}. {hint}")
            other = goes_to.setdefault(old, new.strip())
            if other != new.strip():
                raise ArgumentError(
                    f"--labels {rule}: class {old!r} is part of {other!r} already. Name it once."
                )


def unit(name: str, value: str) -> None:
    """Check the name of a unit of a network."""
    if not re.fullmatch(r".+:\d+", value):
        raise ArgumentError(
            f"{name} {value}: is not of the form LAYER:NUMBER. Write it such as {name} _fc:130."
        )


def place(name: str, value: str) -> None:
    """Check that a folder, a file, a glob, a URL or ``-`` can hold images."""
    if value == "-" or os.path.isfile(value) or (_is_url(value) and not os.path.exists(value)):
        return
    where = value if name == "IMAGES" else f"{name} {value}"
    if os.path.isdir(value):
        if next(_files(value), None) is None:
            raise ArgumentError(f"{where}: has no files in it. Name a folder of images.")
    elif glob.has_magic(value) and not os.path.lexists(value):
        if next(glob.iglob(value, recursive=True), None) is None:
            raise ArgumentError(
                f"{where}: no file matches this pattern. Write * for any name, and ** for folders "
                "at any depth."
            )
    elif not os.path.lexists(value):
        raise ArgumentError(f"{where}: no such folder or file. {_place_hint(name, value)}")


def image(name: str, value: str) -> None:
    """Check that an image file exists."""
    if os.path.isdir(value):
        first = next(_files(value), os.path.join(value, "image.png"))
        raise ArgumentError(f"{value}: is a folder. Name image files, such as {first}.")
    if not os.path.lexists(value) and not _is_url(value):
        raise ArgumentError(f"{value}: no such file. {_place_hint(name, value)}")


def pattern(name: str, value: str) -> None:
    """Check that a pattern is an image file, or the name of one that comes with featx."""
    if value == _PATTERN:
        return
    if os.path.isdir(value):
        raise ArgumentError(f"{value}: is a folder. {name} is an image file, or {_PATTERN}.")
    if not os.path.lexists(value) and not _is_url(value):
        likely = _similar(value, _PATTERN)
        hint = f"Did you mean {likely}?" if likely else ""
        raise ArgumentError(
            f"{value}: no such file. {hint or f'{name} is an image file, or {_PATTERN}.'}"
        )


def recipe(name: str, value: str) -> None:
    """Check that a recipe exists; its content is checked when it is read."""
    where = value if name == "RECIPE" else f"{name} {value}"
    if value in bundled_names("pipelines"):
        return
    if os.path.isdir(value):
        raise ArgumentError(f"{where}: is a folder. Name a recipe, or a YAML file.")
    if not os.path.isfile(value):
        hint = nearest(value, bundled_names("pipelines"))
        if Path(value).suffix:
            likely = _similar(value)
            hint = f"Did you mean {likely}?" if likely else _looked_for("It")
        raise ArgumentError(f"{where}: no such recipe or file. {hint}")
    kind = _KINDS.get(Path(value).suffix.lower(), "")
    if kind == "a model":
        raise ArgumentError(f"{where}: is a model, not a recipe. Use --model where it is needed.")
    if kind not in ("", "a recipe"):
        raise ArgumentError(f"{where}: is {kind}, not a recipe. Name a recipe, or a YAML file.")


def recipes_differ(recipes: list[str]) -> None:
    """Check that no two recipes have the same name."""
    names = [Path(one).stem if os.path.isfile(one) else one for one in recipes]
    for one, name in zip(recipes, names, strict=True):
        if names.count(name) > 1:
            raise ArgumentError(
                f"--recipe {one}: two recipes have the name {name}. Name each once, or rename one."
            )


def model(name: str, value: str) -> None:
    """Check that a file can be a model; its content is checked when it is read."""
    wanted = "Name a file written by featx train, such as model.skops."
    if value in bundled_names("pipelines") and not os.path.exists(value):
        raise ArgumentError(
            f"{name} {value}: is a recipe, not a model. Fit it first: featx train IMAGES "
            f"--recipe {value} --out {value}.skops"
        )
    if os.path.isdir(value):
        raise ArgumentError(f"{name} {value}: is a folder, not a model. {wanted}")
    if not os.path.isfile(value):
        likely = _similar(value)
        raise ArgumentError(
            f"{name} {value}: no such file. {f'Did you mean {likely}?' if likely else wanted}"
        )
    with open(value, "rb") as file:
        if file.read(2) == b"PK":  # a zip file, as models are
            return
    kind = _KINDS.get(Path(value).suffix.lower(), "not a model")
    kind = "damaged, or not a model" if kind == "a model" else kind
    raise ArgumentError(f"{name} {value}: is {kind}. {wanted}")


def dataset(name: str, value: str) -> None:
    """Check that a data set has a card."""
    known = bundled_names("datasets")
    if value not in known:
        raise ArgumentError(f"{value}: no such data set. {nearest(value, known)}")


def table(name: str, value: str) -> None:
    """Check that a table can be written."""
    _file(name, value, _TABLES, "predictions")


def picture(name: str, value: str) -> None:
    """Check that a picture or page can be written."""
    _file(name, value, _PICTURES, "explanation")


def new_model(name: str, value: str) -> None:
    """Check that a model can be written."""
    _file(name, value, _MODELS, "model")


def checkpoint(name: str, value: str) -> None:
    """Check that a checkpoint can be written."""
    if os.path.isdir(value):
        inside = os.path.join(value, "training.pt")
        raise ArgumentError(f"{name} {value}: is a folder. Name a file, such as {inside}.")
    _try(name, value, "new_file")


def folder(name: str, value: str) -> None:
    """Check that a folder can be made: it is new or empty."""
    if os.path.isfile(value):
        raise ArgumentError(f"{name} {value}: is a file. Name a folder, which is then made.")
    if os.path.isdir(value) and os.listdir(value):
        raise ArgumentError(
            f"{name} {value}: exists already and is not empty. Remove it, or choose another name."
        )
    _try(name, value, "new_folder")


def store(name: str, value: str) -> None:
    """Check that features can be written to a folder: it is new, empty, or holds features."""
    if os.path.isdir(value):
        names = os.listdir(value)
        if any(one.startswith("part-") for one in names):
            return
        if names:
            raise ArgumentError(
                f"{name} {value}: exists already and holds no features. Choose another name."
            )
    folder(name, value)


def cache(name: str, value: str) -> None:
    """Check that a cache is a folder, if it exists."""
    if os.path.lexists(value) and not os.path.isdir(value):
        raise ArgumentError(f"{name} {value}: is not a folder. Name a folder.")


def _file(name: str, value: str, extensions: tuple[str, ...], example: str) -> None:
    listed = " or ".join(extensions)
    if os.path.isdir(value):
        inside = os.path.join(value, example + extensions[0])
        raise ArgumentError(f"{name} {value}: is a folder. Name a file, such as {inside}.")
    if Path(value).suffix.lower() not in extensions:
        likely = Path(value).with_suffix(extensions[0]) if Path(value).name else example
        raise ArgumentError(
            f"{name} {value}: does not end in {listed}. Name it {likely}, for example."
        )
    _try(name, value, "new_file")


class _Tried(Exception):  # noqa: N818 - it signals no error
    """Leaves a file or folder unwritten."""


def _try(name: str, value: str, begin: str) -> None:
    """Begin to write a file or a folder, and leave nothing."""
    # Here, since help writes nothing.
    from featx.io import writing

    try:
        with suppress(_Tried), getattr(writing, begin)(value):
            raise _Tried
    except OutputError as error:
        raise ArgumentError(f"{name} {error}") from None


def _is_url(value: str) -> bool:
    return "://" in value


def _files(top: str) -> Iterator[str]:
    """Yield the files in and below a folder that are listed as images."""
    for place_, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(place_, name) for name in sorted(files))


def _similar(value: str, *known: str) -> str | None:
    """Return the known name, file or folder with the most similar name, but for its extension."""
    above = os.path.dirname(value)
    names = {name: name for name in known}
    with suppress(OSError):
        names |= {Path(one).stem: os.path.join(above, one) for one in os.listdir(above or ".")}
    likely = get_close_matches(Path(value).stem, list(names), 1, 0.75)
    return names[likely[0]] if likely else None


def _place_hint(name: str, value: str) -> str:
    if re.match(r"[A-Za-z]:[\\/]|\\\\", value) and os.name == "posix":
        return "It is written as on Windows; write it as here, such as /home/me/photos."
    if value in bundled_names("pipelines"):
        return f"It is the name of a recipe: write --recipe {value}."
    if value in bundled_names("datasets"):
        return f"It is the name of a data set: featx datasets show {value} describes it."
    if likely := _similar(value):
        return f"Did you mean {likely}?"
    above = Path(value).absolute().parent
    if not above.is_dir():
        return f"The folder {above} does not exist either."
    return _looked_for(name)


def _looked_for(name: str) -> str:
    return f"{name} is looked for from the current folder, {os.getcwd()}."
