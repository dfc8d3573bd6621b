"""Explicit feature maps of additive kernels."""

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from featx.core.constraints import StrOptions, natural_to, positive, validate
from featx.core.errors import InputError

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
        "order": [natural_to(1000)],
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
            raise InputError(
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
