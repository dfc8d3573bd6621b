"""Histograms of oriented gradients."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.compiled import compiled
from featx.constraints import StrOptions, natural, pair
from featx.stage import Image, ImageStage

_NORMS = ("L1", "L1-sqrt", "L2", "L2-Hys")


class HOG(ImageStage):
    r"""Histograms of oriented gradients, normalised over overlapping blocks.

    The gradient at a pixel is :math:`g = (x_{i+1,j} - x_{i-1,j},\ x_{i,j+1} - x_{i,j-1})`, each
    part zero on the two borders that it would cross; of several channels, the one of the longest
    gradient counts. A cell's histogram adds up :math:`|g|` by the direction of :math:`g` in
    [0, 180) degrees, in equal bins, and is divided by the number of pixels. The cells of each
    block, row by row, form a vector :math:`v`, which is normalised; blocks start at every cell.

    Parameters
    ----------
    orientations : int, default=9
        The number of bins.
    pixels_per_cell : (int, int), default=(8, 8)
        Height and width of a cell. Pixels beyond the last whole cell are not used.
    cells_per_block : (int, int), default=(3, 3)
        Rows and columns of cells in a block.
    block_norm : {"L1", "L1-sqrt", "L2", "L2-Hys"}, default="L2-Hys"
        With :math:`\epsilon = 10^{-5}`: :math:`v / (\|v\|_1 + \epsilon)`; its square root;
        :math:`v / \sqrt{\|v\|_2^2 + \epsilon^2}`; or the last, cut at 0.2 and normalised again.
    transform_sqrt : bool, default=False
        Take the square root of the image first.

    Raises
    ------
    ValueError
        If an image is smaller than a block, or has negative values under ``transform_sqrt``.

    Notes
    -----
    Takes maps (height, width, c); gives vectors of
    :math:`(r - b_r + 1)(s - b_s + 1) \, b_r b_s o` entries, for :math:`r \times s` cells,
    :math:`b_r \times b_s` cells in a block and :math:`o` orientations, ordered by block row,
    block column, cell row, cell column and orientation: the values of `skimage.feature.hog`.

    Unlike [1]_, and like scikit-image, a pixel counts for one bin and one cell alone, without
    interpolation, and blocks have no Gaussian window.

    References
    ----------
    .. [1] N. Dalal and B. Triggs, "Histograms of Oriented Gradients for Human Detection",
       CVPR 2005.

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
        "orientations": [natural],
        "pixels_per_cell": [pair],
        "cells_per_block": [pair],
        "block_norm": [StrOptions(set(_NORMS))],
        "transform_sqrt": ["boolean"],
    }

    def __init__(
        self,
        orientations: int = 9,
        pixels_per_cell: Sequence[int] = (8, 8),
        cells_per_block: Sequence[int] = (3, 3),
        block_norm: str = "L2-Hys",
        transform_sqrt: bool = False,
    ) -> None:
        self.orientations = orientations
        self.pixels_per_cell = pixels_per_cell
        self.cells_per_block = cells_per_block
        self.block_norm = block_norm
        self.transform_sqrt = transform_sqrt

    def _least_shape(self) -> tuple[int, ...]:
        (height, width), (rows, columns) = self.pixels_per_cell, self.cells_per_block
        return height * rows, width * columns

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        if self.transform_sqrt:
            if image.min() < 0:
                raise ValueError(
                    "HOG: transform_sqrt=True takes the square root of the image, but the image "
                    f"has negative values, down to {image.min():g}."
                )
            image = np.sqrt(image)
        histograms = _cell_histograms(image, *_borders(self.orientations), *self.pixels_per_cell)
        return _block_vectors(histograms, *self.cells_per_block, _NORMS.index(self.block_norm))

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        (height, width), (rows, columns) = self.pixels_per_cell, self.cells_per_block
        return [
            f"hog_block{block_row}_{block_column}_cell{row}_{column}_bin{orientation}"
            for block_row in range(shape[0] // height - rows + 1)
            for block_column in range(shape[1] // width - columns + 1)
            for row in range(rows)
            for column in range(columns)
            for orientation in range(self.orientations)
        ]


@lru_cache(maxsize=32)
def _borders(orientations: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give cosine and sine of the borders between bins; multiples of 45 degrees exactly."""
    degrees = 180 * np.arange(1, orientations) / orientations
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    diagonal = degrees % 90 == 45
    cosine[diagonal], sine[diagonal] = np.sign(cosine[diagonal]), 1
    cosine[degrees == 90] = 0
    return cosine, sine


@compiled
def _cell_histograms(
    image: NDArray[np.float32],
    cosine: NDArray[np.float64],
    sine: NDArray[np.float64],
    cell_height: int,
    cell_width: int,
) -> NDArray[np.float32]:
    """Add up gradients by cell and orientation, a row of the image at a time."""
    height, width, channels = image.shape
    rows, columns, borders = height // cell_height, width // cell_width, len(cosine)
    used = columns * cell_width
    histograms = np.zeros((rows, columns, borders + 1), np.float32)
    down, across = np.empty(used, np.float64), np.empty(used, np.float64)
    length, bins = np.empty(used, np.float32), np.empty(used, np.int32)
    for y in range(rows * cell_height):
        inside = 0 < y < height - 1
        for x in range(used):
            longest = -1.0
            for channel in range(channels):
                dy, dx = 0.0, 0.0
                if inside:
                    dy = np.float64(image[y + 1, x, channel]) - image[y - 1, x, channel]
                if 0 < x < width - 1:
                    dx = np.float64(image[y, x + 1, channel]) - image[y, x - 1, channel]
                square = dy * dy + dx * dx
                if square > longest:
                    longest, down[x], across[x] = square, dy, dx
        # Directions are taken modulo 180 degrees: down >= 0. Then the direction is past a border
        # where the cross product with it is not negative; no arcus tangent is needed.
        for x in range(used):
            length[x] = np.sqrt(down[x] * down[x] + across[x] * across[x])
            turned = down[x] < 0 or (down[x] == 0 and across[x] < 0)
            down[x] = -down[x] if turned else down[x]
            across[x] = -across[x] if turned else across[x]
            bins[x] = 0
        for border in range(borders):
            for x in range(used):
                bins[x] += cosine[border] * down[x] - sine[border] * across[x] >= 0
        row = histograms[y // cell_height]
        for column in range(columns):
            for x in range(column * cell_width, (column + 1) * cell_width):
                row[column, bins[x]] += length[x]
    return histograms / np.float32(cell_height * cell_width)


@compiled
def _block_vectors(
    histograms: NDArray[np.float32], block_rows: int, block_columns: int, norm: int
) -> NDArray[np.float32]:
    """Normalise each block's histograms and string them together."""
    rows, columns, orientations = histograms.shape
    down, across = rows - block_rows + 1, columns - block_columns + 1
    size = block_rows * block_columns * orientations
    vectors = np.empty((down, across, size), np.float32)
    for i in range(down):
        for j in range(across):
            vector = vectors[i, j]
            block = histograms[i : i + block_rows, j : j + block_columns]
            vector.reshape(block_rows, block_columns, orientations)[:] = block
            if norm <= 1:
                total = np.float32(0)
                for k in range(size):
                    total += vector[k]
                for k in range(size):
                    vector[k] /= total + np.float32(1e-5)
                    if norm == 1:
                        vector[k] = np.sqrt(vector[k])
                continue
            _divide_by_length(vector)
            if norm == 3:
                for k in range(size):
                    vector[k] = min(vector[k], np.float32(0.2))
                _divide_by_length(vector)
    return vectors.ravel()


@compiled
def _divide_by_length(vector: NDArray[np.float32]) -> None:
    square = np.float32(1e-10)
    for k in range(len(vector)):
        square += vector[k] * vector[k]
    scale = np.float32(1) / np.sqrt(square)
    for k in range(len(vector)):
        vector[k] *= scale
