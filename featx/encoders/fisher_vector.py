"""Fisher vector encoding."""

from dataclasses import field
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import natural, natural_to
from featx.encoders.encoder import Encoder, Float32, Float64
from featx.encoders.gaussian_mixture import GaussianMixture


class FisherVector(Encoder):
    r"""Fisher vector: the gradient of a Gaussian mixture's log-likelihood.

    The mixture :math:`p(x) = \sum_k w_k \mathcal{N}(x; \mu_k, \sigma_k^2)` has diagonal
    covariances. Let :math:`q_{ik} = w_k p_k(x_i) / p(x_i)` be the posteriors of the :math:`n`
    descriptors :math:`x_i` of an image, and :math:`z_{ik} = (x_i - \mu_k) / \sigma_k`. The vector
    is

    .. math::

        u_k = \frac{1}{n \sqrt{w_k}} \sum_i q_{ik} z_{ik}, \qquad
        v_k = \frac{1}{n \sqrt{2 w_k}} \sum_i q_{ik} (z_{ik}^2 - 1),

    the gradient of the mean log-likelihood with respect to the means and standard deviations,
    scaled to approximately unit covariance [1]_. Each entry then becomes
    :math:`\operatorname{sign}(v)\sqrt{|v|}`, and each cell's vector and the whole vector are
    scaled to unit length [2]_.

    Parameters
    ----------
    n_modes : int, default=256
        Number of Gaussians.
    max_iter : int, default=20
        Maximum number of iterations of expectation maximization, which starts from k-means
        clusters. It stops earlier if the mean log-likelihood increases by less than 0.001.

    Attributes
    ----------
    weights_ : ndarray of shape (n_modes,)
        Mixture weights :math:`w`.
    means_, variances_ : ndarray of shape (n_modes, d)
        :math:`\mu` and :math:`\sigma^2`, in the space of the projected descriptors with their
        positions appended.

    Notes
    -----
    Accepts descriptor sets. Returns vectors with :math:`2 K d` entries per cell,
    :math:`u_1 \dots u_K` and :math:`v_1 \dots v_K`. Cells without descriptors are zero.

    The gradient with respect to the mixture weights is omitted, as in [2]_. As in VLFeat,
    posteriors below :math:`10^{-6}` count as zero, and variances are at least :math:`10^{-4}`
    times the largest variance of the sample. Posteriors are computed in single precision, from
    expanded squares. For a mode a hundred times narrower than the sample, they are accurate to
    1e-3. Without normalization, `skimage.feature.fisher_vector` has the opposite sign in
    :math:`v`.

    References
    ----------
    .. [1] F. Perronnin and C. Dance, "Fisher Kernels on Visual Vocabularies for Image
       Categorization", CVPR 2007.
    .. [2] F. Perronnin, J. Sánchez and T. Mensink, "Improving the Fisher Kernel for Large-Scale
       Image Classification", ECCV 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import FisherVector
    >>> rng = np.random.default_rng(0)
    >>> sets = [rng.normal(size=(50, 8)).astype(np.float32) for _ in range(4)]
    >>> FisherVector(n_modes=3, n_components=5).fit_transform(sets).shape
    (4, 30)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_modes": [natural],
        "max_iter": [natural_to(1_000_000)],
        **Encoder._parameter_constraints,
    }

    n_modes: int = field(default=256, kw_only=False)
    power: float = 0.5
    norm: str | None = "l2"
    normalize_cells: bool = True
    max_iter: int = 20

    def _least_sample(self) -> tuple[str, int]:
        return "n_modes", self.n_modes

    def _learn(self, x: Float32) -> None:
        mixture = GaussianMixture.fit(x, self.n_modes, self.max_iter, self.random_state)
        self.weights_, self.means_ = mixture.weights, mixture.means
        self.variances_ = mixture.variances

    def _statistics(self, x: Float32) -> Float64:
        moments, _ = GaussianMixture(self.weights_, self.means_, self.variances_).moments(x)
        return moments

    def _encode(self, statistics: Float64, count: int) -> Float64:
        features = self.means_.shape[1]
        mass, first = statistics[:, :1], statistics[:, 1 : features + 1]
        second = statistics[:, features + 1 :]
        shares = count * np.sqrt(self.weights_)[:, np.newaxis]
        means, deviations = first / shares, (second - mass) / (np.sqrt(2) * shares)
        return np.concatenate([means.ravel(), deviations.ravel()])

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        modes, features = self.means_.shape
        shares = len(x) * np.sqrt(self.weights_)[:, np.newaxis]
        first, second = weights.reshape(2, modes, features)
        first, second = first / shares, second / (np.sqrt(2) * shares)
        # Convert the coefficients of a polynomial in z to those of one in x - mu.
        first, squares = first / np.sqrt(self.variances_), second / self.variances_
        mixture = GaussianMixture(self.weights_, self.means_, self.variances_)
        posteriors, parts = mixture.posteriors(x), np.zeros(len(x))
        for mode, posterior in enumerate(posteriors.T):
            near = np.flatnonzero(posterior)
            deviations = x[near] - self.means_[mode]
            values = deviations @ first[mode] + deviations**2 @ squares[mode] - second[mode].sum()
            parts[near] += posterior[near] * values
        return parts

    def _length(self) -> int:
        return 2 * self.means_.size

    def _entry_names(self) -> list[str]:
        modes, features = self.means_.shape
        return [
            f"mode{mode}_{moment}{feature}"
            for moment in ("mean", "deviation")
            for mode in range(modes)
            for feature in range(features)
        ]
