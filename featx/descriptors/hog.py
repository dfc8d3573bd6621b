"""Histograms of oriented gradients."""

from collections.abc import Sequence
from functools import lru_cache
from math import prod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import StrOptions, natural_to, pair
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.uoctti import count_cells, uoctti_cells, uoctti_names

_NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")


class HOG(ImageStage):
    r"""Histograms of oriented gradients, normalized over overlapping blocks.

    The default is the variant of Dalal and Triggs [1]_. The gradient at a pixel is
    :math:`g = (x_{i+1,j} - x_{i-1,j},\ x_{i,j+1} - x_{i,j-1})`; each component is zero at the
    borders it would cross. Of several channels, the gradient of largest magnitude is used, the
    first one on ties. The histogram of a cell sums the magnitude :math:`|g|` by orientation in
    [0, 180) degrees, in equal bins, divided by the number of pixels. The cells of a block, row by
    row, form a vector :math:`v`, which is normalized. A block starts at every cell.

    The *UoCTTI* variant of the deformable part models [2]_ has :math:`3o + 4` features per cell: 31
    for nine orientations. Each gradient inside the border is assigned to the nearest of :math:`2o`
    directions, clockwise from the right. Its magnitude is distributed bilinearly among the four
    nearest cells. Let :math:`d_k` be the sum of a cell for a direction and
    :math:`u_k = d_k + d_{k+o}` that for an orientation. The norm
    :math:`N_b^2 = 10^{-4} + \sum u_k^2` is computed over each of the four blocks of 2 × 2 cells
    that contain the cell; the outermost cells are repeated beyond the border. The features, for
    directions, orientations and blocks (upper left, upper right, lower left, lower right), are

    .. math::
        \tfrac12 \sum_b \min(d_k / N_b, 0.2), \quad
        \tfrac12 \sum_b \min(u_k / N_b, 0.2), \quad
        \tfrac1{\sqrt{18}} \sum_k \min(u_k / N_b, 0.2)

    Parameters
    ----------
    orientations : int, default=9
        Number of orientation bins.
    pixels_per_cell : (int, int), default=(8, 8)
        Height and width of a cell. Pixels beyond the last whole cell are ignored.
    cells_per_block : (int, int), default=(3, 3)
        Rows and columns of cells in a block.
    block_norm : {"L1", "L1-sqrt", "L2", "L2-Hys"}, default="L2-Hys"
        Normalization of a block, with :math:`\epsilon = 10^{-5}`. ``"L1"`` is
        :math:`v / (\|v\|_1 + \epsilon)`, ``"L1-sqrt"`` its square root, and ``"L2"`` is
        :math:`v / \sqrt{\|v\|_2^2 + \epsilon^2}`. ``"L2-Hys"`` clips the L2-normalized vector at
        0.2 and normalizes it again.
    transform_sqrt : bool, default=False
        Whether to compute the square root of the image first.
    variant : {"dalal-triggs", "uoctti"}, default="dalal-triggs"
        Variant; ``cells_per_block`` and ``block_norm`` apply only to ``"dalal-triggs"``.

    Raises
    ------
    ValueError
        If an image is smaller than a block, or has negative values with ``transform_sqrt``; or
        if ``cells_per_block`` or ``block_norm`` are set for the UoCTTI variant.

    See Also
    --------
    DenseHOG : Cells of the UoCTTI variant as local descriptors.

    Notes
    -----
    Accepts maps (height, width, c). Returns vectors of
    :math:`(r - b_r + 1)(s - b_s + 1) \, b_r b_s o` entries, for :math:`r \times s` cells,
    :math:`b_r \times b_s` cells per block and :math:`o` orientations. Entries are ordered by block
    row, block column, cell row, cell column and orientation, and equal `skimage.feature.hog`.

    As in scikit-image, a pixel contributes to one bin of one cell. The interpolation between bins
    and cells and the Gaussian window of [1]_ are omitted.

    The UoCTTI variant equals VLFeat's ``vl_hog`` [3]_ for images in [0, 1], ordered by cell row
    and column. The last row and column of cells may extend beyond the border by up to half a cell.

    References
    ----------
    .. [1] N. Dalal and B. Triggs, "Histograms of Oriented Gradients for Human Detection",
       CVPR 2005.
    .. [2] P. Felzenszwalb, R. Girshick, D. McAllester and D. Ramanan, "Object Detection with
       Discriminatively Trained Part-Based Models", IEEE TPAMI 32(9), 2010.
    .. [3] A. Vedaldi and B. Fulkerson, "VLFeat: An Open and Portable Library of Computer Vision
       Algorithms", 2008, http://www.vlfeat.org/api/hog.html.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import HOG
    >>> image = np.zeros((16, 16), dtype=np.float32)
    >>> image[:, 8:] = 1  # a vertical edge: the gradient points along the row, 0 degrees
    >>> hog = HOG(orientations=4, pixels_per_cell=(16, 16), cells_per_block=(1, 1))
    >>> hog.fit_transform([image]).round(3)
    array([[1., 0., 0., 0.]], dtype=float32)
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "orientations": [natural_to(1000)],
        "pixels_per_cell": [pair],
        "cells_per_block": [pair],
        "block_norm": [StrOptions(set(_NORMS))],
        "transform_sqrt": ["boolean"],
        "variant": [StrOptions({"dalal-triggs", "uoctti"})],
    }

    def __init__(
        self,
        orientations: int = 9,
        pixels_per_cell: Sequence[int] = (8, 8),
        cells_per_block: Sequence[int] = (3, 3),
        block_norm: str = "L2-Hys",
        transform_sqrt: bool = False,
        variant: str = "dalal-triggs",
    ) -> None:
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.block_norm = block_norm
        self.transform_sqrt = transform_sqrt
        self.variant = variant

    def _requirements(self) -> Requirements:
        chosen = tuple(self.cells_per_block), self.block_norm
        if self.variant == "uoctti" and chosen != ((3, 3), "L2-Hys"):
            raise InputError(
                'HOG: variant="uoctti" does not support cells_per_block and block_norm. Leave them '
                "at their defaults."
            )
        (height, width), (rows, columns) = self.pixels_per_cell, self.cells_per_block
        if self.variant == "uoctti":
            return Requirements((height - height // 2, width - width // 2))
        return Requirements((height * rows, width * columns))

    def _needs_double(self, channels: int) -> bool:
        """Return whether double precision is required.

        Differences of float32 are exact in double precision. 8-bit pixels often produce ties
        between channels, or with the bin edge at 45 degrees, and exact differences preserve them.
        The square root of a small entry also requires the exact entry.
        """
        ties = channels > 1 or self.orientations % 4 == 0
        return ties or self.transform_sqrt or self.block_norm == "L1-sqrt"

    def _length(self, shape: tuple[int, ...]) -> int:
        """Return the number of features for an image shape."""
        (height, width), (rows, columns) = self.pixels_per_cell, self.cells_per_block
        if self.variant == "uoctti":
            return prod(count_cells(shape[:2], (height, width))) * len(
                uoctti_names(self.orientations)
            )
        down, across = shape[0] // height - rows + 1, shape[1] // width - columns + 1
        return down * across * rows * columns * self.orientations

    def _transform_one(
        self, image: Image, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        if self.transform_sqrt and image.min() < 0:
            raise InputError(
                "HOG: transform_sqrt=True requires nonnegative values, got a minimum of "
                f"{image.min():g}. Shift the values, or use transform_sqrt=False."
            )
        if out is None:
            out = np.empty(self._length(image.shape), np.float32)
        cell_height, cell_width = self.pixels_per_cell
        if self.variant == "uoctti":
            image = np.sqrt(image) if self.transform_sqrt else image
            cells = uoctti_cells(image, self.orientations, (cell_height, cell_width))
            out[:] = cells.ravel()
            return out
        dtype = np.float64 if self._needs_double(image.shape[2]) else np.float32
        planes = np.ascontiguousarray(image.transpose(2, 0, 1), dtype)
        if self.transform_sqrt:
            planes = np.sqrt(planes)
        block_rows, block_columns = self.cells_per_block
        borders = _cotangents(self.orientations, dtype)
        norm = _NORMS.index(self.block_norm)
        _hog(planes, borders, cell_height, cell_width, block_rows, block_columns, norm, out)
        return out

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        (height, width), (rows, columns) = self.pixels_per_cell, self.cells_per_block
        if self.variant == "uoctti":
            return [
                f"hog_cell{row}_{column}_{name}"
                for row, column in np.ndindex(count_cells(shape[:2], (height, width)))
                for name in uoctti_names(self.orientations)
            ]
        return [
            f"hog_block{block_row}_{block_column}_cell{row}_{column}_bin{orientation}"
            for block_row in range(shape[0] // height - rows + 1)
            for block_column in range(shape[1] // width - columns + 1)
            for row in range(rows)
            for column in range(columns)
            for orientation in range(self.orientations)
        ]


@lru_cache(maxsize=32)
def _cotangents(orientations: int, dtype: type) -> NDArray[Any]:
    """Return the cotangent of each bin's lower edge, exact at multiples of 45 degrees."""
    degrees = 180 * np.arange(1, orientations) / orientations
    cotangents = 1 / np.tan(np.radians(degrees))
    whole = degrees % 45 == 0
    cotangents[whole] = np.rint(cotangents[whole])
    return np.array([np.inf, *cotangents], dtype)


@compiled
def _hog(
    planes: NDArray[Any],
    cotangents: NDArray[Any],
    cell_height: int,
    cell_width: int,
    block_rows: int,
    block_columns: int,
    norm: int,
    out: NDArray[np.float32],
) -> None:
    """Write the features of an image in one compiled call, which costs less than two."""
    histograms = _cell_histograms(planes, cotangents, cell_height, cell_width)
    _block_vectors(histograms, block_rows, block_columns, norm, out)


@compiled
def _cell_histograms(
    planes: NDArray[Any], cotangents: NDArray[Any], cell_height: int, cell_width: int
) -> NDArray[np.float32]:
    """Sum gradient magnitudes by orientation and cell, one row of cells at a time.

    Returns
    -------
    ndarray of shape (orientations, rows, columns)
    """
    channels, height, width = planes.shape
    rows, columns, bins = height // cell_height, width // cell_width, len(cotangents)
    used = columns * cell_width
    down, across = np.empty(used, planes.dtype), np.empty(used, planes.dtype)
    other_down, other_across = np.empty_like(down), np.empty_like(across)
    # Rows are added in groups of four; rows beyond the cell keep magnitude zero.
    fours = -(-cell_height // 4) * 4
    lengths = np.zeros((fours, used), planes.dtype)
    ratios = np.zeros((fours, used), planes.dtype)
    past = np.zeros((rows, bins, used), planes.dtype)
    zero = planes.dtype.type(0)
    for i in range(rows):
        for r in range(cell_height):
            y = i * cell_height + r
            _gradients(planes, 0, y, down, across)
            for channel in range(1, channels):
                _gradients(planes, channel, y, other_down, other_across)
                _keep_longer(down, across, other_down, other_across)
            _to_polar(down, across, r, lengths, ratios)
        # Cumulative sums past each bin edge require one comparison per pixel instead of two. For an
        # empty bin the two sums are equal to the last bit, so their difference is zero.
        for b in range(bins):
            border = cotangents[b]
            for r in range(0, fours, 4):
                for x in range(used):
                    past[i, b, x] += (
                        (lengths[r, x] if ratios[r, x] <= border else zero)
                        + (lengths[r + 1, x] if ratios[r + 1, x] <= border else zero)
                        + (lengths[r + 2, x] if ratios[r + 2, x] <= border else zero)
                        + (lengths[r + 3, x] if ratios[r + 3, x] <= border else zero)
                    )
    sums = _add_runs(past.ravel(), cell_width).reshape(rows, bins, columns)
    share = planes.dtype.type(1 / (cell_height * cell_width))
    return _between_borders(sums, share)


@compiled
def _to_polar(
    down: NDArray[Any], across: NDArray[Any], row: int, lengths: NDArray[Any], ratios: NDArray[Any]
) -> None:
    """Write the magnitude and the cotangent of the orientation of a row of gradients."""
    level = lengths.dtype.type(np.inf)
    for x in range(len(down)):
        dy, dx = down[x], across[x]
        lengths[row, x] = np.sqrt(dy * dy + dx * dx)
        # The cotangent decreases from infinity at 0 degrees to minus infinity at 180, and is equal
        # for opposite gradients.
        ratios[row, x] = level if dy == 0 else dx / dy


@compiled
def _between_borders(sums: NDArray[Any], share: Any) -> NDArray[np.float32]:
    """Convert cumulative sums (rows, bins, columns) to means (bins, rows, columns) by bin."""
    rows, bins, columns = sums.shape
    zero = sums.dtype.type(0)
    histograms = np.empty((bins, rows, columns), np.float32)
    for i in range(rows):
        for b in range(bins):
            for column in range(columns):
                beyond = sums[i, b + 1, column] if b + 1 < bins else zero
                histograms[b, i, column] = (sums[i, b, column] - beyond) * share
    return histograms


@compiled
def _gradients(
    planes: NDArray[Any], channel: int, y: int, down: NDArray[Any], across: NDArray[Any]
) -> None:
    """Compute the gradients of one row of a channel."""
    _, height, width = planes.shape
    used = len(down)
    above, below = (y - 1, y + 1) if 0 < y < height - 1 else (y, y)
    for x in range(used):
        down[x] = planes[channel, below, x] - planes[channel, above, x]
    across[0] = 0
    for x in range(1, min(used, width - 1)):
        across[x] = planes[channel, y, x + 1] - planes[channel, y, x - 1]
    if used == width:
        across[used - 1] = 0


@compiled
def _keep_longer(
    down: NDArray[Any], across: NDArray[Any], other_down: NDArray[Any], other_across: NDArray[Any]
) -> None:
    """Replace gradients by those of another channel with larger magnitude."""
    for x in range(len(down)):
        dy, dx, other_dy, other_dx = down[x], across[x], other_down[x], other_across[x]
        longer = other_dy * other_dy + other_dx * other_dx > dy * dy + dx * dx
        down[x] = other_dy if longer else dy
        across[x] = other_dx if longer else dx


@compiled
def _add_runs(values: NDArray[Any], count: int) -> NDArray[Any]:
    """Sum each run of ``count`` values, pairwise while possible, which vectorizes."""
    while count % 2 == 0:
        count //= 2
        pairs = np.empty(len(values) // 2, values.dtype)
        for n in range(len(pairs)):
            pairs[n] = values[2 * n] + values[2 * n + 1]
        values = pairs
    sums = np.zeros(len(values) // count, values.dtype)
    for n in range(len(sums)):
        for k in range(count):
            sums[n] += values[n * count + k]
    return sums


@compiled
def _block_vectors(
    histograms: NDArray[np.float32],
    block_rows: int,
    block_columns: int,
    norm: int,
    vectors: NDArray[np.float32],
) -> None:
    """Normalize the histograms of each block and concatenate them."""
    bins, rows, columns = histograms.shape
    down, across = rows - block_rows + 1, columns - block_columns + 1
    maps = histograms.reshape(bins, rows * columns)
    # The index of a block is that of its first cell. Blocks that would leave the image to the right
    # are computed to keep loops long, and ignored.
    blocks = (down - 1) * columns + across
    factors = _norm_factors(maps, columns, block_rows, block_columns, blocks, norm)
    limit, again = np.float32(np.inf), np.ones(blocks, np.float32)
    if norm == 3:
        limit = np.float32(0.2)
        again = _norm_again(maps, columns, block_rows, block_columns, factors, limit)
    by_cell = np.ascontiguousarray(maps.T).ravel()
    part = block_columns * bins
    end = 0
    for i in range(down):
        for j in range(across):
            factor, second = factors[i * columns + j], again[i * columns + j]
            for r in range(block_rows):
                start = ((i + r) * columns + j) * bins
                # Slices vectorize; numba does not vectorize loops over computed indices, which may
                # be negative.
                source, target = by_cell[start : start + part], vectors[end : end + part]
                for n in range(part):
                    target[n] = min(source[n] * factor, limit) * second
                end += part
    if norm == 1:
        for n in range(len(vectors)):
            vectors[n] = np.sqrt(vectors[n])


@compiled
def _norm_factors(
    maps: NDArray[np.float32],
    columns: int,
    block_rows: int,
    block_columns: int,
    blocks: int,
    norm: int,
) -> NDArray[np.float32]:
    """Compute the inverse of each block's norm."""
    sizes, factors = np.zeros(maps.shape[1], np.float32), np.zeros(blocks, np.float32)
    for b in range(len(maps)):
        for n in range(len(sizes)):
            entry = maps[b, n]
            sizes[n] += entry if norm <= 1 else entry * entry
    for r in range(block_rows):
        for c in range(block_columns):
            moved = sizes[r * columns + c :]
            for n in range(blocks):
                factors[n] += moved[n]
    one, epsilon, square = np.float32(1), np.float32(1e-5), np.float32(1e-10)
    for n in range(blocks):
        size = factors[n]
        factors[n] = one / (size + epsilon if norm <= 1 else np.sqrt(size + square))
    return factors


@compiled
def _norm_again(
    maps: NDArray[np.float32],
    columns: int,
    block_rows: int,
    block_columns: int,
    factors: NDArray[np.float32],
    limit: np.float32,
) -> NDArray[np.float32]:
    """Compute the inverse norm of each block after its normalized entries are clipped."""
    again = np.zeros_like(factors)
    for b in range(len(maps)):
        for r in range(block_rows):
            for c in range(block_columns):
                moved = maps[b, r * columns + c :]
                for n in range(len(factors)):
                    entry = min(moved[n] * factors[n], limit)
                    again[n] += entry * entry
    one, square = np.float32(1), np.float32(1e-10)
    for n in range(len(again)):
        again[n] = one / np.sqrt(again[n] + square)
    return again
