"""Recipes: pipelines as data, which name public stages and scikit-learn estimators only."""

import hashlib
import inspect
import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import yaml
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline

import featx
from featx import bundled
from featx.constraints import InvalidParameterError, validate
from featx.stage import ImageStage
from featx.stream import Stream, named_stages

#: The estimators of scikit-learn that a recipe may name, by module.
ESTIMATORS = {
    name: module
    for module, listed in {
        "sklearn.calibration": "CalibratedClassifierCV",
        "sklearn.decomposition": "PCA TruncatedSVD",
        "sklearn.discriminant_analysis": "LinearDiscriminantAnalysis QuadraticDiscriminantAnalysis",
        "sklearn.dummy": "DummyClassifier",
        "sklearn.ensemble": "ExtraTreesClassifier HistGradientBoostingClassifier "
        "RandomForestClassifier",
        "sklearn.feature_selection": "SelectKBest VarianceThreshold",
        "sklearn.kernel_approximation": "AdditiveChi2Sampler Nystroem RBFSampler SkewedChi2Sampler",
        "sklearn.linear_model": "LogisticRegression LogisticRegressionCV RidgeClassifier "
        "RidgeClassifierCV SGDClassifier",
        "sklearn.naive_bayes": "BernoulliNB GaussianNB MultinomialNB",
        "sklearn.neighbors": "KNeighborsClassifier NearestCentroid",
        "sklearn.neural_network": "MLPClassifier",
        "sklearn.preprocessing": "MaxAbsScaler MinMaxScaler Normalizer PolynomialFeatures "
        "PowerTransformer QuantileTransformer RobustScaler StandardScaler",
        "sklearn.svm": "LinearSVC NuSVC SVC",
        "sklearn.tree": "DecisionTreeClassifier",
    }.items()
    for name in listed.split()
}
_LARGEST = 1_000_000  # bytes; recipes are short, and what is longer is no recipe


class RecipeError(ValueError):
    """A recipe that cannot be used: says the file, the line and what would be right."""


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
    if path.stat().st_size > _LARGEST:
        raise RecipeError(f"{path}: larger than a recipe may be ({_LARGEST} bytes).")
    fields = _fields(path, _compose(path))
    steps = fields.get("steps")
    if not isinstance(steps, yaml.SequenceNode) or not steps.value:
        raise RecipeError(f"{path}: 'steps' must be a list of one step at least.")
    built = [_step(path, step) for step in steps.value]
    count = next((i for i, step in enumerate(built) if not _is_stage(step)), len(built))
    if count == 0:
        raise _wrong(path, steps.value[0], "the first step must be a stage, such as ReadImages.")
    return Recipe(
        name=path.stem,
        title=_text(path, fields, "title"),
        source=_text(path, fields, "source"),
        path=path,
        steps=yaml.SafeLoader("").construct_object(steps, deep=True),
        pipeline=make_pipeline(Stream(built[:count]), *built[count:]),
    )


def find_recipe(recipe: str | Path) -> Path:
    """Find the file of a recipe, by its name or its path."""
    path = bundled.find("pipelines", str(recipe)) or Path(recipe)
    if not path.is_file():
        hint = bundled.nearest(str(recipe), bundled.names("pipelines"))
        raise RecipeError(f"{recipe}: no recipe of this name, and no such file. {hint}")
    return path


def stage_names() -> list[str]:
    """List the public stages; only the names, without loading them."""
    return [name for name in featx.__dir__() if name[0].isupper() and name != "Stream"]


def _compose(path: Path) -> yaml.Node:
    """Parse YAML to nodes, which know their lines; aliases could explode and are refused."""
    try:
        text = path.read_text(encoding="utf-8")
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                raise _wrong(path, event, f"aliases (*{event.anchor}) are not allowed.")
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else f"{path}"
        problem = getattr(error, "problem", None) or str(error)
        raise RecipeError(f"{where}: not valid YAML: {problem}.") from None
    if node is None:
        raise RecipeError(f"{path}: empty. A recipe has title, source and steps.")
    return node


def _fields(path: Path, node: yaml.Node) -> dict[str, yaml.Node]:
    known = ["title", "source", "steps"]
    fields = dict(_items(path, node, "a recipe has title, source and steps."))
    for key, value in fields.items():
        if key not in known:
            raise _wrong(path, value, f"unknown field {key!r}. {bundled.nearest(key, known)}")
    return fields


def _text(path: Path, fields: dict[str, yaml.Node], name: str) -> str:
    node = fields.get(name)
    if not isinstance(node, yaml.ScalarNode) or not node.value:
        raise RecipeError(f"{path}: {name!r} is missing: a line of text is wanted.")
    return str(node.value)


def _items(path: Path, node: yaml.Node, wanted: str) -> Iterator[tuple[str, yaml.Node]]:
    if not isinstance(node, yaml.MappingNode):
        raise _wrong(path, node, wanted)
    seen = set()
    for key, value in node.value:
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
    wanted = f"the parameters of {name} are written {{name: value, ...}}."
    empty = isinstance(value, yaml.ScalarNode) and value.tag.endswith("null")
    return _estimator(path, node, name, {} if empty else dict(_items(path, value, wanted)))


def _union(path: Path, node: yaml.Node) -> FeatureUnion:
    if not isinstance(node, yaml.SequenceNode) or len(node.value) < 2:
        raise _wrong(path, node, "a union is a list of two or more branches.")
    branches = []
    for branch in node.value:
        steps = branch.value if isinstance(branch, yaml.SequenceNode) else [branch]
        built = [_step(path, step) for step in steps]
        branches.append(built[0] if len(built) == 1 else make_pipeline(*built))
    return FeatureUnion(list(named_stages(branches).items()))


def _estimator(path: Path, node: yaml.Node, name: str, values: dict[str, yaml.Node]) -> Any:
    stages = stage_names()
    if name in stages:
        made: Any = getattr(featx, name)
    elif name in ESTIMATORS:
        made = getattr(import_module(ESTIMATORS[name]), name)
    else:
        hint = bundled.nearest(name, [*stages, *sorted(ESTIMATORS), "union"])
        raise _wrong(path, node, f"there is no stage {name!r}. {hint}")
    known = [key for key in inspect.signature(made.__init__).parameters if key != "self"]
    for key, value in values.items():
        if key not in known:
            hint = bundled.nearest(key, known) if known else "It has none."
            raise _wrong(path, value, f"{name} has no parameter {key!r}. {hint}")
    constructor = yaml.SafeLoader("")
    parameters = {
        key: constructor.construct_object(value, deep=True) for key, value in values.items()
    }
    try:
        estimator = made(**parameters)
        validate(made._parameter_constraints, estimator.get_params(deep=False), name)
        if isinstance(estimator, ImageStage):
            estimator._check_together()
    except (InvalidParameterError, TypeError, ValueError) as error:
        raise _wrong(path, node, str(error)) from None
    return estimator


def _is_stage(step: Any) -> bool:
    return isinstance(step, ImageStage | FeatureUnion)


def _wrong(path: Path, node: Any, problem: str) -> RecipeError:
    return RecipeError(f"{path}:{node.start_mark.line + 1}: {problem}")
