"""Identity of a store: the stages, parameters and code that computed its features."""

import json
from collections.abc import Sequence
from inspect import signature
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline

import featx
from featx.core.errors import StoreError
from featx.io.formats import parameter_problems, version_of
from featx.pipeline.code_identity import code_digest, is_own
from featx.pipeline.registry import ESTIMATORS, public_name

_CODE = "code"


def as_steps(stages: Sequence[Any]) -> list[Any]:
    """Convert stages to plain data that identifies their features.

    A stage is described by its public name, such as ``featx.HOG`` or ``mypackage.MyStage``, and
    its parameters. Stages from outside of featx also have a digest of their code.
    """
    return [_described(stage) for stage in stages]


def _described(stage: Any) -> Any:
    if isinstance(stage, FeatureUnion):
        return {"union": [_described(branch) for _, branch in stage.transformer_list]}
    if isinstance(stage, Pipeline):
        return as_steps([step for _, step in stage.steps])
    kind: Any = type(stage)
    parameters = stage.get_params(deep=False)
    data = {name: _as_data(parameters[name]) for name in parameters}
    if is_own(kind):
        return {public_name(kind): data, _CODE: code_digest(kind)}
    return {_public_name(kind): data}


def _public_name(kind: type) -> str:
    """Return a class's public name, which is independent of the file that defines the class."""
    module = ESTIMATORS.get(kind.__name__)
    return f"{module}.{kind.__name__}" if _is_of(kind, module) else public_name(kind)


def _is_of(kind: type, module: str | None) -> bool:
    return (
        module is not None
        and module.startswith("sklearn.")
        and kind.__module__.startswith(f"{module}.")
    )


def _as_data(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_data(one) for one in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def check_same(
    folder: str | Path, known: dict[str, Any], steps: list[Any], other: str, again: str
) -> None:
    """Raise `StoreError`, with the first difference, unless a store was written by these steps.

    The version of featx must be equal, too.

    Parameters
    ----------
    folder : str or Path
        Folder of the store.
    known : dict
        Metadata of the store.
    steps : list
        Expected steps.
    other, again : str
        Remedies in the error message, for a store of other steps and of another version.
    """
    version = version_of(known)
    if known["steps"] != steps:
        if problem := _misfit(known["steps"]):
            raise StoreError(
                f"{folder}: {problem}. The store was written by featx {version}, but this version "
                f"is featx {featx.__version__}. {again}, or use that version: pip install "
                f"featx=={version}."
            )
        problem = _difference(known["steps"], steps)
        raise StoreError(
            f"{folder}: contains features of another recipe, {known['recipe']}: {problem}. {other}."
        )
    if version != featx.__version__:
        raise StoreError(
            f"{folder}: was written by featx {version}, but this version is featx "
            f"{featx.__version__}, whose features may differ. {again}, or use that version: pip "
            f"install featx=={version}."
        )


def _misfit(steps: Any) -> str:
    """Describe the stages or parameters of a store that do not match this version of featx."""
    if isinstance(steps, list):
        return next(filter(None, map(_misfit, steps)), "")
    name, parameters = _full_name(steps), _parameters(steps)
    if isinstance(parameters, list):
        return _misfit(parameters)
    if not name.startswith("featx."):
        return ""
    kind = getattr(featx, name.removeprefix("featx."), None)
    if kind is None:
        return f"contains features of {name}, which does not exist in this version of featx"
    return " and ".join(parameter_problems(name, parameters, signature(kind).parameters))


def _difference(known: list[Any], wanted: list[Any]) -> str:
    """Describe the first difference between two lists of steps."""
    for number, (there, here) in enumerate(zip_longest(known, wanted), 1):
        if there is None or here is None:
            which = "in the store only" if here is None else "in this recipe only"
            return f"step {number}, {_step_name(there or here)}, is {which}"
        if there != here:
            return f"step {number}{_step_difference(there, here)}"
    raise AssertionError("the steps are equal")


def _step_difference(there: Any, here: Any) -> str:
    before, after = _codes(there), _codes(here)
    if before.keys() == after.keys() and _plain(there) == _plain(here):
        changed = [name for name in after if before[name] != after[name]]
        return f": the code of {', '.join(changed)} has changed"
    if _step_name(there) != _step_name(here) or not isinstance(_parameters(there), dict):
        return f" is {_shown(there)} in the store and {_shown(here)} in this recipe"
    before, after = _parameters(there), _parameters(here)
    differing = [
        f"{key} is {json.dumps(before.get(key))} in the store and {json.dumps(after.get(key))} in "
        "this recipe"
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
    return f", {_step_name(here)}: {', '.join(differing)}"


def _full_name(step: Any) -> str:
    return next(key for key in step if key != _CODE) if isinstance(step, dict) else "a branch"


def _step_name(step: Any) -> str:
    """Return the name of a step for messages, without the prefix ``featx`` or ``sklearn``."""
    name = _full_name(step)
    return name.rpartition(".")[2] if name.startswith(("featx.", "sklearn.")) else name


def _parameters(step: Any) -> Any:
    return step[_full_name(step)] if isinstance(step, dict) else step


def _codes(step: Any) -> dict[str, str]:
    """Return the code digests of a step's stages by their names."""
    if isinstance(step, list):
        return {name: code for one in step for name, code in _codes(one).items()}
    if isinstance(_parameters(step), list):
        return _codes(_parameters(step))
    return {_step_name(step): step[_CODE]} if _CODE in step else {}


def _plain(step: Any) -> Any:
    """Return a step without code digests."""
    if isinstance(step, list):
        return [_plain(one) for one in step]
    inside = _parameters(step)
    return {_full_name(step): _plain(inside) if isinstance(inside, list) else inside}


def _shown(step: Any) -> str:
    name = _step_name(step)
    return name if isinstance(_parameters(step), dict) else json.dumps(step)
