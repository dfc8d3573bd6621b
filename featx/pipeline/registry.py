"""Registry of stages and estimators: those of featx, of the user and of installed packages."""

import ast
import os
import sys
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

import featx
from featx.core.errors import InputError, PluginError
from featx.core.stage import ImageStage
from featx.core.suggestions import nearest

Stage = TypeVar("Stage", bound=type)

#: Estimators that recipes may contain besides stages, with their modules.
ESTIMATORS = {
    name: module
    for module, listed in {
        "featx.classifiers.kernel_map": "KernelMap",
        "featx.classifiers.gram": "GramLDA GramSVC",
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
#: Entry-point group in which installed packages declare their stages.
GROUP = "featx.stages"
#: Keywords for steps that combine branches.
COMBINATIONS = ("union", "score_sum")
#: Modules and packages whose public names are stages, ...
_HOMES = ("io.images", "io.audio", "filters", "descriptors", "encoders", "networks")
#: ... except these names.
_NO_STAGES = ("FeedForwardNetwork",)

_registered: dict[str, type] = {}


def register_stage(stage: Stage) -> Stage:
    """Register a stage for use in recipes. Works as a class decorator.

    A recipe refers to the stage by its class name. Files written by featx refer to it by module
    and class, such as ``mypackage.MyStage``. Registering a class of the same module and name
    again, as on a reload, replaces it.

    An installed package can declare its stages in the entry-point group ``featx.stages`` instead.
    They are imported when a recipe uses them.

    Parameters
    ----------
    stage : class
        A subclass of `ImageStage`.

    Returns
    -------
    class
        The same class.

    Raises
    ------
    InputError
        If it is not a subclass of `ImageStage`, or its name is already in use.

    Examples
    --------
    In your own module or a notebook::

        from featx import ImageStage, register_stage

        @register_stage
        class Invert(ImageStage):
            def _transform_one(self, image):
                return 1 - image
    """
    if not isinstance(stage, type):
        raise InputError(f"register_stage: stage must be a class, got {stage!r}.")
    _register(stage.__name__, stage)
    return stage


def _register(name: str, stage: Any) -> None:
    where = f"register_stage: {name}"
    if not name.isidentifier():
        raise InputError(f"{where}: not a valid class name. Use letters, digits and _.")
    if not (isinstance(stage, type) and issubclass(stage, ImageStage)):
        raise InputError(f"{where}: not a stage. Derive the class from featx.ImageStage.")
    taken = None
    if name in stage_names():
        taken = "a stage of featx"
    elif name in ESTIMATORS:
        taken = "an estimator of recipes"
    elif name in COMBINATIONS:
        taken = "a keyword of recipes"
    elif name in _registered and public_name(_registered[name]) != public_name(stage):
        taken = public_name(_registered[name])
    if taken is not None:
        raise InputError(f"{where}: the name is already used by {taken}. Rename the class.")
    _registered[name] = stage


@cache
def stage_names() -> list[str]:
    """List the names of the stages of featx alphabetically, without importing them."""
    stub = ast.parse(Path(str(featx.__file__)).with_suffix(".pyi").read_text(encoding="utf-8"))
    names = [
        alias.asname or alias.name
        for statement in stub.body
        if isinstance(statement, ast.ImportFrom) and _is_home(statement.module or "")
        for alias in statement.names
    ]
    return sorted(name for name in names if name not in _NO_STAGES)


def _is_home(module: str) -> bool:
    return any(module == home or module.startswith(f"{home}.") for home in _HOMES)


def known_names() -> list[str]:
    """List all names that a recipe's step may have, without importing anything."""
    own = {*_registered, *(point.name for point in _entry_points())} - {*stage_names()}
    return [*stage_names(), *sorted(own), *sorted(ESTIMATORS), *COMBINATIONS]


def find(name: str) -> Any:
    """Return the class that a recipe refers to by name.

    Raises
    ------
    LookupError
        If the name is unknown; the message suggests the nearest name.
    InputError, PluginError
        If the stage of an installed package cannot be used.
    """
    if name in stage_names():
        return getattr(featx, name)
    if name in ESTIMATORS:
        return getattr(import_module(ESTIMATORS[name]), name)
    if name not in _registered:
        points = [point for point in _entry_points() if point.name == name]
        if not points:
            raise LookupError(
                f"unknown stage {name!r}. {nearest(name, known_names())} Import your own stages "
                "with --plugin MODULE."
            )
        _load(points)
    return _registered[name]


def _entry_points() -> list[EntryPoint]:
    """List the stages declared by installed packages under names valid in recipes."""
    return [point for point in entry_points(group=GROUP) if point.name.isidentifier()]


def _load(points: list[EntryPoint]) -> None:
    """Import and register a declared stage; raise unless the declaration is unique."""
    name, values = points[0].name, sorted({point.value for point in points})
    if len(values) > 1:
        raise PluginError(
            f"{name}: several installed packages declare this stage: {', '.join(values)}. "
            "Uninstall all but one."
        )
    try:
        stage = points[0].load()
    except Exception as error:  # a package's import can raise anything
        raise PluginError(
            f"{name}: cannot be imported from {values[0]} ({_named(error)}). Repair or uninstall "
            "the package."
        ) from error
    _register(name, stage)


def import_plugins(modules: Iterable[str]) -> list[str]:
    """Import modules that register stages, also from the current folder.

    Returns
    -------
    list of str
        The public names of all registered stages, which a model file may then contain.

    Raises
    ------
    PluginError
        If a module cannot be imported.
    """
    modules = [*modules]
    for module in modules:
        _import_plugin(module)
        below = [
            point
            for point in _entry_points()
            if point.module == module or point.module.startswith(f"{module}.")
        ]
        for point in below:
            if point.name not in _registered:
                _load([point])
    return sorted(map(public_name, _registered.values())) if modules else []


def _import_plugin(module: str) -> None:
    here = os.getcwd()
    # First, as with python -m; afterwards last, so that no file here shadows another module.
    sys.path.insert(0, here)
    try:
        import_module(module)
    except Exception as error:  # a module can raise anything
        raise PluginError(
            f"--plugin {module}: cannot be imported ({_named(error)}). Name a module that is "
            "installed or in the current folder, such as mypackage.stages."
        ) from error
    finally:
        sys.path.remove(here)
        if here not in sys.path:
            sys.path.append(here)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def public_name(stage: type) -> str:
    """Return the name of a class as written to files: ``featx.HOG``, or module and name."""
    name = stage.__qualname__
    if stage.__module__.startswith("featx.") and getattr(featx, name, None) is stage:
        return f"featx.{name}"
    return f"{stage.__module__}.{name}"
