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

#: Number of patterns in a histogram: all except 0 and 255.
PATTERNS = 254


class CENTRIST(ImageStage):
    r"""CENTRIST: histograms of the census transform over a spatial pyramid.

    The census transform of a pixel :math:`x_c` has one bit :math:`[x_c \ge x_p]` for each of its
    eight neighbors :math:`x_p`. Bits are ordered row by row, the highest first.

    Level :math:`l` of the pyramid divides the image into :math:`2^l \times 2^l` blocks, plus
    :math:`(2^l - 1)^2` blocks shifted by half a block. Each coarser level halves the image by
    averaging 2 x 2 pixels, so that all blocks have the same number of pixels. The features of a
    block are:

    - the square roots of the relative frequencies of 254 patterns, all except the uninformative
      first and last, projected onto principal components. The components are learned from all
      blocks of all images together.
    - the mean and the standard deviation of the pixels.

    Parameters
    ----------
    levels : int, default=3
        Number of levels; three levels have 25 + 5 + 1 blocks.
    n_components : int or None, default=40
        Number of principal components; None keeps all 254 frequencies.
    norm : {"L1", "L1-sqrt"}, default="L1-sqrt"
        Relative frequencies, as in [1]_, or their square roots.

    Attributes
    ----------
    mean_ : ndarray of shape (254,)
        Mean over all blocks, if components are learned.
    components_ : ndarray of shape (n_components, 254)
        Principal components of unit length, sorted by decreasing variance.

    Raises
    ------
    ValueError
        If an image is too small for the pyramid, or if there are fewer blocks than components.

    Notes
    -----
    Accepts maps (height, width, 1). Returns vectors ordered by level, from the finest to the
    coarsest; then the blocks of the grid row by row, followed by the shifted blocks; then the
    components, the mean and the standard deviation of each block.

    Images may differ in size. The covariance of the blocks is accumulated image by image in double
    precision, so that memory does not grow with the number of images. In [1]_ the classifier
    receives the frequencies themselves; square roots improve accuracy by four percentage points
    (``research/2026-11-24-centrist.md``).

    See Also
    --------
    LBP : Patterns on circles, over the cells of one grid.

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
                f"CENTRIST: {self.n_components} components require at least as many blocks, got "
                f"{count}. Fit on more images, or use fewer components."
            )
        self.mean_ = total / count
        variances, vectors = np.linalg.eigh(products / count - np.outer(self.mean_, self.mean_))
        components = vectors.T[np.argsort(-variances)[: self.n_components]]
        # The sign of a component is arbitrary; make its largest entry positive.
        largest = np.abs(components).argmax(axis=1)
        signs = np.sign(np.take_along_axis(components, largest[:, np.newaxis], axis=1))
        self.components_ = components * signs

    def _transform_one(self, image: Pixels) -> NDArray[np.float32]:
        shares, moments = self._blocks(image)
        if self.n_components is not None:
            shares = (shares - self.mean_) @ self.components_.T
        return np.concatenate([shares, moments], axis=1, dtype=np.float32).ravel()

    def _blocks(self, image: Pixels) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """Compute the pattern frequencies, the mean and the standard deviation of each block."""
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
    """Compute the patterns of the neighbors that are not brighter than the pixel."""
    return binary_patterns(-levels, square())


def _halved(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average 2 x 2 pixels; exact for 8-bit pixels, so that equal values stay equal."""
    height, width = levels.shape[0] // 2, levels.shape[1] // 2
    even = levels[: 2 * height, : 2 * width]
    return np.asarray(cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA), np.float32)


def _level_boxes(shape: tuple[int, ...], count: int) -> NDArray[np.int64]:
    """Return the blocks of a level, followed by the blocks shifted by half a block."""
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
    """Compute the mean and the standard deviation of each box."""
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
