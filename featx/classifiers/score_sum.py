"""Late fusion of the scores of several pipelines."""

from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from featx.core.constraints import Each, Interval, Options, natural, validate
from featx.core.errors import InputError

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class ScoreSum(ClassifierMixin, BaseEstimator):
    r"""Late fusion of scores: a weighted sum of the scores of several pipelines.

    Each pipeline :math:`p` has its own features and computes scores :math:`s_p` of the classes.
    The weights :math:`w_p \ge 0` maximize the likelihood of the training labels under
    :math:`\mathrm{softmax}(\sum_p w_p s_p)`. They are fitted on the scores of held-out images in
    an inner cross-validation of the classifiers.

    Parameters
    ----------
    pipelines : list of (str, Pipeline)
        Names and pipelines. Each pipeline is a `Stream` and a classifier with
        `decision_function`.
    folds : int, default=3
        Number of inner folds.
    random_state : int, default=0
        Random seed for the folds.
    n_jobs : int, default=None
        Number of threads of each stream. -1 uses all processors; None keeps each stream's
        setting.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    pipelines_ : list of Pipeline
        Fitted pipelines.
    weights_ : ndarray of shape (n_pipelines,)
        Weights of the pipelines, scaled to a mean of one.

    Notes
    -----
    Accepts paths or images, as the streams do. The streams are fitted once, on all images and
    without labels; only the classifiers are refitted in the inner folds. In a recipe, write
    ``score_sum:`` with a list of branches.

    References
    ----------
    .. [1] O. Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015.
       The team ISI ranked second in 2012 with a weighted sum of scores.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from featx import HOG, ColorSpace, ScoreSum, SpatialPyramid, Stream, make_scenes
    >>> edges = make_pipeline(Stream([HOG(pixels_per_cell=(16, 16))]), LinearSVC(C=0.01))
    >>> colors = make_pipeline(Stream([ColorSpace("ycbcr"), SpatialPyramid([4])]), LinearSVC())
    >>> scenes, labels = make_scenes(n=20, size=(64, 64), random_state=0)
    >>> both = ScoreSum([("edges", edges), ("colors", colors)]).fit(scenes, labels)
    >>> both.weights_.shape, both.decision_function(scenes).shape
    ((2,), (20, 2))
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pipelines": [Each(Each(object, length=2))],
        "folds": [Interval(Integral, 2, None, closed="left")],
        "random_state": [Interval(Integral, 0, None, closed="left")],
        "n_jobs": [natural, Options(Integral, {-1}), None],
    }

    def __init__(
        self,
        pipelines: list[tuple[str, Pipeline]],
        folds: int = 3,
        random_state: int = 0,
        n_jobs: int | None = None,
    ) -> None:
        self.pipelines = pipelines
        self.folds = folds
        self.random_state = random_state
        self.n_jobs = n_jobs

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the pipelines and the weights of their scores.

        Parameters
        ----------
        X : batch of images or paths
            Training images.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self
        """
        validate(self._parameter_constraints, self.get_params(deep=False), "ScoreSum")
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_, numbers = encoder.classes_, encoder.transform(y)
        rarest = int(np.bincount(numbers).min())
        if len(self.classes_) < 2 or rarest < self.folds:
            raise InputError(
                f"ScoreSum: {self.folds} inner folds require at least two classes of "
                f"{self.folds} images each, got {len(self.classes_)} classes, the rarest with "
                f"{rarest}."
            )
        divider = StratifiedKFold(self.folds, shuffle=True, random_state=self.random_state)
        self.pipelines_, self.n_features_in_, scores = [], 0, []
        for _, pipeline in self.pipelines:
            stream, classifier = clone(pipeline[0]), clone(pipeline[1:])
            if self.n_jobs is not None:
                stream.n_jobs = self.n_jobs
            vectors = stream.fit_transform(X)
            scores.append(
                cross_val_predict(
                    classifier, vectors, numbers, cv=divider, method="decision_function"
                )
            )
            classifier.fit(vectors, numbers)
            self.n_features_in_ += vectors.shape[1]
            self.pipelines_.append(Pipeline([("stream", stream), *classifier.steps]))
        self.weights_ = _likeliest_weights(np.stack([*map(_of_each_class, scores)]), numbers)
        return self

    def decision_function(self, X: Any) -> Float64:
        """Compute the weighted sum of the pipelines' scores.

        Parameters
        ----------
        X : batch of images or paths
            Images.

        Returns
        -------
        ndarray of shape (n, n_classes)
            Score of each class.
        """
        check_is_fitted(self, "weights_")
        scores = [_of_each_class(pipeline.decision_function(X)) for pipeline in self.pipelines_]
        return np.tensordot(self.weights_, np.stack(scores), axes=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the class with the highest score.

        Parameters
        ----------
        X : batch of images or paths
            Images.

        Returns
        -------
        ndarray of shape (n,)
            Predicted classes.
        """
        classes: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return classes


def _of_each_class(scores: Float64) -> Float64:
    """Expand the single score of two classes to one column per class."""
    return np.stack([-scores, scores], axis=1) / 2 if scores.ndim == 1 else scores


def _likeliest_weights(scores: Float64, numbers: NDArray[np.intp]) -> Float64:
    """Fit weights for scores (pipelines, images, classes) by maximum likelihood."""
    images = np.arange(len(numbers))

    def loss(weights: Float64) -> tuple[float, Float64]:
        logarithms = log_softmax(np.tensordot(weights, scores, axes=1), axis=1)
        excess = np.exp(logarithms)
        excess[images, numbers] -= 1
        gradient = np.tensordot(scores, excess, axes=2) / len(images)
        return float(-logarithms[images, numbers].mean()), gradient

    count = len(scores)
    found = minimize(loss, np.ones(count), jac=True, bounds=[(0, 100)] * count, method="L-BFGS-B")
    weights: Float64 = found.x
    # If no pipeline is informative, all weights are zero: use equal weights.
    return weights / weights.mean() if weights.any() else np.ones(count)
