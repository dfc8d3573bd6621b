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

#: Format written by `save_model`; `load_model` reads this and all earlier formats.
FORMAT = 1
# Member of a model file that names the format and the version of featx that wrote it.
_ABOUT = "featx.json"
_MOST_BYTES = 10_000


def save_model(pipeline: Pipeline, file: str | Path) -> None:
    """Write a fitted pipeline to a skops file.

    The file contains the version of featx, a format number and the public names of the stages,
    such as ``featx.HOG``. Later versions of featx can read it.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        A `Stream` of stages, then other steps, ending with a fitted classifier. Your own stages
        must be defined at the top level of a module.
    file : str or Path
        File to write, such as ``model.skops``.

    Raises
    ------
    ModelError
        If the pipeline contains an object that could not be loaded again.

    See Also
    --------
    load_model : Load the file.
    """
    # skops imports torch if it is installed, which takes seconds.
    import skops.io

    try:
        content = skops.io.dumps(pipeline)
        unknown = set(skops.io.get_untrusted_types(data=content))
    # skops raises any exception for an object that it does not support.
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
                f"model: cannot be saved: {problem}. Store each parameter of __init__ under its "
                "own name, and end the names of learned attributes with _."
            )
        with new_file(file) as unfinished, ZipFile(unfinished, "w") as target:
            target.writestr(_ABOUT, json.dumps(stamp(FORMAT)))
            for member in source.infolist():
                whole = member.filename != "schema.json"
                target.writestr(member, source.read(member) if whole else json.dumps(schema))


def load_model(file: str | Path, trusted: Iterable[str | type] | None = None) -> Pipeline:
    """Load a fitted pipeline from a skops file.

    Only stages of featx, the estimators that recipes may name, and classes that you trust are
    loaded. All types are checked before any code of the file is executed.

    Parameters
    ----------
    file : str or Path
        File written by `save_model` or ``featx train``.
    trusted : iterable of str or class, optional
        Other stages and estimators that the file may contain, such as ``"mypackage.MyStage"``.
        Their modules are imported.

    Returns
    -------
    sklearn.pipeline.Pipeline
        The fitted pipeline.

    Raises
    ------
    ModelError
        If the file does not exist, is not a model, contains types that are not trusted, or does
        not match this version of featx or the code of a stage.

    Examples
    --------
    >>> from featx import load_model
    >>> load_model("no-such-file.skops")
    Traceback (most recent call last):
    featx.core.errors.ModelError: no-such-file.skops: no such file. Name one written by featx train.
    """
    if not Path(file).is_file():
        raise ModelError(f"{file}: no such file. Name one written by featx train.")
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
    # skops raises any exception for a damaged archive.
    except Exception as error:
        raise _not_ours(file, str(error)) from error
    if not isinstance(model, Pipeline):
        raise _not_ours(file, f"it contains {type(model).__name__}")
    if not model.steps or not isinstance(model[0], Stream) or not hasattr(model, "classes_"):
        raise _not_ours(file, "it contains another pipeline")
    return model


def _read(file: str | Path) -> tuple[dict[str, Any], Any]:
    """Read the version information of a model file, and the tree of its types."""
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
    """Return the unknown types of a file; raise unless all are trusted and can be imported."""
    objects = {_name(node) for node in _nodes(schema) if node.get("__loader__") == "ObjectNode"}
    if gone := sorted(filter(_is_public, unknown & objects)):
        raise _misfit(file, about, f"it contains {', '.join(gone)}, which this version lacks")
    own = {name for name in unknown if name in objects and not name.startswith("featx.")}
    if foreign := sorted(unknown - own - trusted):
        raise ModelError(
            f"{file}: not loaded: it contains {', '.join(foreign)}, which models may not. Load "
            "only models written by featx train."
        )
    if untrusted := sorted(unknown - trusted):
        modules = sorted({name.rpartition(".")[0] for name in untrusted})
        plugins = " ".join(f"--plugin {module}" for module in modules)
        raise ModelError(
            f"{file}: not loaded: it contains {', '.join(untrusted)}, which is not part of featx. "
            f"If you trust this code, use load_model(file, trusted={untrusted!r}), or {plugins} on "
            "the command line."
        )
    for name in sorted(unknown):
        _import_trusted(file, about, name)
    return unknown


def _import_trusted(file: str | Path, about: dict[str, Any], name: str) -> None:
    """Import a trusted class; raise unless it is a stage or an estimator."""
    module, _, kind = name.rpartition(".")
    try:
        import_module(module)
    except Exception as error:  # a module can raise anything
        raise ModelError(
            f"{file}: not loaded: it needs {kind} of {module}, which cannot be imported "
            f"({type(error).__name__}: {error}). Install it, or add its folder to sys.path."
        ) from error
    if not _is_estimator(name):
        raise _misfit(file, about, f"it contains {name}, which is neither a stage nor an estimator")


def _parameter_problem(schema: Any, names: Collection[str]) -> str:
    """Describe stored parameters of these classes that their ``__init__`` lacks, or the reverse."""
    problems = set()
    for node in _nodes(schema):
        name = _name(node)
        if node.get("__loader__") != "ObjectNode" or name not in names:
            continue
        kind, content = _class(name), node.get("content")
        stored = set(content["content"] if content else ())
        known = set(inspect.signature(kind).parameters)
        # Learned attributes end with an underscore; a property is stored under another name.
        plain = [key for key in stored if key in known or (key[:1] != "_" and key[-1:] != "_")]
        derived = [key for key in known if isinstance(getattr(kind, key, None), property)]
        problems.update(parameter_problems(name, [*plain, *derived], known))
    return " and ".join(sorted(problems))


def _nodes(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a skops tree; each names the type of a value."""
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
    """Replace the type of a node by its public name, and return the name."""
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
    """Return whether a name leads to a stage or an estimator."""
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
        f"model: cannot be saved ({', '.join(names)}). Use other parameters in its last steps; "
        "define your own stages at the top level of a module."
    )


def _misfit(file: str | Path, about: dict[str, Any], problem: str) -> ModelError:
    return ModelError(
        f"{file}: not loaded: {problem}. It was written by featx {version_of(about)}; this is "
        f"featx {featx.__version__}. Load it with the version that wrote it, or train it again."
    )


def _not_ours(file: str | Path, problem: str) -> ModelError:
    return ModelError(
        f"{file}: is not a model ({problem.rstrip('.')}). Name a file written by featx train."
    )


#: Parts of the estimators that recipes may name, which skops does not trust by itself.
_PARTS_OF_ESTIMATORS = {
    f"sklearn.{module}.{name}"
    for module, listed in {
        "calibration": "_CalibratedClassifier _SigmoidCalibration _TemperatureScaling",
        "ensemble._hist_gradient_boosting.predictor": "TreePredictor",
        "feature_selection._univariate_selection": "f_classif",
        # PyFuncDistance64 is left out: it calls any function.
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
    """Return the public names of featx's own classes in models."""
    classifiers = [
        name for name, module in registry.ESTIMATORS.items() if module.startswith("featx.")
    ]
    return {
        f"featx.{name}" for name in (*registry.stage_names(), *classifiers, "Stream", "ScoreSum")
    }


def _known() -> set[str]:
    """Return the types that a model may contain, besides those trusted by skops."""
    return _PARTS_OF_ESTIMATORS | _stages()
