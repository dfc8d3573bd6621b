"""Recipes: pipelines in YAML files, restricted to registered stages and estimators."""

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

_LARGEST = 100_000  # bytes; bounds the cost of parsing an untrusted file
#: Parameters through which an untrusted recipe could overwrite a file.
_WRITTEN = ("checkpoint",)
_LONGEST_LINE = (
    1000  # characters of an error message; a parameter may be a list of thousands of numbers
)
_DEEPEST = 20  # levels of nesting; real recipes need a few


@dataclass(frozen=True)
class Recipe:
    """The checked content of a recipe file."""

    name: str
    title: str
    source: str
    path: Path
    #: The steps as plain data, the input of the digest.
    steps: list[Any]
    pipeline: Pipeline
    #: Accuracies in percent reported by the source, by the name of the classification task.
    published: dict[str, float]

    @property
    def digest(self) -> str:
        """Short hash of the steps and their parameters: equal for equal features."""
        canonical = json.dumps(self.steps, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def load_recipe(recipe: str | Path) -> Pipeline:
    """Load a recipe as an unfitted scikit-learn pipeline.

    Parameters
    ----------
    recipe : str or Path
        The name of a bundled recipe, or the path of a YAML file.

    Returns
    -------
    sklearn.pipeline.Pipeline
        A `Stream` of the recipe's image stages, followed by the other steps. Its input is paths or
        images.

    Raises
    ------
    RecipeError
        If the recipe does not exist or is invalid. The whole recipe is checked.

    Examples
    --------
    >>> from featx import load_recipe
    >>> load_recipe("vertical-lines").steps[-1]
    ('logisticregression', LogisticRegression())
    """
    return read_recipe(recipe).pipeline


def read_recipe(recipe: str | Path) -> Recipe:
    """Read and check a recipe, including its title and source; see `load_recipe`."""
    path = find_recipe(recipe)
    fields = _fields(path, _compose(path))
    steps = fields.get("steps")
    if not isinstance(steps, yaml.SequenceNode) or not steps.value:
        raise RecipeError(f"{path}: 'steps' must be a list of at least one step.")
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
    """Return the file of a recipe given by name or path."""
    path = bundled.find("pipelines", str(recipe)) or Path(recipe)
    # Path.is_file raises an error for some names; os.path.isfile does not.
    if not os.path.isfile(path):
        hint = nearest(str(recipe), bundled.names("pipelines"))
        raise RecipeError(f"{recipe}: no such recipe or file. {hint}")
    return path


class _Loader(yaml.SafeLoader):
    """Safe YAML loader that parses 1e-3 as a number, as YAML 1.2 requires."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?(\d+\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+.0123456789"),
)


def _compose(path: Path) -> yaml.Node:
    """Parse YAML to nodes with line numbers. Raise on tags, aliases and excessive nesting."""
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise RecipeError(f"{path}: {error.strerror}.") from None
    if len(content) > _LARGEST:
        raise RecipeError(f"{path}: the file is too large. A recipe has at most {_LARGEST} bytes.")
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
                raise _wrong(
                    path, event, f"nested too deeply. A recipe has at most {_DEEPEST} levels."
                )
        node = yaml.compose(text, Loader=_Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        problem = " ".join((getattr(error, "problem", None) or str(error)).split())
        raise RecipeError(f"{where}: not valid YAML: {problem}.") from None
    if node is None:
        raise RecipeError(f"{path}: the file is empty. A recipe must have title, source and steps.")
    return node


def _plain(path: Path, node: yaml.Node) -> Any:
    """Convert a node to plain data."""
    try:
        return _Loader("").construct_object(node, deep=True)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error)
        raise _wrong(path, node, f"{problem}.") from None


def _fields(path: Path, node: yaml.Node) -> dict[str, yaml.Node]:
    known = ["title", "source", "published", "steps"]
    fields = dict(_items(path, node, "a recipe must be a mapping with title, source and steps."))
    for key, value in fields.items():
        if key not in known:
            raise _wrong(path, value, f"unknown field {key!r}. {nearest(key, known)}")
    return fields


def _text(path: Path, fields: dict[str, yaml.Node], name: str) -> str:
    node = fields.get(name)
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise RecipeError(f"{path}: {name!r} must be a line of text.")
    return str(node.value)


def _published(path: Path, node: yaml.Node | None) -> dict[str, float]:
    if node is None:
        return {}
    wanted = "'published' must map tasks to accuracies in percent, such as {fifteen scenes: 81.4}."
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
            raise _wrong(path, key, f"duplicate key {key.value!r}.")
        seen.add(key.value)
        yield key.value, value


def _step(path: Path, node: yaml.Node) -> Any:
    """Build one step: ``Name``, ``Name: {parameter: value}`` or ``union: [branch, branch]``."""
    if isinstance(node, yaml.ScalarNode):
        return _estimator(path, node, str(node.value), {})
    wanted = "a step must be a name, or a name with parameters: 'Sobel: {axis: vertical}'."
    items = list(_items(path, node, wanted))
    if len(items) != 1:
        raise _wrong(path, node, wanted)
    name, value = items[0]
    if name == "union":
        return _union(path, value)
    if name == "score_sum":
        return _score_sum(path, value)
    _found(path, node, name)  # report a wrong name before wrong parameters
    wanted = f"the parameters of {name} must be a mapping: {{name: value, ...}}."
    empty = isinstance(value, yaml.ScalarNode) and value.tag.endswith("null")
    return _estimator(path, node, name, {} if empty else dict(_items(path, value, wanted)))


def _union(path: Path, node: yaml.Node) -> FeatureUnion:
    branches = [
        built[0] if len(built) == 1 else make_pipeline(*built)
        for _, built in _branches(path, node, "a union")
    ]
    return FeatureUnion(list(named_stages(branches).items()))


def _score_sum(path: Path, node: yaml.Node) -> ScoreSum:
    """Build a late fusion of pipelines, each of image stages and a classifier."""
    pipelines = []
    for nodes, built in _branches(path, node, "a score_sum"):
        count = _stage_count(path, nodes, built)
        _check_order(path, nodes, built)
        if not hasattr(built[-1], "decision_function"):
            name = type(built[-1]).__name__
            problem = f"{name} has no decision_function. End each branch of score_sum with a "
            raise _wrong(path, nodes[-1], problem + "classifier that has one.")
        pipelines.append(make_pipeline(Stream(built[:count]), *built[count:]))
    names = named_stages([pipeline[0].stages[0] for pipeline in pipelines])
    return ScoreSum(list(zip(names, pipelines, strict=True)))


def _branches(path: Path, node: yaml.Node, owner: str) -> Iterator[tuple[list[yaml.Node], Any]]:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) < 2:
        raise _wrong(path, node, f"{owner} must be a list of at least two branches.")
    for branch in node.value:
        steps = branch.value if isinstance(branch, yaml.SequenceNode) else [branch]
        if not steps:
            raise _wrong(path, branch, f"a branch of {owner} must have at least one step.")
        yield steps, [_step(path, step) for step in steps]


def _stage_count(path: Path, nodes: list[yaml.Node], steps: list[Any]) -> int:
    """Count the image stages before the first other step."""
    count = next((i for i, step in enumerate(steps) if not _is_stage(step)), len(steps))
    if count == 0:
        raise _wrong(path, nodes[0], "the first step must be a stage, such as ReadImages.")
    return count


def _found(path: Path, node: yaml.Node, name: str) -> Any:
    """Return the class that a recipe refers to by name."""
    try:
        return registry.find(name)
    except (LookupError, FeatxError) as error:
        raise _wrong(path, node, str(error)) from error


def _estimator(path: Path, node: yaml.Node, name: str, values: dict[str, yaml.Node]) -> Any:
    made = _found(path, node, name)
    known = [*inspect.signature(made).parameters]
    for key, value in values.items():
        if key not in known:
            hint = nearest(key, known) if known else "It has no parameters."
            raise _wrong(path, value, f"{name} has no parameter {key!r}. {hint}")
        if key in _WRITTEN:
            problem = f"{name}: {key!r} is not allowed in a recipe, since it writes a file."
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
    """Check that each step accepts the output of the step before it."""
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
        raise _wrong(path, node, f"{name} is not a transformer, so it must be the last step.")


def _check_pair(path: Path, node: yaml.Node, before: Any, step: Any) -> None:
    if isinstance(step, ScoreSum):
        for _, pipeline in step.pipelines:
            _check_pair(path, node, before, pipeline[0].stages[0])
        return
    provided = before.output_kind if isinstance(before, ImageStage) else "vectors"
    required = step.input_kind if isinstance(step, ImageStage) else "vectors"
    name, name_before = type(step).__name__, type(before).__name__
    if required == "paths":
        raise _wrong(path, node, f"{name} reads paths, so it must be the first step.")
    alike = [{"pixels", "maps"}, {"signals"}, {"descriptors"}, {"vectors"}]
    if not any({provided, required} <= kinds for kinds in alike):
        problem = f"{name} requires {required}, but {name_before} outputs {provided}."
        signals = provided == "signals" and isinstance(step, ImageStage)
        raise _wrong(
            path, node, problem + (signals_hint(step.check_parameters()) if signals else "")
        )
    rates = getattr(before, "rate", None), getattr(step, "rate", None)
    if None not in rates and rates[0] != rates[1]:
        raise _wrong(
            path,
            node,
            f"{name} has rate={rates[1]}, but {name_before} has rate={rates[0]}. Set equal rates.",
        )


def _edges(step: Any, last: bool) -> list[Any]:
    """List the first stages of a step, or the last ones if ``last`` is true."""
    if isinstance(step, FeatureUnion):
        return [edge for _, branch in step.transformer_list for edge in _edges(branch, last)]
    if isinstance(step, Pipeline):
        return _edges(step.steps[-1 if last else 0][1], last)
    return [step]


def _is_stage(step: Any) -> bool:
    # A network is trained on labels: it belongs to the steps after the Stream.
    return isinstance(step, ImageStage | FeatureUnion) and not hasattr(step, "predict")


def _wrong(path: Path, node: Any, problem: str) -> RecipeError:
    return RecipeError(f"{path}:{node.start_mark.line + 1}: {problem}")
