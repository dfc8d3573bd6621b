"""What all encoders share: projection, positions, pyramids, normalisation, names."""

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

# Of the largest variance: directions of less hold nothing but rounding.
_LEAST_VARIANCE = 1e-9


class Encoder(DeclaredParameters, ImageStage):
    r"""Base of the encoders: from a set of local descriptors to one vector.

    The author of an encoder gives `_least_sample` and `_learn`, for a sample of descriptors;
    `_statistics`, from the descriptors of a region to an array; `_encode`, from the statistics of
    a cell to a vector; and `_length` and `_entry_names` of that vector. Statistics of regions are
    added up to those of a cell, unless `_combine` says otherwise.

    Parameters
    ----------
    n_components : int, optional
        Project descriptors to this many principal components of the sample first, or to fewer
        where it varies in fewer directions.
    whiten : bool, default=False
        Divide each component by its standard deviation; all components where ``n_components``
        is not given.
    append_position : float, optional
        Append this number times (row - 1/2, column - 1/2) to each descriptor after the
        projection; rows and columns are fractions of the image's height and width.
    pyramid : list of (int, int), default=((1, 1),)
        Grids of rows and columns. Each cell of each grid is encoded by itself, and the vectors
        are concatenated, grid by grid and row by row.
    pyramid_weights : list of float, optional
        A factor for each grid.
    power : float, default=1.0
        Each entry :math:`v` becomes :math:`\operatorname{sign}(v)|v|^\text{power}`.
    norm : {"l1", "l2"} or None, default=None
        Divide the vector by this norm, unless that is zero.
    normalize_cells : bool, default=False
        Divide each cell's vector by its norm, before the weights and the norm of the whole.
    n_samples : int, default=100_000
        The number of descriptors to learn from: about as many of each image, of at most so many
        images that each gives 250.
    random_state : int, default=0
        Seed of the sample and of what is learned from it.

    Attributes
    ----------
    mean_ : ndarray of float32, (``n_features_in_``,)
        What is subtracted before the projection; zero where there is none.
    components_ : ndarray of float32, (n_components, ``n_features_in_``), or None
        The directions of the projection, divided by their standard deviations under ``whiten``.
    n_features_in_ : int
        The length of a descriptor.

    Raises
    ------
    ValueError
        If there are fewer descriptors to learn from than words, Gaussians or components, if
        descriptors are not all of one length, or if they lack the positions that the parameters
        need.
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

    # What the author of an encoder writes.

    def _least_sample(self) -> tuple[str, int]:
        """Name the parameter that tells how many descriptors it takes to learn, and give it."""
        raise NotImplementedError

    def _learn(self, x: Float32) -> None:
        """Learn from a sample of descriptors, projected and with their positions appended."""
        raise NotImplementedError

    def _statistics(self, x: Float32) -> Float64:
        """Compute what the vector of a cell is made of, for a region with descriptors."""
        raise NotImplementedError

    def _combine(self, statistics: Float64) -> Float64:
        """Give the statistics of several regions together, which are along the first axis."""
        together: Float64 = statistics.sum(axis=0)
        return together

    def _encode(self, statistics: Float64, count: int) -> Float64:
        """Compute the vector of a cell of so many descriptors, one at least."""
        raise NotImplementedError

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        """Part the product of weights with a cell's vector among its descriptors: they add up."""
        raise NotImplementedError

    def _length(self) -> int:
        """Tell how many entries the vector of a cell has."""
        raise NotImplementedError

    def _entry_names(self) -> list[str]:
        """Name the entries of a cell's vector."""
        raise NotImplementedError

    # What every encoder gets.

    def _requirements(self) -> Requirements:
        name = type(self).__name__
        if self.pyramid_weights is not None and len(self.pyramid_weights) != len(self.pyramid):
            raise InputError(
                f"{name}: pyramid_weights needs one number for each of the {len(self.pyramid)} "
                f"grids of pyramid, but has {len(self.pyramid_weights)}."
            )
        parameter, least = self._least_sample()
        if self.n_samples < least:
            raise InputError(
                f"{name}: {parameter}={least} needs at least as many descriptors to learn from, "
                f"but n_samples={self.n_samples}."
            )
        return Requirements()

    def _fit(self, images: LazyBatch, y: Any) -> None:
        sample = self._sample(images)
        x = np.concatenate([found.values for found in sample])
        self.n_features_in_ = x.shape[1]
        # With one thread, sums are the same whatever the number of processors.
        with one_thread_inside:
            self._learn_projection(x)
            self._learn(self._projected(x, sample))

    def _sample(self, images: LazyBatch) -> Sequence[DescriptorSet]:
        """Draw descriptors to learn from: enough, and of one length."""
        name = type(self).__name__
        sample = draw_descriptors(images, self.n_samples, self.random_state)
        drawn = sum(map(len, sample))
        parameter, least = self._least_sample()
        if drawn < least:
            raise InputError(
                f"{name}: {parameter}={least} needs at least as many descriptors to learn from, "
                f"but these images give {drawn}."
            )
        lengths = sorted({found.shape[1] for found in sample})
        if len(lengths) > 1:
            raise InputError(
                f"{name} takes descriptors of one length, but these images give some of "
                f"{lengths[0]} and some of {lengths[-1]} entries."
            )
        return sample

    def _learn_projection(self, x: Float32) -> None:
        self.mean_: Float32 = np.zeros(x.shape[1], np.float32)
        self.components_: Float32 | None = None
        if self.n_components is None and not self.whiten:
            return
        for limit, what in ((x.shape[1], "entries of a descriptor"), (len(x), "descriptors")):
            if self.n_components is not None and self.n_components > limit:
                raise InputError(
                    f"{type(self).__name__}: n_components={self.n_components} is more than the "
                    f"{limit} {what} to learn from."
                )
        if len(x) < 2:
            raise InputError(
                f"{type(self).__name__}: a projection needs at least two descriptors to learn "
                "from, but these images give one."
            )
        self.mean_ = x.mean(axis=0, dtype=np.float64).astype(np.float32)
        centred = np.subtract(x, self.mean_, dtype=np.float64)
        with np.errstate(invalid="ignore"):  # shares of no variance, which are not used
            pca = PCA(self.n_components, svd_solver="covariance_eigh").fit(centred)
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
        """Project descriptors, and append the positions of the sets from which they come."""
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
                f"{type(self).__name__}: {parameter} needs the positions of the descriptors, but "
                "these carry none. Take them from a stage, such as DenseSIFT, or give "
                "DescriptorSet its positions and size."
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
        r"""Part what the entries of an image's vector add to a score among its descriptors.

        Before it is normalised, an entry is a sum over the descriptors of its cell, :math:`v_j =
        \sum_i s_{ij}`. Of its share :math:`c_j`, each gets :math:`c_j s_{ij} / v_j`; all together
        they get :math:`\sum_j c_j`, but for the entries that are zero. Roots and norms are thus
        factors, the same for all descriptors. The largest of several is that of those which have
        it.

        Parameters
        ----------
        image : DescriptorSet
            The descriptors.
        shares : ndarray of shape (d,)
            What each entry of the vector adds.

        Returns
        -------
        ndarray of shape (k,)
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
                f"{type(self).__name__} was fitted on descriptors of {self.n_features_in_} "
                f"entries, but was given some of {found.shape[1]}."
            )

    def _regions(self, image: DescriptorSet) -> Regions:
        if is_whole(self.pyramid):
            return Regions([slice(None)], [[0]])
        return divide(self._positions(image), self.pyramid)

    def _normalized(self, vectors: Float64) -> Float32:
        """Normalise the vectors of the cells, and put them side by side."""
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
    """Divide each row by its norm, unless that is zero."""
    norms = np.linalg.norm(vectors, ord=1 if norm == "l1" else 2, axis=1, keepdims=True)
    divided: Float64 = vectors / np.where(norms > 0, norms, 1)
    return divided
