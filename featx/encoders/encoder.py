"""Base class for encoders: sampling, projection, spatial pyramid and normalization."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA

from featx.core.batches import LazyBatch
from featx.core.constraints import (
    Each,
    Interval,
    StrOptions,
    natural,
    natural_to,
    pair_to,
    positive,
)
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError
from featx.core.stage import ImageStage, Requirements
from featx.core.threads import one_thread_inside
from featx.encoders.parameters import DeclaredParameters
from featx.encoders.pyramid import Grids, Regions, cell_names, divide, is_whole
from featx.encoders.sampling import draw_descriptors

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

# Components below this fraction of the largest variance contain only rounding errors.
_LEAST_VARIANCE = 1e-9


class Encoder(DeclaredParameters, ImageStage):
    r"""Base class for encoders, which map a set of local descriptors to a vector.

    Subclasses implement `_least_sample` and `_learn` to fit on a sample of descriptors. They
    implement `_statistics` for the descriptors of a region, and `_encode` to compute the vector of
    a cell from its statistics. `_length` and `_entry_names` describe that vector. The statistics
    of a cell are the sum over its regions; override `_combine` to change this.

    Parameters
    ----------
    n_components : int, optional
        Number of principal components onto which descriptors are projected. The projection has
        fewer components if the sample varies in fewer directions.
    whiten : bool, default=False
        Divide each component by its standard deviation. Without ``n_components``, all components
        are kept.
    append_position : float, optional
        Weight of the position. After the projection, (row - 1/2, column - 1/2), multiplied by this
        weight, is appended to each descriptor. Rows and columns are fractions of the image's
        height and width.
    pyramid : list of (int, int), default=((1, 1),)
        Rows and columns of each grid of the spatial pyramid. Each cell is encoded separately, and
        the vectors are concatenated grid by grid and row by row.
    pyramid_weights : list of float, optional
        Weight of each grid.
    power : float, default=1.0
        Exponent of the power normalization: each entry :math:`v` becomes
        :math:`\operatorname{sign}(v)|v|^\text{power}`.
    norm : {"l1", "l2"} or None, default=None
        Scale the vector to unit norm. Zero vectors stay zero. None disables the normalization.
    normalize_cells : bool, default=False
        Also scale each cell's vector to unit norm, before ``pyramid_weights`` are applied.
    n_samples : int, default=100_000
        Number of descriptors to fit on. They are sampled evenly from randomly chosen images, up to
        250 per image, or more if the images are too few.
    random_state : int, default=0
        Random seed of the sampling and the fitting.

    Attributes
    ----------
    mean_ : ndarray of float32, (``n_features_in_``,)
        Mean subtracted before the projection; zero without a projection.
    components_ : ndarray of float32, (n_components, ``n_features_in_``), or None
        Principal axes, divided by their standard deviations if ``whiten``; None without a
        projection.
    n_features_in_ : int
        Length of a descriptor.

    Raises
    ------
    ValueError
        If there are fewer descriptors than words, Gaussians or components, if descriptors differ
        in length, or if the parameters require positions that the descriptors lack.
    """

    takes = "descriptors"
    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_components": [natural_to(100_000), None],
        "whiten": ["boolean"],
        "append_position": [positive, None],
        "pyramid": [Each(pair_to(100))],
        "pyramid_weights": [Each(Interval(Real, 0, None, closed="left")), None],
        "power": [Interval(Real, 0, 1, closed="right")],
        "norm": [StrOptions({"l1", "l2"}), None],
        "normalize_cells": ["boolean"],
        "n_samples": [natural],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    }

    n_components: int | None = None
    whiten: bool = False
    append_position: float | None = None
    pyramid: Grids = ((1, 1),)
    pyramid_weights: Sequence[float] | None = None
    power: float = 1.0
    norm: str | None = None
    normalize_cells: bool = False
    n_samples: int = 100_000
    random_state: int = 0

    # Implemented by subclasses.

    def _least_sample(self) -> tuple[str, int]:
        """Return the parameter that sets the smallest sample size, and that size."""
        raise NotImplementedError

    def _learn(self, x: Float32) -> None:
        """Fit on a sample of descriptors, after projection and with positions appended."""
        raise NotImplementedError

    def _statistics(self, x: Float32) -> Float64:
        """Compute the statistics of a region's descriptors, from which a cell is encoded."""
        raise NotImplementedError

    def _combine(self, statistics: Float64) -> Float64:
        """Combine the statistics of several regions, stacked along the first axis."""
        together: Float64 = statistics.sum(axis=0)
        return together

    def _encode(self, statistics: Float64, count: int) -> Float64:
        """Compute the vector of a cell from its statistics and its positive descriptor count."""
        raise NotImplementedError

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        """Distribute the inner product of weights and a cell's vector over its descriptors."""
        raise NotImplementedError

    def _length(self) -> int:
        """Return the length of a cell's vector."""
        raise NotImplementedError

    def _entry_names(self) -> list[str]:
        """Return the names of the entries of a cell's vector."""
        raise NotImplementedError

    # Shared by all encoders.

    def _requirements(self) -> Requirements:
        name = type(self).__name__
        if self.pyramid_weights is not None and len(self.pyramid_weights) != len(self.pyramid):
            raise InputError(
                f"{name}: pyramid_weights requires one weight per grid of pyramid, "
                f"{len(self.pyramid)} in all, got {len(self.pyramid_weights)}."
            )
        parameter, least = self._least_sample()
        if self.n_samples < least:
            raise InputError(
                f"{name}: n_samples={self.n_samples} is too small for {parameter}={least}. Set "
                f"n_samples to at least {least}."
            )
        return Requirements()

    def _fit(self, images: LazyBatch, y: Any) -> None:
        sample = self._sample(images)
        x = np.concatenate([found.values for found in sample])
        self.n_features_in_ = x.shape[1]
        # A single thread makes sums independent of the number of processors.
        with one_thread_inside:
            self._learn_projection(x)
            self._learn(self._projected(x, sample))

    def _sample(self, images: LazyBatch) -> Sequence[DescriptorSet]:
        """Draw descriptors to fit on, and check their number and length."""
        name = type(self).__name__
        sample = draw_descriptors(images, self.n_samples, self.random_state)
        drawn = sum(map(len, sample))
        parameter, least = self._least_sample()
        if drawn < least:
            raise InputError(
                f"{name}: {parameter}={least} requires at least {least} descriptors, got {drawn}. "
                f"Fit on more images, or reduce {parameter}."
            )
        lengths = sorted({found.shape[1] for found in sample})
        if len(lengths) > 1:
            raise InputError(
                f"{name}: descriptors must have the same length in all images, got {lengths[0]} "
                f"and {lengths[-1]} entries."
            )
        return sample

    def _learn_projection(self, x: Float32) -> None:
        self.mean_: Float32 = np.zeros(x.shape[1], np.float32)
        self.components_: Float32 | None = None
        if self.n_components is None and not self.whiten:
            return
        for limit, quantity in ((x.shape[1], "descriptor length"), (len(x), "sample size")):
            if self.n_components is not None and self.n_components > limit:
                raise InputError(
                    f"{type(self).__name__}: n_components={self.n_components} exceeds the "
                    f"{quantity}. Use at most {limit}."
                )
        if len(x) < 2:
            raise InputError(
                f"{type(self).__name__}: a projection requires at least two descriptors, got one. "
                "Fit on more images."
            )
        self.mean_ = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        centered = np.subtract(x, self.mean_, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # the unused variance ratios may be 0 / 0
            pca = PCA(self.n_components, svd_solver="covariance_eigh").fit(centered)
        components, variances = pca.components_, pca.explained_variance_
        rounding = float(np.finfo(np.float32).eps * np.abs(x).max()) ** 2
        known = variances > _LEAST_VARIANCE * variances.max() + rounding
        if not known.any():
            components, variances, known = np.zeros_like(components[:1]), np.ones(1), slice(None)
        components, variances = components[known], variances[known]
        if self.whiten:
            components = components / np.sqrt(variances)[:, np.newaxis]
        self.components_ = np.ascontiguousarray(components, np.float32)

    def _projected(self, x: Float32, found: Sequence[DescriptorSet]) -> Float32:
        """Project descriptors and append their positions."""
        if self.components_ is not None:
            x = np.asarray((x - self.mean_) @ self.components_.T)
        if self.append_position is None:
            return np.ascontiguousarray(x)
        places = np.concatenate([self._positions(part) for part in found]) - np.float32(0.5)
        return np.hstack([x, np.float32(self.append_position) * places])

    def _positions(self, found: DescriptorSet) -> Float32:
        if found.positions is None or found.size is None:
            parameter = "pyramid" if self.append_position is None else "append_position"
            raise InputError(
                f"{type(self).__name__}: {parameter} requires descriptors with positions. Use a "
                "stage that computes them, such as DenseSIFT, or pass positions and size to "
                "DescriptorSet."
            )
        return found.relative_positions

    def _transform_one(self, image: DescriptorSet) -> Float32:
        vectors = np.zeros((len(cell_names(self.pyramid)), self._length()))
        if len(image) == 0:
            return vectors.ravel().astype(np.float32)
        self._check_length(image)
        x, regions = self._projected(image.values, [image]), self._regions(image)
        parts = [x[rows] for rows in regions.rows]
        statistics = np.stack([self._statistics(part) for part in parts])
        for vector, cell in zip(vectors, regions.cells, strict=True):
            if cell:
                count = sum(len(parts[region]) for region in cell)
                vector[:] = self._encode(self._combine(statistics[cell]), count)
        return self._normalized(vectors)

    def parts(self, image: DescriptorSet, shares: Float64) -> Float64:
        r"""Distribute each entry's contribution to a score over the image's descriptors.

        Before normalization, an entry is a sum over the descriptors of its cell, :math:`v_j =
        \sum_i s_{ij}`. Descriptor :math:`i` receives the part :math:`c_j s_{ij} / v_j` of the
        entry's contribution :math:`c_j`. The parts sum to :math:`\sum_j c_j`, except for entries
        that are zero. Power and norm scale all descriptors by the same factor, which cancels. With
        max pooling, the descriptors that attain the maximum share the contribution.

        Parameters
        ----------
        image : DescriptorSet
            Descriptors of the image.
        shares : ndarray of shape (d,)
            Contribution of each entry of the vector.

        Returns
        -------
        ndarray of shape (k,)
            Contribution of each descriptor.
        """
        parts = np.zeros(len(image))
        if len(image) == 0:
            return parts
        self._check_length(image)
        x, regions = self._projected(image.values, [image]), self._regions(image)
        rows = [np.arange(len(image))[one] for one in regions.rows]
        shares = np.asarray(shares, np.float64).reshape(len(regions.cells), -1)
        for own, cell in zip(shares, regions.cells, strict=True):
            if cell:
                inside = np.concatenate([rows[region] for region in cell])
                vector = self._encode(self._statistics(x[inside]), len(inside))
                weights = np.divide(own, vector, out=np.zeros_like(own), where=vector != 0)
                parts[inside] += self._parts(x[inside], weights)
        return parts

    def _check_length(self, found: DescriptorSet) -> None:
        if found.shape[1] != self.n_features_in_:
            raise InputError(
                f"{type(self).__name__}: descriptors have {found.shape[1]} entries, expected "
                f"{self.n_features_in_} as in fit."
            )

    def _regions(self, image: DescriptorSet) -> Regions:
        if is_whole(self.pyramid):
            return Regions([slice(None)], [[0]])
        return divide(self._positions(image), self.pyramid)

    def _normalized(self, vectors: Float64) -> Float32:
        """Normalize the vectors of the cells and concatenate them."""
        vectors = self._powered(vectors)
        if self.normalize_cells and self.norm is not None:
            vectors = divided(vectors, self.norm)
        if self.pyramid_weights is not None:
            cells = [rows * columns for rows, columns in self.pyramid]
            vectors = vectors * np.repeat(self.pyramid_weights, cells)[:, np.newaxis]
        whole = vectors.reshape(1, -1)
        if self.norm is not None:
            whole = divided(whole, self.norm)
        return whole.ravel().astype(np.float32)

    def _powered(self, vectors: Float64) -> Float64:
        if self.power == 1:
            return vectors
        powered: Float64 = np.copysign(np.abs(vectors) ** self.power, vectors)
        return powered

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        name, entries = type(self).__name__.lower(), self._entry_names()
        return [f"{name}{cell}_{entry}" for cell in cell_names(self.pyramid) for entry in entries]


def divided(vectors: Float64, norm: str) -> Float64:
    """Scale each row to unit norm; zero rows stay zero."""
    norms = np.linalg.norm(vectors, ord=1 if norm == "l1" else 2, axis=1, keepdims=True)
    divided: Float64 = vectors / np.where(norms > 0, norms, 1)
    return divided
