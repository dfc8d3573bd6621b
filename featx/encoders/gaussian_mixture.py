"""Gaussian mixtures with diagonal covariances: fitting and posterior moments.

The computations per descriptor and Gaussian use single precision: BLAS matrix products, and one
pass for the posteriors. This is several times faster than `sklearn.mixture.GaussianMixture`, and
every fold of a cross-validation fits a mixture.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax

from featx.core.compiled import compiled
from featx.encoders.k_means import fit_words, nearest_words
from featx.encoders.softmax import exponentiate

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Number of descriptors per block: intermediate results of a block fit in the cache.
_BLOCK = 512
# Smaller posteriors count as zero.
_LEAST_POSTERIOR = np.float32(1e-6)
# Smallest variance of a Gaussian, as a fraction of the largest variance of the sample.
_VARIANCE_FLOOR = 1e-4
# Smallest variance of a Gaussian if the sample is constant.
_LEAST_VARIANCE = 1e-12
# Fitting stops when the mean log-likelihood per descriptor increases by less than this.
_TOLERANCE = 1e-3


@dataclass(frozen=True)
class GaussianMixture:
    r"""Gaussian mixture with diagonal covariances.

    Its density is :math:`p(x) = \sum_k w_k \prod_j \mathcal{N}(x_j; \mu_{kj}, \sigma_{kj}^2)`.

    Attributes
    ----------
    weights : ndarray of shape (n_modes,)
        Mixture weights :math:`w`, which sum to one.
    means, variances : ndarray of shape (n_modes, n_features)
        :math:`\mu` and :math:`\sigma^2`.
    """

    weights: Float64
    means: Float64
    variances: Float64

    @classmethod
    def fit(cls, x: Float32, n_modes: int, max_iter: int, random_state: int) -> Self:
        """Fit a mixture by expectation maximization, starting from k-means clusters.

        Parameters
        ----------
        x : ndarray of float32, (n, n_features)
            Descriptors, at least ``n_modes``.
        n_modes : int
            Number of Gaussians.
        max_iter : int
            Maximum number of iterations.
        random_state : int
            Random seed of k-means.
        """
        words, _ = fit_words(x, n_modes, random_state)
        mixture = cls._of_clusters(x, words)
        floor = _variance_floor(x)
        before = -np.inf
        for _ in range(max_iter):
            moments, likelihood = mixture.moments(x)
            mixture = mixture._maximised(moments, floor)
            if likelihood / len(x) - before < _TOLERANCE:
                break
            before = likelihood / len(x)
        return mixture

    def moments(self, x: Float32) -> tuple[Float64, float]:
        r"""Compute the posterior moments of the descriptors for each Gaussian.

        The posteriors are :math:`q_{ik} = w_k p_k(x_i) / p(x_i)`; values below :math:`10^{-6}`
        count as zero. The deviations are :math:`z_{ik} = (x_i - \mu_k) / \sigma_k`.

        Returns
        -------
        moments : ndarray of shape (n_modes, 1 + 2 * n_features)
            :math:`\sum_i q_{ik}`, :math:`\sum_i q_{ik} z_{ik}`, :math:`\sum_i q_{ik} z_{ik}^2`.
        likelihood : float
            :math:`\sum_i \ln p(x_i)`.
        """
        modes, features = self.means.shape
        # Posteriors are translation invariant: centering reduces numerical cancellation.
        origin = self.weights @ self.means
        means = self.means - origin
        constants = np.log(self.weights) - 0.5 * (
            np.log(2 * np.pi * self.variances) + means**2 / self.variances
        ).sum(axis=1)
        parts = [means / self.variances, -0.5 / self.variances, constants[:, np.newaxis]]
        coefficients = np.hstack(parts).astype(np.float32)
        origin32, means32 = origin.astype(np.float32), means.astype(np.float32)
        scales = (1 / np.sqrt(self.variances)).astype(np.float32)
        moments, likelihood = np.zeros((modes, 1 + 2 * features)), 0.0
        powers = np.empty((_BLOCK, 2 * features + 1), np.float32)
        powers[:, -1] = 1
        for start in range(0, len(x), _BLOCK):
            block = x[start : start + _BLOCK]
            used = powers[: len(block)]
            centered, squares = used[:, :features], used[:, features:-1]
            np.subtract(block, origin32, out=centered)
            np.multiply(centered, centered, out=squares)
            # Log-densities, one row per Gaussian, so that loops over descriptors are vectorized.
            posteriors = coefficients @ used.T
            highest, total = exponentiate(posteriors)
            _add_moments(posteriors, total, centered, means32, scales, moments)
            likelihood += float(np.sum(highest + np.log(total), dtype=np.float64))
        return moments, likelihood

    def posteriors(self, x: Float32) -> Float64:
        r"""Compute the posteriors (n, n_modes), with values below :math:`10^{-6}` set to zero."""
        precisions = 1 / self.variances
        origin = self.weights @ self.means  # centering reduces numerical cancellation
        centered, means = x - origin, self.means - origin
        scores = centered @ (means * precisions).T - 0.5 * centered**2 @ precisions.T
        scores += np.log(self.weights)
        scores -= 0.5 * (np.log(2 * np.pi * self.variances) + means**2 * precisions).sum(axis=1)
        posteriors: Float64 = softmax(scores, axis=1)
        posteriors[posteriors <= _LEAST_POSTERIOR] = 0
        return posteriors

    @classmethod
    def _of_clusters(cls, x: Float32, words: Float32) -> Self:
        """Return the mixture with the weights, means and variances of the clusters."""
        nearest = nearest_words(x, words)
        order = np.argsort(nearest, kind="stable")
        borders = np.searchsorted(nearest[order], np.arange(len(words) + 1))
        means, variances = words.astype(np.float64), np.empty(words.shape)
        for word in range(len(words)):
            members = x[order[borders[word] : borders[word + 1]]]
            # A cluster of fewer than two descriptors gets the variances of the whole sample.
            variances[word] = (members if len(members) > 1 else x).var(axis=0, dtype=np.float64)
        np.maximum(variances, _variance_floor(x), out=variances)
        counts = np.maximum(np.diff(borders), 1)
        return cls(counts / counts.sum(), means, variances)

    def _maximised(self, moments: Float64, floor: float) -> Self:
        """Return the maximum-likelihood mixture for the posterior moments (M step)."""
        features = self.means.shape[1]
        # A Gaussian with a total posterior below one keeps its mean and variances.
        mass = np.maximum(moments[:, :1], 1)
        first, second = moments[:, 1 : features + 1] / mass, moments[:, features + 1 :] / mass
        lonely = moments[:, :1] < 1
        first, second = np.where(lonely, 0, first), np.where(lonely, 1, second)
        means = self.means + np.sqrt(self.variances) * first
        variances = np.maximum(self.variances * (second - first**2), floor)
        return type(self)(mass[:, 0] / mass.sum(), means, variances)


def _variance_floor(x: Float32) -> float:
    largest = float(x.var(axis=0, dtype=np.float64).max())
    return max(_VARIANCE_FLOOR * largest, _LEAST_VARIANCE)


@compiled
def _add_moments(
    posteriors: Float32,
    total: Float32,
    x: Float32,
    means: Float32,
    scales: Float32,
    moments: Float64,
) -> None:
    """Add the moments of a block of descriptors.

    Most posteriors are negligible, so each Gaussian first selects the descriptors that count.
    """
    modes, count = posteriors.shape
    features = x.shape[1]
    least, share = total * _LEAST_POSTERIOR, np.float32(1) / total
    picked = np.empty(count, np.int32)
    first, second = np.empty(features, np.float32), np.empty(features, np.float32)
    for k in range(modes):
        found = 0
        for i in range(count):
            picked[found] = i
            found += posteriors[k, i] > least[i]
        if found == 0:
            continue
        mean, scale = means[k], scales[k]
        first[:], second[:], mass = 0, 0, 0.0
        for place in range(found):
            i = picked[place]
            q, row = posteriors[k, i] * share[i], x[i]
            mass += q
            for j in range(features):
                z = (row[j] - mean[j]) * scale[j]
                qz = q * z
                first[j] += qz
                second[j] += qz * z
        moments[k, 0] += mass
        for j in range(features):
            moments[k, 1 + j] += first[j]
            moments[k, 1 + features + j] += second[j]
