"""CENTRIST: census transform histograms in a spatial pyramid."""

from itertools import pairwise
from numbers import Integral
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.batches import LazyBatch
from featx.core.compiled import compiled
from featx.core.constraints import Interval, StrOptions, natural_to
from featx.core.errors import InputError
from featx.core.stage import ImageStage, Pixels, Requirements
from featx.descriptors.binary_patterns import (
    binary_patterns,
    borders,
    boxes_between,
    grey_levels,
    histograms,
    square,
)

#: The patterns that are counted: all but those of no bit and of all bits.
PATTERNS = 254


class CENTRIST(ImageStage):
    r"""Histograms of the census transform in the blocks of a spatial pyramid.

    The census transform of a pixel :math:`x_c` has one bit for each of its eight neighbours,
    row by row, of which the first is the highest: :math:`[x_c \ge x_p]`.

    Level :math:`l` of the pyramid divides the image into :math:`2^l \times 2^l` blocks, and has
    :math:`(2^l - 1)^2` more that are shifted by half a block. For each level below the finest,
    the image is halved, each pixel being the mean of four, so that all blocks have as many
    pixels. Of each block, these are computed:

    - the shares of the pixels that have each pattern but the first and the last, which say little;
      their square roots; and the principal components of these 254 numbers, which are learned
      from all blocks of all images together;
    - the mean and the standard deviation of the pixels.

    Parameters
    ----------
    levels : int, default=3
        The number of levels; three have 25 + 5 + 1 blocks.
    n_components : int or None, default=40
        The number of principal components; None keeps the 254 numbers.
    norm : {"L1", "L1-sqrt"}, default="L1-sqrt"
        Whether shares stay as they are, as in [1]_, or become their square roots.

    Attributes
    ----------
    mean_ : ndarray of shape (254,)
        The mean over all blocks, where components are learned.
    components_ : ndarray of shape (n_components, 254)
        The principal components, of unit length, in the order of their variances.

    Raises
    ------
    ValueError
        If an image is too small for the pyramid, or there are fewer blocks than components.

    Notes
    -----
    Takes maps (height, width, 1); gives vectors, ordered by level from the finest, within it the
    blocks of the grid row by row and then the shifted ones; of each block the components, the
    mean and the standard deviation.

    Images need not be of one size. For components, the covariance of the blocks is added up image
    by image in double precision, so that memory does not grow with their number. What [1]_ gives
    to its classifier is the shares themselves; taking square roots is worth four points there
    (``research/2026-11-24-centrist.md``).

    See Also
    --------
    LBP : Patterns on circles, in the cells of one grid.

    References
    ----------
    .. [1] J. Wu and J. M. Rehg, "CENTRIST: A Visual Descriptor for Scene Categorization",
       IEEE TPAMI 33(8), 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import CENTRIST
    >>> images = np.random.default_rng(0).random((4, 32, 32, 1), dtype=np.float32)
    >>> CENTRIST().fit_transform(images).shape  # 31 blocks of 40 components and 2 numbers
    (4, 1302)
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "levels": [natural_to(1000)],
        "n_components": [Interval(Integral, 1, PATTERNS, closed="both"), None],
        "norm": [StrOptions({"L1", "L1-sqrt"})],
    }

    def __init__(
        self, levels: int = 3, n_components: int | None = 40, norm: str = "L1-sqrt"
    ) -> None:
        self.levels = levels
        self.n_components = n_components
        self.norm = norm

    def _requirements(self) -> Requirements:
        side: int = 3 * 2 ** (self.levels - 1)
        return Requirements((side, side), channels=(1,), uint8=True)

    def _fit(self, images: LazyBatch, y: Any) -> None:
        if self.n_components is None:
            return
        count, total, products = 0, np.zeros(PATTERNS), np.zeros((PATTERNS, PATTERNS))
        for image in images:
            shares = self._blocks(image)[0].astype(np.float64)
            count += len(shares)
            total += shares.sum(axis=0)
            products += shares.T @ shares
        if count < self.n_components:
            raise InputError(
                f"CENTRIST learns {self.n_components} components from as many blocks at least, "
                f"but there are {count}. Fit it on more images, or use fewer components."
            )
        self.mean_ = total / count
        variances, vectors = np.linalg.eigh(products / count - np.outer(self.mean_, self.mean_))
        components = vectors.T[np.argsort(-variances)[: self.n_components]]
        # A component and its negative are as good: the largest entry is made positive.
        largest = np.abs(components).argmax(axis=1)
        signs = np.sign(np.take_along_axis(components, largest[:, np.newaxis], axis=1))
        self.components_ = components * signs

    def _transform_one(self, image: Pixels) -> NDArray[np.float32]:
        shares, moments = self._blocks(image)
        if self.n_components is not None:
            shares = (shares - self.mean_) @ self.components_.T
        return np.concatenate([shares, moments], axis=1, dtype=np.float32).ravel()

    def _blocks(self, image: Pixels) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Compute the shares of the patterns in each block; its mean and standard deviation."""
        levels, unit = grey_levels(image[..., 0])
        counted, moments = [], []
        for level in reversed(range(self.levels)):
            inside = np.ascontiguousarray(levels[1:-1, 1:-1])
            boxes = _level_boxes(inside.shape, 2**level)
            counted.append(histograms(census_transform(levels), _ALL, len(_ALL), boxes))
            moments.append(_moments(inside, boxes) / unit)
            if level > 0:
                levels = _halved(levels)
        counts = np.concatenate(counted)
        shares = counts[:, 1:-1] / counts.sum(axis=1, keepdims=True)
        return np.sqrt(shares) if self.norm == "L1-sqrt" else shares, np.concatenate(moments)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        if self.n_components is None:
            numbers = [f"pattern{pattern}" for pattern in range(1, PATTERNS + 1)]
        else:
            numbers = [f"component{index}" for index in range(self.n_components)]
        return [
            f"centrist_level{level}_{block}_{number}"
            for level in reversed(range(self.levels))
            for block in _block_names(2**level)
            for number in [*numbers, "mean", "standard_deviation"]
        ]


_ALL = np.arange(256, dtype=np.uint8)


def census_transform(levels: NDArray[np.float32]) -> NDArray[Any]:
    """Compute the patterns of the neighbours that are not brighter than the pixel."""
    return binary_patterns(-levels, square())


def _halved(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average squares of four pixels: exact for 8 bits, so that what was equal stays equal."""
    height, width = levels.shape[0] // 2, levels.shape[1] // 2
    even = levels[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _level_boxes(shape: tuple[int, ...], count: int) -> NDArray[np.int64]:
    """Give the blocks of a level, and those that are shifted by half a block."""
    rows, columns = (borders(length, count) for length in shape)
    return np.concatenate(
        [boxes_between(rows, columns), boxes_between(_middles(rows), _middles(columns))]
    )


def _middles(sides: list[int]) -> list[int]:
    return [(first + second) // 2 for first, second in pairwise(sides)]


def _block_names(count: int) -> list[str]:
    return [
        f"{kind}{row}_{column}"
        for kind, side in (("block", count), ("shifted", count - 1))
        for row in range(side)
        for column in range(side)
    ]


@compiled
def _moments(pixels: NDArray[np.float32], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Compute the mean and the standard deviation in each box."""
    moments = np.empty((len(boxes), 2))
    for box in range(len(boxes)):
        top, bottom, left, right = boxes[box]
        block = pixels[top:bottom, left:right]
        mean = np.float64(0)
        for row in block:
            for pixel in row:
                mean += pixel
        mean /= block.size
        square = np.float64(0)
        for row in block:
            for pixel in row:
                square += (pixel - mean) ** 2
        moments[box] = mean, np.sqrt(square / block.size)
    return moments
