"""Text detection: rows of letters in images, without reading them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from featx.core.constraints import Interval, natural_to, positive
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.pattern_search import Hit
from featx.filters.contrast import LocalContrast
from featx.io.resizing import resample

Numbers = NDArray[np.float64]

# Ink threshold on the deviation from the local mean, in local standard deviations.
_WINDOW, _INK, _LEAST_DEVIATION = 31, 0.3, 0.02
# Limits of a letter: height in pixels, other lengths in units of the height.
_HEIGHTS, _WIDTHS, _THICKEST = (8, 45), (0.1, 2.0), 0.4
_FILLED, _LEAST_CONTRAST = (0.12, 0.8), 0.1
# Limits of adjacent letters: ratios of height and of thickness; gap, overlap and misalignment as
# fractions of the height; color difference as a fraction of the contrast.
_HEIGHT_RATIO, _THICKNESS_RATIO, _GAP, _OVERLAP, _UNEVEN, _COLORS = 2.0, 1.5, 0.8, 0.3, 0.25, 0.3
_LEAST_LETTERS = 3


class TextRows(ImageStage):
    r"""Text detection: the strength of the strongest row of letters, at any size.

    The detector uses properties that letters share in all scripts with separate letters: strokes of
    one color on a background of another, of constant width, thin relative to the letter's height,
    and several such letters side by side. At each size, let :math:`m` and :math:`s` be the mean and
    the standard deviation of a 31 x 31 window. Pixels are ink if they deviate from :math:`m` by
    more than :math:`0.3 \max(s, 0.02)` [1]_. Brighter and darker ink are processed separately. A
    connected region of ink is a letter if

    - it is 8 to 45 pixels high and 0.1 to 2 heights wide, and fills 0.12 to 0.8 of its box;
    - its stroke width, twice the maximum distance from the background minus one, is less than 0.4
      heights;
    - it differs from the background within two pixels around it by at least 0.1;
    - its contrast :math:`d = |\mu_i - \mu_g| / \sqrt{\sigma_i^2 + \sigma_g^2 + 10^{-4}}` is at
      least ``contrast``, which rejects textures such as leaves.

    Two adjacent letters of a row differ in height by a factor of at most 2 and in stroke width by
    1.5. The colors of their ink and of their background differ by at most 0.3 of the weaker
    contrast. The gap between them is less than 0.8 heights, and their tops, centers or bottoms are
    aligned to 0.25 heights. Connected components of adjacent letters form the rows [2]_ [3]_. The
    strength of a row of at least three letters is :math:`\sum \ln (d / \text{contrast})`. The
    strength of the image is the maximum over its rows.

    Parameters
    ----------
    size : int, default=4
        Height in pixels of the smallest letters that are detected. The image is rescaled so that
        these letters are 8 pixels high.
    step : float, default=2.0
        Ratio of successive sizes, by which the image is downscaled, until a side is less than 31
        pixels.
    contrast : float, default=1.5
        Minimum contrast :math:`d` of a letter.

    See Also
    --------
    PatternSearch : Detection of one given pattern.

    Notes
    -----
    Accepts gray images (height, width, 1) in [0, 1]. Returns vectors of one entry, 0 for images
    without a row of three letters. In photographs, a legible letter adds about 1. Connected
    letters, letters cut off by the border and vertical text are not detected. Rows may be inclined
    by up to about 15 degrees. `text_rows` returns the positions of the rows.

    The stroke width is computed from the distance to the background, as in [3]_; [2]_ follows the
    gradient across the stroke.

    References
    ----------
    .. [1] W. Niblack, "An Introduction to Digital Image Processing", 1986 (local threshold).
    .. [2] B. Epshtein, E. Ofek and Y. Wexler, "Detecting text in natural scenes with stroke width
       transform", CVPR 2010.
    .. [3] H. Chen et al., "Robust text detection in natural images with edge-enhanced maximally
       stable extremal regions", ICIP 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from PIL import Image, ImageDraw, ImageFont
    >>> from featx import TextRows
    >>> page = Image.new("L", (160, 60), "white")
    >>> TextRows().fit_transform([np.asarray(page)])
    array([[0.]], dtype=float32)
    >>> ImageDraw.Draw(page).text((20, 15), "STOP 24", font=ImageFont.load_default(28), fill=0)
    >>> bool(TextRows().fit_transform([np.asarray(page)])[0, 0] > 6)
    True
    """

    takes = "maps"
    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "size": [natural_to(4096)],
        "step": [Interval(Real, 1.1, None, closed="left")],
        "contrast": [positive],
    }

    def __init__(self, size: int = 4, step: float = 2.0, contrast: float = 1.5) -> None:
        self.size = size
        self.step = step
        self.contrast = contrast

    def _requirements(self) -> Requirements:
        side = -(-_WINDOW * self.size // _HEIGHTS[0])
        return Requirements((side, side), channels=(1,))

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        rows = text_rows(image, self.size, self.step, self.contrast)
        return np.array([max((row.strength for row in rows), default=0)], np.float32)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return ["strength"]


def text_rows(
    image: Image, size: int = 4, step: float = 2.0, contrast: float = 1.5
) -> Iterator[Hit]:
    """Yield the rows of at least three letters at each size, as in `TextRows`, unordered.

    A row detected at two sizes occurs twice; `suppressed` keeps the stronger one.
    """
    factor = size / _HEIGHTS[0]
    while min(image.shape[:2]) / factor >= _WINDOW:
        shape = round(image.shape[0] / factor), round(image.shape[1] / factor)
        scaled = resample(image, shape)
        scales = image.shape[0] / shape[0], image.shape[1] / shape[1]
        deviation = LocalContrast(_WINDOW, epsilon=_LEAST_DEVIATION).transform([scaled])[0, ..., 0]
        for ink in (deviation > _INK, deviation < -_INK):
            regions = Regions.of(ink, scaled[..., 0])
            yield from rows_of(regions[are_letters(regions, contrast)], contrast, scales)
        factor *= step


@dataclass(frozen=True)
class Regions:
    """Connected regions of ink, one entry per region in every array; lengths in pixels."""

    top: Numbers
    left: Numbers
    height: Numbers
    width: Numbers
    area: Numbers
    thickness: Numbers
    ink: Numbers
    ground: Numbers
    contrast: Numbers
    inside: NDArray[np.bool_]

    @classmethod
    def of(cls, mask: NDArray[np.bool_], image: NDArray[np.float32]) -> Self:
        """Find and measure the 4-connected regions of a mask."""
        ink = mask.astype(np.uint8)
        count, labels, boxes, _ = cv2.connectedComponentsWithStats(ink, connectivity=4)
        left, top, width, height, area = boxes.T.astype(np.float64)
        distance = cv2.distanceTransform(ink, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        farthest = np.zeros(count)
        np.maximum.at(farthest, np.asarray(labels[mask], np.intp), distance[mask])
        around = cv2.dilate(labels.astype(np.float64), np.ones((5, 5), np.uint8))
        near = ~mask & (around > 0)
        dark, spread = moments(labels[mask], image[mask], count)
        light, other_spread = moments(around[near].astype(np.intp), image[near], count)
        contrast = np.abs(dark - light) / np.sqrt(spread + other_spread + 1e-4)
        rows, columns = mask.shape
        inside = (top > 0) & (left > 0) & (top + height < rows) & (left + width < columns)
        regions = cls(
            top, left, height, width, area, 2 * farthest - 1, dark, light, contrast, inside
        )
        return regions[np.arange(count) > 0]  # Label 0 is the background.

    def __getitem__(self, chosen: NDArray[Any]) -> Self:
        return type(self)(*(getattr(self, field.name)[chosen] for field in fields(self)))


def moments(labels: NDArray[Any], values: NDArray[Any], count: int) -> tuple[Numbers, Numbers]:
    """Compute the mean and the variance of the values of each label."""
    number = np.maximum(np.bincount(labels, minlength=count), 1)
    mean = np.bincount(labels, values, count) / number
    return mean, np.bincount(labels, (values - mean[labels]) ** 2, count) / number


def are_letters(regions: Regions, contrast: float) -> NDArray[np.bool_]:
    """Return a mask of the regions that satisfy the criteria for letters."""

    def between(values: Numbers, limits: tuple[float, float]) -> NDArray[np.bool_]:
        return (values >= limits[0]) & (values <= limits[1])

    return np.asarray(
        regions.inside
        & between(regions.height, _HEIGHTS)
        & between(regions.width / regions.height, _WIDTHS)
        & between(regions.area / (regions.width * regions.height), _FILLED)
        & (regions.thickness < _THICKEST * regions.height)
        & (np.abs(regions.ink - regions.ground) >= _LEAST_CONTRAST)
        & (regions.contrast >= contrast)
    )


def rows_of(letters: Regions, contrast: float, scales: tuple[float, float]) -> Iterator[Hit]:
    """Group letters into rows, and yield rows of sufficient length in pixels of the image."""
    count = len(letters.height)
    if count < _LEAST_LETTERS:
        return
    one, other = neighbors(letters)
    graph = coo_array((np.ones(len(one)), (one, other)), (count, count))
    _, row = connected_components(graph, directed=False)
    for index in np.flatnonzero(np.bincount(row) >= _LEAST_LETTERS):
        members = letters[row == index]
        top, left = members.top.min(), members.left.min()
        height = (members.top + members.height).max() - top
        width = (members.left + members.width).max() - left
        yield Hit(
            float(np.log(members.contrast / contrast).sum()),
            float(top * scales[0]),
            float(left * scales[1]),
            float(height * scales[0]),
            float(width * scales[1]),
        )


def neighbors(letters: Regions) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the pairs of letters that may be adjacent in a row."""
    middle = letters.top + letters.height / 2
    centers = np.stack([middle, letters.left + letters.width / 2], axis=1)
    reach = np.hypot(letters.width.max() + _GAP * letters.height.max(), letters.height.max())
    pairs = KDTree(centers).query_pairs(reach, output_type="ndarray")
    one, other = letters[pairs[:, 0]], letters[pairs[:, 1]]
    higher, lower = np.maximum(one.height, other.height), np.minimum(one.height, other.height)
    gap = np.maximum(one.left, other.left) - np.minimum(
        one.left + one.width, other.left + other.width
    )
    tops, bottoms = (
        np.abs(one.top - other.top),
        np.abs(one.top + one.height - other.top - other.height),
    )
    middles = np.abs(middle[pairs[:, 0]] - middle[pairs[:, 1]])
    alike = _COLORS * np.minimum(np.abs(one.ink - one.ground), np.abs(other.ink - other.ground))
    near = (
        (higher < _HEIGHT_RATIO * lower)
        & (
            np.maximum(one.thickness, other.thickness)
            < _THICKNESS_RATIO * np.minimum(one.thickness, other.thickness)
        )
        & (gap < _GAP * higher)
        & (gap > -_OVERLAP * lower)
        & (np.minimum(np.minimum(tops, bottoms), middles) < _UNEVEN * higher)
        & (np.abs(one.ink - other.ink) < alike)
        & (np.abs(one.ground - other.ground) < alike)
    )
    return pairs[near, 0], pairs[near, 1]
