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
    r"""Explicit kernel map: features whose inner products approximate an additive kernel.

    An additive kernel is a sum :math:`K(x, y) = \sum_i k(x_i, y_i)` over the entries. A linear
    classifier on the mapped features approximates a kernel classifier. The kernels are, for
    :math:`x, y \ge 0`,

    - ``"hellinger"``: :math:`k(x, y) = \sqrt{xy}`;
    - ``"intersection"``: :math:`k(x, y) = \min(x, y)`;
    - ``"chi2"``: :math:`k(x, y) = 2xy / (x + y)`.

    Parameters
    ----------
    kernel : {"hellinger", "intersection", "chi2"}, default="hellinger"
        Additive kernel.
    order : int, default=1
        Number of sampled frequencies. Each entry becomes ``2 * order + 1`` features. The Hellinger
        kernel ignores it: its exact map is the square root of each entry.
    interval : float, optional
        Distance between the frequencies. Defaults to :math:`2\pi / L`. For the order :math:`n`,
        the period :math:`L` is :math:`2.38 \ln(n + 0.8) + 5.6` for the intersection kernel and
        :math:`5.86 \sqrt{n} + 3.65` for the chi-squared kernel.

    Raises
    ------
    ValueError
        If an entry is negative and the kernel is not ``"hellinger"``. The Hellinger map of any
        entry is :math:`\mathrm{sign}(x) \sqrt{|x|}`.

    Notes
    -----
    Accepts vectors (n, d). Returns float32 vectors with the first feature of every entry, then the
    second feature of every entry, and so on.

    The kernels are homogeneous:
    :math:`k(x, y) = \sqrt{xy} \int \cos(\lambda \ln(y / x)) \kappa(\lambda) d\lambda`. The
    spectrum :math:`\kappa` is :math:`2 / (\pi (1 + 4 \lambda^2))` for the intersection kernel and
    :math:`\mathrm{sech}(\pi \lambda)` for the chi-squared kernel. The map samples the integral
    [1]_. For ``"chi2"``, it equals scikit-learn's `AdditiveChi2Sampler`.

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
        """Validate the parameters and the vectors; the map has no learned parameters.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Vectors.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        validate(self._parameter_constraints, self.get_params(), "KernelMap")
        self._check(X, reset=True)
        return self

    def transform(self, X: Any) -> Float32:
        """Map the vectors to features.

        Parameters
        ----------
        X : array-like of shape (n, d)
            Vectors.

        Returns
        -------
        ndarray of float32 of shape (n, d) or (n, (2 * order + 1) * d)
            Mapped features; (n, d) for the Hellinger kernel.
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
        """Return the names of the features: input name, kernel and index in the map.

        Parameters
        ----------
        input_features : sequence of str, optional
            Names of the input features; defaults to ``x0``, ``x1``, …

        Returns
        -------
        ndarray of str objects
            Feature names.
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
                f"Negative values in data passed to KernelMap: the {self.kernel} kernel requires "
                f"non-negative entries, got {vectors.min():g}."
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
