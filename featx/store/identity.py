"""What features were computed with: the stages and parameters that identify a store."""

import json
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from sklearn.pipeline import FeatureUnion, Pipeline

from featx.core.errors import StoreError


def as_steps(stages: Sequence[Any]) -> list[Any]:
    """Describe stages as plain data, with all their parameters: equal for equal features."""
    return [_described(stage) for stage in stages]


def _described(stage: Any) -> Any:
    if isinstance(stage, FeatureUnion):
        return {"union": [_described(branch) for _, branch in stage.transformer_list]}
    if isinstance(stage, Pipeline):
        return as_steps([step for _, step in stage.steps])
    parameters = stage.get_params(deep=False)
    return {type(stage).__name__: {name: _as_data(parameters[name]) for name in parameters}}


def _as_data(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_as_data(one) for one in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if value is None or isinstance(value, bool | int | float | str) else repr(value)


def check_steps(folder: str | Path, known: dict[str, Any], steps: list[Any], hint: str) -> None:
    """Raise StoreError, with the first difference, unless a store was made by these steps."""
    if known["steps"] != steps:
        problem = _difference(known["steps"], steps)
        raise StoreError(
            f"{folder}: holds features of another recipe, {known['recipe']}: {problem}. {hint}"
        )


def check_same(folder: str | Path, known: dict[str, Any], wanted: dict[str, Any]) -> None:
    """Raise StoreError unless a store has the wanted stages and version."""
    check_steps(folder, known, wanted["steps"], "Choose another folder.")
    if known["version"] != wanted["version"]:
        raise StoreError(
            f"{folder}: was written by featx {known['version']}, and this is featx "
            f"{wanted['version']}, whose features may differ. Choose another folder."
        )


def _difference(known: list[Any], wanted: list[Any]) -> str:
    """Say in what two lists of steps differ first."""
    for number, (there, here) in enumerate(zip_longest(known, wanted), 1):
        if there == here:
            continue
        if there is None or here is None:
            which = "there, and not here" if here is None else "here, and not there"
            return f"step {number}, {_step_name(there or here)}, is {which}"
        if _step_name(there) != _step_name(here) or not isinstance(_parameters(there), dict):
            return f"step {number} is {_shown(there)} there and {_shown(here)} here"
        before, after = _parameters(there), _parameters(here)
        differing = [
            f"{name} is {json.dumps(before.get(name))} there and {json.dumps(after.get(name))} here"
            for name in sorted({*before, *after})
            if before.get(name) != after.get(name)
        ]
        return f"step {number}, {_step_name(here)}: {', '.join(differing)}"
    raise AssertionError("the steps are the same")


def _step_name(step: Any) -> str:
    return next(iter(step)) if isinstance(step, dict) else "a branch"


def _parameters(step: Any) -> Any:
    return next(iter(step.values())) if isinstance(step, dict) else step


def _shown(step: Any) -> str:
    name = _step_name(step)
    return name if isinstance(_parameters(step), dict) else json.dumps(step)
