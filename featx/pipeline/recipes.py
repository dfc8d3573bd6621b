"""Recipes: pipelines as data, which name stages and estimators of the registry only."""

import hashlib
import inspect
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

from featx.classifiers.score_sum import ScoreSum
from featx.core.checking import signals_hint
from featx.core.constraints import validate
from featx.core.errors import FeatxError, InvalidParameterError, RecipeError
from featx.core.stage import ImageStage
from featx.core.suggestions import nearest
from featx.io import bundled
from featx.pipeline import registry
from featx.pipeline.bounds import check_bounds
from featx.pipeline.stream import Stream, named_stages

_LARGEST = 100_000  # bytes; recipes are short, and what is longer is no recipe
#: Parameters by which a stranger's recipe would write over any file.
_WRITTEN = ("checkpoint",)
_LONGEST_LINE = 1000  # characters of what is wrong; a parameter may have thousands of numbers
_DEEPEST = 20  # lists in lists; a recipe has a handful


@dataclass(frozen=True)
class Recipe:
    """A recipe as it stands in its file, checked."""

    name: str
    title: str
    source: str
    path: Path
    #: Its steps as plain data, from which the digest is made.
    steps: list[Any]
    pipeline: Pipeline
    #: Accuracies in per cent that its source reports, by the name of what was told apart.
    published: dict[str, float]

    @property
    def digest(self) -> str:
        """A short hash of the steps and their parameters: equal for equal features."""
        canonical = json.dumps(self.steps, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def load_recipe(recipe: str | Path) -> Pipeline:
    """Load a recipe as a scikit-learn pipeline, not yet fitted.

    Parameters
    ----------
    recipe : str or Path
        The name of a recipe that comes with featx, or the path of a YAML file.

    Returns
    -------
    sklearn.pipeline.Pipeline
        A `Stream` of the recipe's image stages, then its other steps. It takes paths or images.

    Raises
    ------
    RecipeError
        If there is no such recipe, or anything in it is wrong; the whole recipe is checked.

    Examples
    --------
    >>> from featx import load_recipe
    >>> load_recipe("vertical-lines").steps[-1]
    ('logisticregression', LogisticRegression())
    """
    return read_recipe(recipe).pipeline


def read_recipe(recipe: str | Path) -> Recipe:
    """Read and check a recipe; as `load_recipe`, with its title and source."""
    path = find_recipe(recipe)
    fields = _fields(path, _compose(path))
    steps = fields.get("steps")
    if not isinstance(steps, yaml.SequenceNode) or not steps.value:
        raise RecipeError(f"{path}: 'steps' must be a list of one step at least.")
    built = [_step(path, step) for step in steps.value]
    count = _stage_count(path, steps.value, built)
    _check_order(path, steps.value, built)
    return Recipe(
        name=path.stem,
        title=_text(path, fields, "title"),
        source=_text(path, fields, "source"),
        path=path,
        steps=_plain(path, steps),
        pipeline=make_pipeline(Stream(built[:count]), *built[count:]),
        published=_published(path, fields.get("published")),
    )


def find_recipe(recipe: str | Path) -> Path:
    """Find the file of a recipe, by its name or its path."""
    path = bundled.find("pipelines", str(recipe)) or Path(recipe)
    # Path.is_file raises an error for some names.
    if not os.path.isfile(path):
        hint = nearest(str(recipe), bundled.names("pipelines"))
        raise RecipeError(f"{recipe}: no recipe of this name, and no such file. {hint}")
    return path


class _Loader(yaml.SafeLoader):
    """Plain YAML, in which 1e-3 is a number, as in every newer version of YAML."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _compose(path: Path) -> yaml.Node:
    """Parse YAML to nodes, which know their lines, and refuse what could run or explode."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}.") from None
    if len(content) > _LARGEST:
        raise RecipeError(f"{path}: larger than a recipe may be ({_LARGEST} bytes).")
    try:
        text = content.decode("utf-8-sig")
        depth = 0
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent):
                raise _wrong(path, event, f"aliases (*{event.anchor}) are not allowed.")
            tag = getattr(event, "tag", None)
            if tag is not None:
                raise _wrong(path, event, f"tags ({tag}) are not allowed.")
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > _DEEPEST:
                raise _wrong(path, event, "this is nested too deeply for a recipe.")
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        problem = " ".join((getattr(error, "problem", None) or str(error)).split())
        raise RecipeError(f"{where}: not valid YAML: {problem}.") from None
    if node is None:
        raise RecipeError(f"{path}: empty. A recipe has title, source and steps.")
    return node


def _plain(path: Path, node: yaml.Node) -> Any:
    """Give a node as plain data."""
    try:
        return _Loader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise _wrong(path, node, f"{problem}.") from None


def _fields(path: Path, node: yaml.Node) -> dict[str, yaml.Node]:
    known = ["title", "source", "published", "steps"]
    fields = dict(_items(path, node, "a recipe has title, source and steps."))
    for key, value in fields.items():
        if key not in known:
            raise _wrong(path, value, f"unknown field {key!r}. {nearest(key, known)}")
    return fields


def _text(path: Path, fields: dict[str, yaml.Node], name: str) -> str:
    node = fields.get(name)
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise RecipeError(f"{path}: {name!r} is missing: a line of text is wanted.")
    return str(node.value)


def _published(path: Path, node: yaml.Node | None) -> dict[str, float]:
    if node is None:
        return {}
    wanted = "'published' gives accuracies in per cent: {fifteen scenes: 81.4}."
    figures = {key: _plain(path, value) for key, value in _items(path, node, wanted)}
    if not all(isinstance(figure, int | float) for figure in figures.values()):
        raise _wrong(path, node, wanted)
    return {key: float(figure) for key, figure in figures.items()}


def _items(path: Path, node: yaml.Node, wanted: str) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(path, node, wanted)
    seen = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _wrong(path, key, wanted)
        if key.value in seen:
            raise _wrong(path, key, f"{key.value!r} is there twice.")
        seen.add(key.value)
        yield key.value, value


def _step(path: Path, node: yaml.Node) -> Any:
    """Build one step: ``Name``, ``Name: {parameter: value}`` or ``union: [branch, branch]``."""
    if isinstance(node, yaml.ScalarNode):
        return _estimator(path, node, str(node.value), {})
    wanted = "a step is a name, or a name with its parameters: 'Sobel: {axis: vertical}'."
    items = list(_items(path, node, wanted))
    if len(items) != 1:
        raise _wrong(path, node, wanted)
    name, value = items[0]
    if name == "union":
        return _union(path, value)
    if name == "score_sum":
        return _score_sum(path, value)
    _found(path, node, name)  # a wrong name first
    wanted = f"the parameters of {name} are written {{name: value, ...}}."
    empty = isinstance(value, yaml.ScalarNode) and value.tag.endswith("null")
    return _estimator(path, node, name, {} if empty else dict(_items(path, value, wanted)))


def _union(path: Path, node: yaml.Node) -> FeatureUnion:
    branches = [
        built[0] if len(built) == 1 else make_pipeline(*built)
        for _, built in _branches(path, node, "a union")
    ]
    return FeatureUnion(list(named_stages(branches).items()))


def _score_sum(path: Path, node: yaml.Node) -> ScoreSum:
    """Build a sum of the scores of pipelines, each of image stages and a classifier."""
    pipelines = []
    for nodes, built in _branches(path, node, "a score_sum"):
        count = _stage_count(path, nodes, built)
        _check_order(path, nodes, built)
        if not hasattr(built[-1], "decision_function"):
            name = type(built[-1]).__name__
            raise _wrong(path, nodes[-1], f"{name} gives no scores, and is to end a score_sum.")
        pipelines.append(make_pipeline(Stream(built[:count]), *built[count:]))
    names = named_stages([pipeline[0].stages[0] for pipeline in pipelines])
    return ScoreSum(list(zip(names, pipelines, strict=True)))


def _branches(path: Path, node: yaml.Node, what: str) -> Iterator[tuple[list[yaml.Node], Any]]:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) < 2:
        raise _wrong(path, node, f"{what} is a list of two or more branches.")
    for branch in node.value:
        steps = branch.value if isinstance(branch, yaml.SequenceNode) else [branch]
        if not steps:
            raise _wrong(path, branch, f"a branch of {what} has one step at least.")
        yield steps, [_step(path, step) for step in steps]


def _stage_count(path: Path, nodes: list[yaml.Node], steps: list[Any]) -> int:
    """Count the image stages with which steps begin."""
    count = next((i for i, step in enumerate(steps) if not _is_stage(step)), len(steps))
    if count == 0:
        raise _wrong(path, nodes[0], "the first step must be a stage, such as ReadImages.")
    return count


def _found(path: Path, node: yaml.Node, name: str) -> Any:
    """Return the class of this name, if a recipe may name it."""
    try:
        return registry.find(name)
    except (LookupError, FeatxError) as error:
        raise _wrong(path, node, str(error)) from error


def _estimator(path: Path, node: yaml.Node, name: str, values: dict[str, yaml.Node]) -> Any:
    made = _found(path, node, name)
    known = [*inspect.signature(made).parameters]
    for key, value in values.items():
        if key not in known:
            hint = nearest(key, known) if known else "It has none."
            raise _wrong(path, value, f"{name} has no parameter {key!r}. {hint}")
        if key in _WRITTEN:
            problem = f"{name}: {key!r} names a file to be written, which a recipe may not do."
            raise _wrong(path, value, f"{problem} Set it in Python.")
    parameters = {key: _plain(path, value) for key, value in values.items()}
    try:
        estimator = made(**parameters)
        validate(made._parameter_constraints, estimator.get_params(deep=False), name)
        if isinstance(estimator, ImageStage):
            estimator.check_parameters()
        else:
            check_bounds(name, parameters)
    except (InvalidParameterError, TypeError, ValueError) as error:
        problem = str(error)
        if len(problem) > _LONGEST_LINE:
            problem = f"{problem[: _LONGEST_LINE // 2]} ... {problem[-_LONGEST_LINE // 2 :]}"
        raise _wrong(path, node, problem) from None
    return estimator


def _check_order(path: Path, nodes: list[yaml.Node], steps: list[Any]) -> None:
    """Check that each step can take what the one before it gives."""
    for node, step in zip(nodes, steps, strict=True):
        for _, branch in step.transformer_list if isinstance(step, FeatureUnion) else []:
            inner = [one for _, one in branch.steps] if isinstance(branch, Pipeline) else [branch]
            _check_order(path, [node] * len(inner), inner)
            _check_transforms(path, node, inner[-1])
    for node, step, node_after, after in zip(nodes, steps, nodes[1:], steps[1:], strict=False):
        _check_transforms(path, node, step)
        for one in _edges(step, last=True):
            for other in _edges(after, last=False):
                _check_pair(path, node_after, one, other)


def _check_transforms(path: Path, node: yaml.Node, step: Any) -> None:
    if not hasattr(step, "transform"):
        name = type(step).__name__
        raise _wrong(path, node, f"{name} gives no features, so it must be the last step.")


def _check_pair(path: Path, node: yaml.Node, before: Any, step: Any) -> None:
    if isinstance(step, ScoreSum):
        for _, pipeline in step.pipelines:
            _check_pair(path, node, before, pipeline[0].stages[0])
        return
    gives = before.output_kind if isinstance(before, ImageStage) else "vectors"
    takes = step.input_kind if isinstance(step, ImageStage) else "vectors"
    name, name_before = type(step).__name__, type(before).__name__
    if takes == "paths":
        raise _wrong(path, node, f"{name} takes paths, so it must be the first step.")
    alike = [{"pixels", "maps"}, {"signals"}, {"descriptors"}, {"vectors"}]
    if not any({gives, takes} <= kinds for kinds in alike):
        problem = f"{name} takes {takes}, but {name_before} before it gives {gives}."
        signals = gives == "signals" and isinstance(step, ImageStage)
        raise _wrong(
            path, node, problem + (signals_hint(step.check_parameters()) if signals else "")
        )
    rates = getattr(before, "rate", None), getattr(step, "rate", None)
    if None not in rates and rates[0] != rates[1]:
        raise _wrong(
            path,
            node,
            f"{name} is for {rates[1]} samples a second, but {name_before} gives {rates[0]}.",
        )


def _edges(step: Any, last: bool) -> list[Any]:
    """List the stages with which a step begins, or ends."""
    if isinstance(step, FeatureUnion):
        return [edge for _, branch in step.transformer_list for edge in _edges(branch, last)]
    if isinstance(step, Pipeline):
        return _edges(step.steps[-1 if last else 0][1], last)
    return [step]


def _is_stage(step: Any) -> bool:
    # A network learns from labels, as classifiers do, and stands among them.
    return isinstance(step, ImageStage | FeatureUnion) and not hasattr(step, "predict")


def _wrong(path: Path, node: Any, problem: str) -> RecipeError:
    return RecipeError(f"{path}:{node.start_mark.line + 1}: {problem}")
