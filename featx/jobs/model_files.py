"""Fitted pipelines in skops files."""

import inspect
import json
from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

import featx
from featx.core.errors import ModelError
from featx.io.formats import check_format, parameter_problems, stamp, version_of
from featx.io.writing import new_file
from featx.pipeline import registry
from featx.pipeline.stream import Stream

#: The format that `save_model` writes; `load_model` reads it and all before it.
FORMAT = 1
# In it a model file names the format and the version of featx that wrote it.
_ABOUT = "featx.json"
_MOST_BYTES = 10_000


def save_model(pipeline: Pipeline, file: str | Path) -> None:
    """Write a fitted pipeline to a skops file.

    The file names the version of featx and a format number, and featx's stages by their public
    names, such as ``featx.HOG``: later versions read it.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        A `Stream` of stages, then other steps, the last of which is a fitted classifier. Stages
        of your own must be defined at the top level of a module.
    file : str or Path
        The file, such as ``model.skops``.

    Raises
    ------
    ModelError
        If the pipeline holds anything that could not be loaded again.

    See Also
    --------
    load_model : Loads the file.
    """
    # It loads torch where that is installed, which takes seconds; most work needs no file of it.
    import skops.io

    try:
        content = skops.io.dumps(pipeline)
        unknown = set(skops.io.get_untrusted_types(data=content))
    # skops raises whatever an object that it does not know makes it stumble over.
    except Exception as error:
        raise _not_kept([type(error).__name__]) from error
    with ZipFile(BytesIO(content)) as source:
        schema = json.loads(source.read("schema.json"))
        names = {_name(node): _rename(node) for node in _nodes(schema)}
        unknown = {names.get(name, name) for name in unknown}
        own = {name for name in unknown - _known() if _is_estimator(name)}
        if refused := unknown - _known() - own:
            raise _not_kept(sorted(refused))
        if problem := _parameter_problem(schema, own):
            raise ModelError(
                f"The fitted model cannot be kept in a file: {problem}. Store each parameter of "
                "__init__ under its own name, and end the names of what is learned with _."
            )
        with new_file(file) as unfinished, ZipFile(unfinished, "w") as target:
            target.writestr(_ABOUT, json.dumps(stamp(FORMAT)))
            for member in source.infolist():
                whole = member.filename != "schema.json"
                target.writestr(member, source.read(member) if whole else json.dumps(schema))


def load_model(file: str | Path, trusted: Iterable[str | type] | None = None) -> Pipeline:
    """Load a fitted pipeline from a skops file.

    Only featx's stages, the estimators that recipes may name, and stages that you trust are
    loaded. Nothing of the file is executed before its types have been checked.

    Parameters
    ----------
    file : str or Path
        A file that `save_model` or ``featx train`` wrote.
    trusted : iterable of str or class, optional
        Stages and estimators of others that the file may hold, such as ``"mypackage.MyStage"``;
        their modules are imported.

    Returns
    -------
    sklearn.pipeline.Pipeline
        The fitted pipeline.

    Raises
    ------
    ModelError
        If there is no such file, it is no model, it holds types that are not trusted, or it does
        not fit this version of featx or the code of a stage.

    Examples
    --------
    >>> from featx import load_model
    >>> load_model("no-such-file.skops")
    Traceback (most recent call last):
    featx.core.errors.ModelError: no-such-file.skops: there is no such file.
    """
    if not Path(file).is_file():
        raise ModelError(f"{file}: there is no such file.")
    import skops.io

    try:
        about, schema = _read(file)
        check_format(file, about, FORMAT, ModelError)
        unknown = set(skops.io.get_untrusted_types(file=file)) - _known()
        admitted = _check_types(file, about, schema, unknown, _as_names(trusted))
        if problem := _parameter_problem(schema, {*_stages(), *admitted}):
            raise _misfit(file, about, problem)
        model = skops.io.load(file, trusted=sorted(_known() | admitted))
    except ModelError:
        raise
    # skops raises whatever a broken archive makes it stumble over.
    except Exception as error:
        raise ModelError(f"{_not_ours(file)} ({error}).") from error
    if not isinstance(model, Pipeline):
        raise ModelError(f"{_not_ours(file)}, but {type(model).__name__}.")
    if not model.steps or not isinstance(model[0], Stream) or not hasattr(model, "classes_"):
        raise ModelError(f"{_not_ours(file)}, but another pipeline.")
    return model


def _read(file: str | Path) -> tuple[dict[str, Any], Any]:
    """Read what a file says of itself, and the tree of its types."""
    with ZipFile(file) as archive:
        if archive.getinfo(_ABOUT).file_size > _MOST_BYTES:
            raise ValueError(f"{_ABOUT} has more than {_MOST_BYTES} bytes")
        about = json.loads(archive.read(_ABOUT))
        if not isinstance(about, dict) or type(about.get("format")) is not int:
            raise ValueError(f"{_ABOUT} has no format number")
        newer = about["format"] > FORMAT
        return about, None if newer else json.loads(archive.read("schema.json"))


def _check_types(
    file: str | Path, about: dict[str, Any], schema: Any, unknown: set[str], trusted: set[str]
) -> set[str]:
    """Raise unless all unknown types of a file are trusted and can be imported; return them."""
    objects = {_name(node) for node in _nodes(schema) if node.get("__loader__") == "ObjectNode"}
    if gone := sorted(filter(_is_public, unknown & objects)):
        raise _misfit(file, about, f"it holds {', '.join(gone)}, which this featx does not have")
    own = {name for name in unknown if name in objects and not name.startswith("featx.")}
    if foreign := sorted(unknown - own - trusted):
        raise ModelError(
            f"{file}: not loaded, since it asks for what is no part of featx: {', '.join(foreign)}."
        )
    if untrusted := sorted(unknown - trusted):
        modules = sorted({name.rpartition(".")[0] for name in untrusted})
        plugins = " ".join(f"--plugin {module}" for module in modules)
        raise ModelError(
            f"{file}: not loaded, since it holds {', '.join(untrusted)}, which featx does not "
            f"know. If you trust their code: load_model(file, trusted={untrusted!r}), or "
            f"{plugins} on the command line."
        )
    for name in sorted(unknown):
        _import_trusted(file, about, name)
    return unknown


def _import_trusted(file: str | Path, about: dict[str, Any], name: str) -> None:
    """Import a class that is trusted; raise unless it is a stage or an estimator."""
    module, _, kind = name.rpartition(".")
    try:
        import_module(module)
    except Exception as error:  # a module can raise anything
        raise ModelError(
            f"{file}: not loaded, since {module} cannot be imported ({type(error).__name__}: "
            f"{error}), from which it needs {kind}. Install it, or add its folder to sys.path."
        ) from error
    if not _is_estimator(name):
        raise _misfit(file, about, f"it holds {name}, which is neither stage nor estimator")


def _parameter_problem(schema: Any, names: Collection[str]) -> str:
    """Return which stored parameters of these classes are not those of their ``__init__``."""
    problems = set()
    for node in _nodes(schema):
        name = _name(node)
        if node.get("__loader__") != "ObjectNode" or name not in names:
            continue
        kind, content = _class(name), node.get("content")
        stored = set(content["content"] if content else ())
        known = set(inspect.signature(kind).parameters)
        # What is learned ends with an underscore, and a property stores under another name.
        plain = [key for key in stored if key in known or (key[:1] != "_" and key[-1:] != "_")]
        derived = [key for key in known if isinstance(getattr(kind, key, None), property)]
        problems.update(parameter_problems(name, [*plain, *derived], known))
    return " and ".join(sorted(problems))


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a skops tree, each of which names the type of a value."""
    waiting = [schema]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("__class__"), str) and isinstance(value["__module__"], str):
                yield value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value


def _name(node: dict[str, Any]) -> str:
    return f"{node['__module__']}.{node['__class__']}"


def _rename(node: dict[str, Any]) -> str:
    """Give a node the public name of its type, and return it."""
    module, name = node["__module__"], node["__class__"]
    if module.startswith("featx."):
        kind = getattr(import_module(module), name, None)
        if isinstance(kind, type) and registry.public_name(kind) == f"featx.{name}":
            node["__module__"] = "featx"
    return _name(node)


def _class(name: str) -> Any:
    module, _, kind = name.rpartition(".")
    return getattr(import_module(module), kind, None)


def _is_estimator(name: str) -> bool:
    """Return whether a name is that of a stage or an estimator which can be found by it."""
    try:
        kind = _class(name)
    except ImportError:
        return False
    return isinstance(kind, type) and issubclass(kind, BaseEstimator)


def _is_public(name: str) -> bool:
    return name.startswith("featx.") and name.count(".") == 1


def _as_names(trusted: Iterable[str | type] | None) -> set[str]:
    if isinstance(trusted, str | type):
        trusted = [trusted]
    return {one if isinstance(one, str) else registry.public_name(one) for one in trusted or []}


def _not_kept(names: list[str]) -> ModelError:
    return ModelError(
        f"The fitted model cannot be kept in a file ({', '.join(names)}). Give its last steps "
        "other parameters; define stages of your own at the top level of a module."
    )


def _misfit(file: str | Path, about: dict[str, Any], problem: str) -> ModelError:
    return ModelError(
        f"{file}: not loaded: {problem}. It was written by featx {version_of(about)}, and "
        f"this is featx {featx.__version__}. Load it with the versions that wrote it, or train it "
        "again."
    )


def _not_ours(file: str | Path) -> str:
    return f"{file}: not a model that featx train wrote"


#: What estimators that recipes may name are made of, and skops does not know.
_PARTS_OF_ESTIMATORS = {
    f"sklearn.{module}.{name}"
    for module, listed in {
        "calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
        "ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "feature_selection._univariate_selection": "f_classif",
        # PyFuncDistance64 calls any function, and is none of them.
        "metrics._dist_metrics": "BrayCurtisDistance64 CanberraDistance64 ChebyshevDistance64 "
        "EuclideanDistance64 HammingDistance64 ManhattanDistance64 MinkowskiDistance64",
        "neighbors._ball_tree": "BallTree",
        "neighbors._kd_tree": "KDTree",
        "neural_network._stochastic_optimizers": "AdamOptimizer SGDOptimizer",
        "tree._tree": "Tree",
    }.items()
    for name in listed.split()
}


def _stages() -> set[str]:
    """List the public names of what featx itself puts into a model."""
    classifiers = [
        name for name, module in registry.ESTIMATORS.items() if module.startswith("featx.")
    ]
    return {
        f"featx.{name}" for name in (*registry.stage_names(), *classifiers, "Stream", "ScoreSum")
    }


def _known() -> set[str]:
    """List the types that a model may hold, beside those that skops itself trusts."""
    return _PARTS_OF_ESTIMATORS | _stages()
