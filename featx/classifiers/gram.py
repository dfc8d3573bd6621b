"""Linear classifiers fitted on the Gram matrix, for few vectors with very many features."""

from abc import abstractmethod
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import LabelEncoder
from sklearn.svm import SVC
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from featx.core.constraints import Interval, positive, validate
from featx.core.errors import InputError

_ROWS = 16
#: Smaller eigenvalues, relative to the trace of the Gram matrix, are rounding errors.
_ROUNDING = 1e-6

Float64 = NDArray[np.float64]


class _GramClassifier(ClassifierMixin, BaseEstimator):
    """Base class for linear classifiers with weights in the span of the training vectors."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]]

    @abstractmethod
    def _solve(self, products: Float64, numbers: NDArray[np.intp]) -> tuple[Float64, Float64]:
        """Compute the coefficients of the training vectors for each class, and the intercepts.

        For two classes, return a single row; positive scores predict the second class.
        """

    def fit(self, X: Any, y: Any) -> Self:
        """Fit the classifier on the Gram matrix of the vectors.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Training vectors.
        y : array-like of shape (n,)
            Class labels.

        Returns
        -------
        self
        """
        name = type(self).__name__
        validate(self._parameter_constraints, self.get_params(), name)
        vectors, y = validate_data(self, X, y, dtype=np.float32)
        check_classification_targets(y)
        encoder = LabelEncoder().fit(y)
        self.classes_ = encoder.classes_
        if len(self.classes_) < 2:
            raise InputError(
                f"{name}: y has only one class, '{self.classes_[0]}'. At least two classes are "
                "required."
            )
        products = (vectors @ vectors.T).astype(np.float64)
        shares, self.intercept_ = self._solve(products, encoder.transform(y))
        self.coef_ = shares.astype(np.float32) @ vectors
        return self

    def decision_function(self, X: Any) -> Float64:
        """Compute the confidence scores of the vectors.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Vectors.

        Returns
        -------
        ndarray of shape (n, n_classes), or (n,) for two classes
            Confidence scores. For two classes, positive scores predict the second class.
        """
        check_is_fitted(self, "coef_")
        vectors = validate_data(self, X, dtype=np.float32, reset=False)
        weights = self.coef_.T.astype(np.float64)
        scores = np.empty((len(vectors), len(self.coef_)))
        for start in range(0, len(vectors), _ROWS):  # bounds the memory of the conversion
            rows = slice(start, start + _ROWS)
            scores[rows] = vectors[rows].astype(np.float64) @ weights + self.intercept_
        return scores if len(self.classes_) > 2 else scores[:, 0]

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the class of each vector.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Vectors.

        Returns
        -------
        ndarray of shape (n,)
            Predicted classes.
        """
        scores = self.decision_function(X)
        number = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.intp)
        classes: NDArray[Any] = self.classes_[number]
        return classes


class GramSVC(_GramClassifier):
    r"""Linear support vector machine for few vectors with very many features.

    The machine is fitted on the Gram matrix :math:`X X^\top` of the vectors, one class against the
    rest. The dual solution is then converted to weights, :math:`w = \sum_i \alpha_i y_i x_i`. The
    result equals `sklearn.svm.SVC` with a linear kernel, at the cost of one matrix product.

    Parameters
    ----------
    C : float, default=1.0
        Penalty of margin violations. For vectors of unit length, use at least 1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of float32 of shape (n_classes, d), or (1, d) for two classes
        Weights.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts.

    Raises
    ------
    ValueError
        If ``y`` has fewer than two classes.

    See Also
    --------
    GramLDA : Linear discriminant analysis on the Gram matrix.

    Notes
    -----
    Accepts vectors (n, d); float32 vectors are not copied. Inner products are computed in single
    precision. Time grows with :math:`n^2 d`, and memory, beyond the vectors, with :math:`n^2`.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import GramSVC
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 0.9]])
    >>> GramSVC().fit(X, ["up", "right", "up"]).predict([[0.9, 0.2]]).tolist()
    ['right']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"C": [positive]}

    def __init__(self, C: float = 1.0) -> None:
        self.C = C

    def _solve(self, products: Float64, numbers: NDArray[np.intp]) -> tuple[Float64, Float64]:
        told = range(len(self.classes_)) if len(self.classes_) > 2 else [1]
        shares, intercepts = np.zeros((len(told), len(products))), np.empty(len(told))
        for row, number in enumerate(told):
            machine = SVC(C=self.C, kernel="precomputed").fit(products, numbers == number)
            shares[row, machine.support_] = machine.dual_coef_[0]
            intercepts[row] = machine.intercept_[0]
        return shares, intercepts


class GramLDA(_GramClassifier):
    r"""Linear discriminant analysis for few vectors with very many features.

    Each class is modeled by a Gaussian with its own mean. All classes share one covariance
    :math:`\Sigma`, shrunk towards a multiple of the identity,

    .. math:: \Sigma = (1 - s)\,S + s\,\frac{\operatorname{tr} S}{r}\,I,

    where :math:`S` is the mean within-class covariance in the :math:`r`-dimensional span of the
    centered vectors. The score of a class is its log posterior, up to a term common to all
    classes. Directions with a large within-class variance get small weights.

    Parameters
    ----------
    shrinkage : float, default=0.1
        Shrinkage :math:`s`, above 0 and up to 1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Class labels.
    coef_ : ndarray of float32 of shape (n_classes, d), or (1, d) for two classes
        Weights.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts.

    Raises
    ------
    ValueError
        If ``y`` has fewer than two classes, or if all vectors are equal.

    See Also
    --------
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : For vectors with few features.

    Notes
    -----
    Accepts vectors (n, d), converted to float32. The eigenvectors of the centered Gram matrix give
    fewer than n coordinates per vector, on which scikit-learn's
    ``LinearDiscriminantAnalysis(solver="lsqr")`` is fitted. Time grows with
    :math:`n^2 d + n^3`, and memory, beyond the vectors, with :math:`n^2`. Without shrinkage,
    :math:`S` is singular if there are more features than vectors.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import GramLDA
    >>> X = np.array([[0.0, 1.0], [1.0, 0.0], [0.1, 0.9], [0.8, 0.1]])
    >>> GramLDA().fit(X, ["up", "right", "up", "right"]).predict([[0.9, 0.2]]).tolist()
    ['right']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "shrinkage": [Interval(Real, 0, 1, closed="right")]
    }

    def __init__(self, shrinkage: float = 0.1) -> None:
        self.shrinkage = shrinkage

    def _solve(self, products: Float64, numbers: NDArray[np.intp]) -> tuple[Float64, Float64]:
        means = products.mean(axis=0)
        centered = products - means - means[:, np.newaxis] + means.mean()
        values, vectors = np.linalg.eigh(centered)
        kept = values > _ROUNDING * np.trace(products)
        if not kept.any():
            raise InputError("GramLDA: all vectors are equal. Vectors that differ are required.")
        lengths, vectors = np.sqrt(values[kept]), vectors[:, kept]
        analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage)
        analysis.fit(vectors * lengths, numbers)
        # Coefficients of the inner products of a new x with the training vectors.
        shares = analysis.coef_ / lengths @ vectors.T
        return shares, analysis.intercept_ - shares @ means
