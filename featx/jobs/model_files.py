"""Fitted pipelines in skops files."""

from pathlib import Path

from sklearn.pipeline import Pipeline

import featx
from featx.core.errors import ModelError
from featx.pipeline.stream import Stream


def save_model(pipeline: Pipeline, file: str | Path) -> None:
    """Write a fitted pipeline to a skops file.

    Raises
    ------
    ModelError
        If it holds anything that could not be loaded again.
    """
    # It loads torch where that is installed, which takes seconds; most work needs no file of it.
    import skops.io

    try:
        content = skops.io.dumps(pipeline)
        refused = sorted(set(skops.io.get_untrusted_types(data=content)) - _trusted())
    # skops raises whatever an object that it does not know makes it stumble over.
    except Exception as error:
        refused = [type(error).__name__]
    if refused:
        raise ModelError(
            f"The fitted model cannot be kept in a file ({', '.join(refused)}). Give its last "
            "steps other parameters."
        )
    Path(file).write_bytes(content)


def load_model(file: str | Path) -> Pipeline:
    """Load a fitted pipeline, if it holds nothing but stages and estimators.

    Raises
    ------
    ModelError
        If there is no such file, it is no model, or it asks for anything that is neither a public
        stage of featx nor an estimator that recipes may name.
    """
    if not Path(file).is_file():
        raise ModelError(f"{file}: there is no such file.")
    import skops.io

    not_ours = f"{file}: not a model that featx train wrote"
    try:
        unknown = set(skops.io.get_untrusted_types(file=file))
        if refused := sorted(unknown - _trusted()):
            raise ModelError(
                f"{file}: not loaded, since it asks for what is no part of featx: "
                f"{', '.join(refused)}."
            )
        model = skops.io.load(file, trusted=sorted(unknown))
    except ModelError:
        raise
    # skops raises whatever a broken archive makes it stumble over.
    except Exception as error:
        raise ModelError(f"{not_ours} ({error}).") from None
    if not isinstance(model, Pipeline):
        raise ModelError(f"{not_ours}, but {type(model).__name__}.")
    if not model.steps or not isinstance(model[0], Stream) or not hasattr(model, "classes_"):
        raise ModelError(f"{not_ours}, but another pipeline.")
    return model


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


def _trusted() -> set[str]:
    """List the types that a model may hold, beside those that skops itself trusts."""
    public = [getattr(featx, name) for name in dir(featx) if name[0].isupper()]
    return _PARTS_OF_ESTIMATORS | {f"{made.__module__}.{made.__qualname__}" for made in public}
