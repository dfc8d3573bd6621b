"""What the classifiers of the literature need and scikit-learn has not: maps and sums."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import LabelEncoder
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from featx.core.constraints import Each, Interval, Options, StrOptions, natural, positive, validate

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]


class KernelMap(TransformerMixin, BaseEstimator):
    r"""Vectors whose inner products are, or come near, an additive kernel of the given ones.

    An additive kernel is a sum :math:`K(x, y) = \sum_i k(x_i, y_i)` over the entries; with such a
    map before it, a linear classifier becomes one of that kernel. For :math:`x, y \ge 0`,

    - ``"hellinger"``: :math:`k(x, y) = \sqrt{xy}`;
    - ``"intersection"``: :math:`k(x, y) = \min(x, y)`;
    - ``"chi2"``: :math:`k(x, y) = 2xy / (x + y)`.

    Parameters
    ----------
    kernel : {"hellinger", "intersection", "chi2"}, default="hellinger"
        The kernel.
    order : int, default=1
        How many frequencies stand for the kernel: each entry becomes ``2 * order + 1``. The
        Hellinger kernel is exact with one entry, its square root, and needs none.
    interval : float, optional
        The distance between the frequencies; by default :math:`2\pi / L` with the period
        :math:`L = 2.38 \ln(n + 0.8) + 5.6` for the intersection kernel and
        :math:`5.86 \sqrt{n} + 3.65` for the other, at the order :math:`n`.

    Raises
    ------
    ValueError
        If an entry is negative and the kernel is not ``"hellinger"``, which takes
        :math:`\mathrm{sign}(x) \sqrt{|x|}` of any.

    Notes
    -----
    Takes and gives vectors (n, d), as float32. All entries' first numbers come first, then all
    entries' second numbers, and so on. The kernels are homogeneous, and so
    :math:`k(x, y) = \sqrt{xy} \int \cos(\lambda \ln(y / x)) \kappa(\lambda) d\lambda` with a
    spectrum :math:`\kappa`, :math:`2 / (\pi (1 + 4 \lambda^2))` and
    :math:`\mathrm{sech}(\pi \lambda)`; the map samples the integral [1]_. scikit-learn's
    `AdditiveChi2Sampler` is the same for ``"chi2"``.

    References
    ----------
    .. [1] A. Vedaldi and A. Zisserman, "Efficient Additive Kernels via Explicit Feature Maps",
       IEEE TPAMI 34(3), 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import KernelMap
    >>> KernelMap(kernel="hellinger").fit_transform(np.array([[0.25, -9.0]]))
    array([[ 0.5, -3. ]], dtype=float32)
    >>> x, y = KernelMap(kernel="chi2", order=3).fit_transform(np.array([[0.3], [0.2]]))
    >>> round(float(x @ y), 2)
    0.24
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "kernel": [StrOptions({"hellinger", "intersection", "chi2"})],
        "order": [natural],
        "interval": [positive, None],
    }

    def __init__(
        self, kernel: str = "hellinger", order: int = 1, interval: float | None = None
    ) -> None:
        self.kernel = kernel
        self.order = order
        self.interval = interval

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check the parameters and the vectors; there is nothing to learn.

        Parameters
        ----------
        X : array-like of shape (n, d)
            The vectors.
        y : None
            Not used.

        Returns
        -------
        self
        """
        validate(self._parameter_constraints, self.get_params(), "KernelMap")
        self._check(X, reset=True)
        return self

    def transform(self, X: Any) -> Float32:
        """Map the vectors.

        Parameters
        ----------
        X : array-like of shape (n, d)
            The vectors.

        Returns
        -------
        ndarray of float32 of shape (n, d) or (n, (2 * order + 1) * d)
        """
        validate(self._parameter_constraints, self.get_params(), "KernelMap")
        vectors = self._check(X, reset=False)
        if self.kernel == "hellinger":
            return np.sign(vectors) * np.sqrt(np.abs(vectors))
        interval = self.interval or 2 * np.pi / _period(self.kernel, self.order)
        logarithms = np.log(np.maximum(vectors, np.finfo(np.float32).tiny))
        parts = [np.sqrt(vectors * np.float32(_spectrum(self.kernel, 0) * interval))]
        for step in range(1, self.order + 1):
            frequency = np.float32(step * interval)
            weight = np.float32(2 * _spectrum(self.kernel, float(frequency)) * interval)
            amplitude = np.sqrt(vectors * weight)
            parts.append(amplitude * np.cos(frequency * logarithms))
            parts.append(amplitude * np.sin(frequency * logarithms))
        return np.concatenate(parts, axis=1)

    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[Any]:
        """Name the entries: those of the input, each with its number in the map.

        Parameters
        ----------
        input_features : sequence of str, optional
            The names of the input's entries; by default ``x0``, ``x1``, …

        Returns
        -------
        ndarray of str objects
        """
        check_is_fitted(self, "n_features_in_")
        given = input_features
        names = [f"x{index}" for index in range(self.n_features_in_)] if given is None else given
        count = 1 if self.kernel == "hellinger" else 2 * self.order + 1
        return np.asarray(
            [f"{name}_{self.kernel}{part}" for part in range(count) for name in names], dtype=object
        )

    def _check(self, X: Any, reset: bool) -> Float32:
        vectors: Float32 = validate_data(self, X, dtype=np.float32, reset=reset)
        if self.kernel != "hellinger" and vectors.size and vectors.min() < 0:
            raise ValueError(
                f"Negative values in data passed to KernelMap: the {self.kernel} kernel is for "
                f"histograms, but there are entries down to {vectors.min():g}."
            )
        return vectors

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.positive_only = self.kernel != "hellinger"
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags


def _period(kernel: str, order: int) -> float:
    if kernel == "intersection":
        return 2.38 * float(np.log(order + 0.8)) + 5.6
    return 5.86 * float(np.sqrt(order)) + 3.65


def _spectrum(kernel: str, frequency: float) -> float:
    if kernel == "intersection":
        return 2 / (np.pi * (1 + 4 * frequency**2))
    return float(1 / np.cosh(np.pi * frequency))


class ScoreSum(ClassifierMixin, BaseEstimator):
    r"""A weighted sum of the scores of several classifiers, each with features of its own.

    Each pipeline :math:`p` gives scores :math:`s_p` of every class. The weights :math:`w_p \ge 0`
    are those with which :math:`\mathrm{softmax}(\sum_p w_p s_p)` makes the true classes of the
    training images likeliest, the scores being those that images get in inner folds, from
    classifiers which have not seen them.

    Parameters
    ----------
    pipelines : list of (str, Pipeline)
        Names, and pipelines of a `Stream` and a classifier with `decision_function`.
    folds : int, default=3
        The number of inner folds.
    random_state : int, default=0
        What the folds are drawn from.
    n_jobs : int, default=None
        How many threads the streams use; -1 for one a processor, None for what each says.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    pipelines_ : list of Pipeline
        The fitted pipelines.
    weights_ : ndarray of shape (n_pipelines,)
        Their weights, of the mean one.

    Notes
    -----
    Takes what the streams take: paths, or images. The streams are fitted once, on all images:
    code books are learned without labels. In recipes it is written ``score_sum:``, with a list of
    branches.

    References
    ----------
    .. [1] O. Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015
       (the team ISI of 2012, whose sum of scores came second).

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from featx import HOG, ColorSpace, ScoreSum, SpatialPyramid, Stream, make_scenes
    >>> edges = make_pipeline(Stream([HOG(pixels_per_cell=(16, 16))]), LinearSVC(C=0.01))
    >>> colors = make_pipeline(Stream([ColorSpace("ycbcr"), SpatialPyramid([4])]), LinearSVC())
    >>> scenes, labels = make_scenes(n=20, size=(64, 64), seed=0)
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
        """Fit the pipelines, and the weights of their scores.

        Parameters
        ----------
        X : batch of images or paths
            The images.
        y : array-like of shape (n,)
            Their classes.

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
            raise ValueError(
                f"ScoreSum needs two classes of {self.folds} images at least, one for each inner "
                f"fold, but there are {len(self.classes_)} classes, the rarest with {rarest}."
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
        """Give the weighted sum of the pipelines' scores.

        Parameters
        ----------
        X : batch of images or paths
            The images.

        Returns
        -------
        ndarray of shape (n, n_classes)
        """
        check_is_fitted(self, "weights_")
        scores = [_of_each_class(pipeline.decision_function(X)) for pipeline in self.pipelines_]
        return np.tensordot(self.weights_, np.stack(scores), axes=1)

    def predict(self, X: Any) -> NDArray[Any]:
        """Give the class of the highest sum.

        Parameters
        ----------
        X : batch of images or paths
            The images.

        Returns
        -------
        ndarray of shape (n,)
        """
        classes: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return classes


def _of_each_class(scores: Float64) -> Float64:
    """Give one column a class where two classes have one score."""
    return np.stack([-scores, scores], axis=1) / 2 if scores.ndim == 1 else scores


def _likeliest_weights(scores: Float64, numbers: NDArray[np.intp]) -> Float64:
    """Find the weights of scores (pipelines, images, classes) that make the classes likeliest."""
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
    # Equal weights where nothing tells the classes apart.
    return weights / weights.mean() if weights.any() else np.ones(count)
