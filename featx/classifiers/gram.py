"""Linear classifiers of few vectors of very many entries, from their inner products."""

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
#: Eigenvalues below this part of their sum, of products that are not centred, are rounding.
_ROUNDING = 1e-6

Float64 = NDArray[np.float64]


class _GramClassifier(ClassifierMixin, BaseEstimator):
    """A linear classifier whose weights are sums of the vectors it is fitted on."""

    _parameter_constraints: ClassVar[dict[str, list[Any]]]

    @abstractmethod
    def _solve(self, products: Float64, numbers: NDArray[np.intp]) -> tuple[Float64, Float64]:
        """Give what each vector adds to the weights of each class, and the intercepts.

        Of two classes there is one row, whose scores above zero are of the second.
        """

    def fit(self, X: Any, y: Any) -> Self:
        """Fit from the inner products of the vectors.

        Parameters
        ----------
        X : array-like of shape (n, d)
            The vectors.
        y : array-like of shape (n,)
            Their classes.

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
                f"{name} needs vectors of two classes at least, but there is only one class, "
                f"'{self.classes_[0]}'."
            )
        products = (vectors @ vectors.T).astype(np.float64)
        shares, self.intercept_ = self._solve(products, encoder.transform(y))
        self.coef_ = shares.astype(np.float32) @ vectors
        return self

    def decision_function(self, X: Any) -> Float64:
        """Score the vectors.

        Parameters
        ----------
        X : array-like of shape (n, d)
            The vectors.

        Returns
        -------
        ndarray of shape (n, n_classes), or (n,) for two classes
            The higher, the surer; of two classes, those above zero are of the second.
        """
        check_is_fitted(self, "coef_")
        vectors = validate_data(self, X, dtype=np.float32, reset=False)
        weights = self.coef_.T.astype(np.float64)
        scores = np.empty((len(vectors), len(self.coef_)))
        for start in range(0, len(vectors), _ROWS):  # a few at a time in double precision
            rows = slice(start, start + _ROWS)
            scores[rows] = vectors[rows].astype(np.float64) @ weights + self.intercept_
        return scores if len(self.classes_) > 2 else scores[:, 0]

    def predict(self, X: Any) -> NDArray[Any]:
        """Give the class of the highest score.

        Parameters
        ----------
        X : array-like of shape (n, d)
            The vectors.

        Returns
        -------
        ndarray of shape (n,)
        """
        scores = self.decision_function(X)
        number = scores.argmax(axis=1) if scores.ndim == 2 else (scores > 0).astype(np.intp)
        classes: NDArray[Any] = self.classes_[number]
        return classes


class GramSVC(_GramClassifier):
    r"""A linear support vector machine for few vectors of very many entries.

    It is fitted from the vectors' inner products :math:`X X^\top` (the Gram matrix), one class
    against the rest, and then written as weights, :math:`w = \sum_i \alpha_i y_i x_i`: the same
    classifier as `sklearn.svm.SVC` with a linear kernel, at the cost of one matrix product.

    Parameters
    ----------
    C : float, default=1.0
        What a vector on the wrong side of the margin costs. For vectors of unit length, use 1 at
        least.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    coef_ : ndarray of float32 of shape (n_classes, d), or (1, d) for two classes
        The weights.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        What is added to the scores.

    Raises
    ------
    ValueError
        If there are not two classes at least.

    See Also
    --------
    GramLDA : Discriminants of all classes together.

    Notes
    -----
    Takes vectors (n, d), in single precision, without a copy where they are float32: time grows
    with :math:`n^2 d`, memory beyond the vectors with :math:`n^2`. Inner products are computed in
    single precision.

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
    r"""Linear discriminant analysis for few vectors of very many entries.

    All classes are taken for Gaussian, each about its own mean and all with one covariance
    :math:`\Sigma`, which is drawn towards a multiple of the identity,

    .. math:: \Sigma = (1 - s)\,S + s\,\frac{\operatorname{tr} S}{r}\,I,

    where :math:`S` is the mean covariance within the classes, in the :math:`r` dimensions in which
    the vectors vary. A class's score is, but for what all classes share, the logarithm of its
    posterior. Directions in which the members of one class differ count for little.

    Parameters
    ----------
    shrinkage : float, default=0.1
        The share :math:`s` of the identity, above 0 and up to 1.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes.
    coef_ : ndarray of float32 of shape (n_classes, d), or (1, d) for two classes
        The weights.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        What is added to the scores.

    Raises
    ------
    ValueError
        If there are not two classes at least, or all vectors are equal.

    See Also
    --------
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : For vectors of fewer entries.

    Notes
    -----
    Takes vectors (n, d), in single precision. The vectors' coordinates in the space that they span
    follow from the eigenvectors of their centred inner products, and scikit-learn's
    ``LinearDiscriminantAnalysis(solver="lsqr")`` is fitted on these, of which there are fewer than
    n: time grows with :math:`n^2 d + n^3`, memory beyond the vectors with :math:`n^2`. Where there
    are more entries than vectors, :math:`S` alone is singular.

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
        centred = products - means - means[:, np.newaxis] + means.mean()
        values, vectors = np.linalg.eigh(centred)
        kept = values > _ROUNDING * np.trace(products)
        if not kept.any():
            raise InputError("GramLDA needs vectors that differ, but all are equal.")
        lengths, vectors = np.sqrt(values[kept]), vectors[:, kept]
        analysis = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=self.shrinkage)
        analysis.fit(vectors * lengths, numbers)
        # The coordinates of a new x are those of its inner products with the vectors.
        shares = analysis.coef_ / lengths @ vectors.T
        return shares, analysis.intercept_ - shares @ means
