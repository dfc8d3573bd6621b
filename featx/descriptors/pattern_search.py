"""Multi-scale template matching: positions, sizes and strengths of a pattern in an image."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from featx.core.constraints import Array, Interval, StrOptions, natural_to
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import correlate, correlate_volume, read_only
from featx.io.resizing import resample

# Minimum standard deviation of a window, relative to full scale; anything below is noise.
_LEAST_DEVIATION = 0.01


class Hit(NamedTuple):
    """Detection of a pattern: the strength of the response and a box in pixels."""

    strength: float
    row: float
    column: float
    height: float
    width: float


class PatternSearch(ImageStage):
    r"""Multi-scale template matching: the maximum response over all positions and sizes.

    At each position, let :math:`x` be the image under the pattern :math:`w`, both with :math:`C`
    channels. Two normalized cross-correlations are computed: that of the shapes, with each channel
    centered on its own mean, and that of the colors, with all channels centered on their common
    mean,

    .. math::
        r_s = \frac{\sum_c \langle x_c - \bar x_c,\, w_c - \bar w_c \rangle}
        {\sqrt{\sum_c \|x_c - \bar x_c\|^2 \sum_c \|w_c - \bar w_c\|^2}}, \qquad
        r_c = \frac{\sum_c \langle x_c - \bar x,\, w_c - \bar w \rangle}
        {\sqrt{\sum_c \|x_c - \bar x\|^2 \sum_c \|w_c - \bar w\|^2}}

    The strength is their geometric mean :math:`\sqrt{\max(0, r_s) \max(0, r_c)}`. Red objects of
    another shape have a small :math:`r_s`, and the same shape in other colors has a small
    :math:`r_c`. With one channel, both are equal.

    Parameters
    ----------
    pattern : "stop-sign" or array_like of shape (h, w) or (h, w, c), default="stop-sign"
        Pattern to find: a stop sign drawn by featx, or an image of float values.
    mask : array_like of shape (h, w), optional
        Weight of each pixel of the pattern, from 0 to 1; pixels of the background should be 0. By
        default, all pixels have weight 1.
    size : int, default=24
        Height in pixels of the smallest pattern that is detected.
    step : float, default=1.19
        Ratio of successive sizes, by which the image is downscaled. The last size is the largest
        that fits into the image.

    Raises
    ------
    ValueError
        If the image and the pattern differ in their number of channels; if the image is smaller
        than the smallest pattern; if the pattern is constant; or if the mask has another size.

    See Also
    --------
    PatternMatch : The response at every pixel, at one size.

    Notes
    -----
    Accepts images (height, width, channels) in [0, 1]. Returns vectors of one entry in [0, 1]. The
    pattern has a fixed small size and the image is downscaled by area averaging, so that each
    doubling of the size costs a quarter. The standard deviation in the denominator is at least
    0.01, which limits the response in constant regions.

    `find_pattern` returns positions and sizes; ``featx find`` searches files.

    References
    ----------
    .. [1] J. P. Lewis, "Fast normalized cross-correlation", Vision Interface, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import PatternSearch
    >>> from featx.descriptors.pattern_search import stop_sign
    >>> sign, opaque = stop_sign(60)
    >>> image = np.full((120, 160, 3), (0.5, 0.6, 0.9), dtype=np.float32)
    >>> image[20:80, 50:110][opaque > 0.5] = 0.7 * sign[opaque > 0.5]
    >>> PatternSearch().fit_transform([image]).round(1)
    array([[0.8]], dtype=float32)
    """

    takes = "maps"
    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pattern": [StrOptions({"stop-sign"}), Array(2, 3)],
        "mask": [Array(2), None],
        "size": [natural_to(4096)],
        "step": [Interval(Real, 1.01, None, closed="left")],
    }

    def __init__(
        self,
        pattern: str | ArrayLike = "stop-sign",
        mask: ArrayLike | None = None,
        size: int = 24,
        step: float = 1.19,
    ) -> None:
        self.pattern = pattern
        self.mask = mask
        self.size = size
        self.step = step

    def _requirements(self) -> Requirements:
        pattern, mask = self._pattern()
        if mask.shape != pattern.shape[:2]:
            raise InputError(
                f"PatternSearch: the mask is {mask.shape[0]} x {mask.shape[1]}, but the pattern "
                f"is {pattern.shape[0]} x {pattern.shape[1]} pixels. Their sizes must be equal."
            )
        if mask.min() < 0 or mask.max() > 1:
            raise InputError("PatternSearch: mask values must be in [0, 1].")
        if np.ptp(pattern[mask > 0], axis=0).max(initial=0) == 0:
            raise InputError(
                "PatternSearch: the pattern is constant within the mask. Use a pattern that varies."
            )
        pattern, _ = self._pattern()
        return Requirements((*small_size(pattern, self.size), pattern.shape[2]))

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        pattern, mask = self._pattern()
        if image.shape[2] != pattern.shape[2]:
            raise InputError(
                f"PatternSearch: the number of channels is {pattern.shape[2]} in the pattern, but "
                f"{image.shape[2]} in the image. They must be equal."
            )
        responses = pyramid(image, *small_pattern(pattern, mask, self.size), self.step)
        return np.array([max(response.max() for response, _ in responses)], np.float32)

    def _pattern(self) -> tuple[Image, NDArray[np.float32]]:
        if isinstance(self.pattern, str):
            return stop_sign(4 * self.size)
        pattern = np.asarray(self.pattern, np.float32)
        pattern = pattern.reshape(*pattern.shape[:2], -1)
        if self.mask is None:
            return pattern, np.ones(pattern.shape[:2], np.float32)
        return pattern, np.asarray(self.mask, np.float32)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return ["strength"]


def find_pattern(
    image: Image,
    pattern: Image,
    mask: NDArray[np.float32],
    step: float = 1.19,
    threshold: float = 0.5,
    overlap: float = 0.3,
) -> list[Hit]:
    """Return the detections of a pattern, sorted by decreasing strength.

    Parameters
    ----------
    image, pattern, mask, step
        As for `PatternSearch`. The pattern must have an axis of channels and the smallest size to
        detect, see `small_pattern`.
    threshold : float
        Minimum strength of a detection.
    overlap : float
        Non-maximum suppression: if the intersection of two boxes exceeds this fraction of the
        smaller box, the weaker detection is dropped.
    """
    hits = []
    height, width = pattern.shape[:2]
    for response, (by_row, by_column) in pyramid(image, pattern, mask, step):
        largest = cv2.dilate(response, np.ones((3, 3), np.uint8))
        # Responses of zero are never peaks, even with a threshold of zero.
        peaks = (response == largest) & (response >= threshold) & (response > 0)
        rows, columns = np.nonzero(peaks)
        hits += [
            Hit(
                float(response[row, column]),
                row * by_row,
                column * by_column,
                height * by_row,
                width * by_column,
            )
            for row, column in zip(rows.tolist(), columns.tolist(), strict=True)
        ]
    return suppressed(hits, overlap)


def suppressed(hits: Sequence[Hit], overlap: float) -> list[Hit]:
    """Keep only the strongest of overlapping detections (non-maximum suppression)."""
    left, kept = sorted(hits, reverse=True), []
    boxes = np.array([hit[1:] for hit in left]).reshape(-1, 4)
    while len(boxes) > 0:
        kept.append(left[0])
        apart = np.flatnonzero(common_part(boxes[0], boxes[1:]) <= overlap) + 1
        left, boxes = [left[index] for index in apart], boxes[apart]
    return kept


def common_part(box: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Compute the intersection of a box with others, as a fraction of the smaller box.

    A box is (row, column, height, width). The value is 1 if one box contains the other.
    """
    ends, other_ends = box[:2] + box[2:], others[:, :2] + others[:, 2:]
    shared = np.minimum(ends, other_ends) - np.maximum(box[:2], others[:, :2])
    smaller = np.minimum(box[2:].prod(), others[:, 2:].prod(axis=1))
    return np.asarray(shared.clip(0).prod(axis=1) / smaller)


def pyramid(
    image: Image, pattern: Image, mask: NDArray[np.float32], step: float
) -> Iterator[tuple[NDArray[np.float32], tuple[float, float]]]:
    """Yield the response at each size, with the downscaling factors of rows and columns."""
    largest = min(image.shape[0] / pattern.shape[0], image.shape[1] / pattern.shape[1])
    count = 1 + int(np.log(max(largest, 1)) / np.log(step))
    factors = [*(step**index for index in range(count)), largest] if largest >= 1 else []
    for factor in factors:
        rows, columns = round(image.shape[0] / factor), round(image.shape[1] / factor)
        shrunk = resample(image, (rows, columns))
        yield strength(shrunk, pattern, mask), (image.shape[0] / rows, image.shape[1] / columns)


def small_pattern(
    pattern: Image, mask: NDArray[np.float32], size: int
) -> tuple[Image, NDArray[np.float32]]:
    """Resize a pattern to the smallest height to detect; masked pixels do not contribute."""
    shape = small_size(pattern, size)
    weights = resample(mask[..., np.newaxis], shape)
    seen = resample(pattern * mask[..., np.newaxis], shape)
    return np.asarray(seen / np.maximum(weights, 1e-3), np.float32), weights[..., 0]


def small_size(pattern: Image, size: int) -> tuple[int, int]:
    """Return the height and width of a pattern resized to this height."""
    return size, max(1, round(size * pattern.shape[1] / pattern.shape[0]))


def strength(image: Image, pattern: Image, mask: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute the response of `PatternSearch` at every position where the pattern fits."""
    weights, count, channels = mask[..., np.newaxis], float(mask.sum()), image.shape[2]
    own = (weights * pattern).sum(axis=(0, 1)) / count
    shape = weights * (pattern - own)
    apart = own - own.mean()
    shape_energy = float((shape * (pattern - own)).sum())
    color_energy = shape_energy + count * float((apart**2).sum())
    sums = correlate(image, mask, "valid")
    squares = correlate(added(image**2)[..., np.newaxis], mask, "valid")[..., 0]
    by_shape = correlate_volume(image, shape, "valid")[..., 0]
    by_color = by_shape + sums @ apart
    least = count * channels * _LEAST_DEVIATION**2
    shape_norm = np.maximum(squares - added(sums**2) / count, least)
    color_norm = np.maximum(squares - added(sums) ** 2 / (count * channels), least)
    alike = by_shape / np.sqrt(shape_norm * shape_energy)
    colored = by_color / np.sqrt(color_norm * color_energy)
    response = np.sqrt(np.clip(alike, 0, 1) * np.clip(colored, 0, 1))
    return np.asarray(response, np.float32)


def added(maps: Image) -> NDArray[np.float32]:
    """Sum the channels one by one, since NumPy's sum along a short axis is slow."""
    first, *others = np.moveaxis(maps, 2, 0)
    return np.asarray(sum(others, first), np.float32)


@lru_cache
def stop_sign(size: int) -> tuple[Image, NDArray[np.float32]]:
    """Draw a stop sign and its mask."""
    side = 16 * size
    corner = np.array([-1, 1]) * np.tan(np.pi / 8)
    x = np.concatenate([corner, [1, 1], -corner, [-1, -1]])
    octagon = np.stack([x, np.roll(x, 2)], axis=1)

    def at(points: ArrayLike) -> NDArray[np.int32]:
        return np.rint((np.asarray(points) + 1) / 2 * (side - 1)).astype(np.int32)

    def arc(center: tuple[float, float], radii: tuple[float, float], first: int, last: int) -> Any:
        angles = np.radians(np.linspace(first, last, 40))
        return np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii + center

    white, red = (1.0, 1.0, 1.0), (0.75, 0.05, 0.1)
    sign, mask = np.zeros((side, side, 3), np.float32), np.zeros((side, side), np.float32)
    cv2.fillPoly(mask, [at(octagon)], 1.0)
    cv2.fillPoly(sign, [at(octagon)], white)
    cv2.fillPoly(sign, [at(0.93 * octagon)], red)
    letters = [
        np.concatenate(
            [
                arc((-0.63, -0.15), (0.13, 0.15), -20, -270),
                arc((-0.63, 0.15), (0.13, 0.15), -90, 160),
            ]
        ),
        [(-0.42, -0.3), (-0.1, -0.3)],
        [(-0.26, -0.3), (-0.26, 0.3)],
        arc((0.12, 0), (0.14, 0.3), 0, 360),
        np.concatenate(
            [
                [(0.42, 0.33), (0.42, -0.3)],
                arc((0.58, -0.13), (0.14, 0.17), -90, 90),
                [(0.42, 0.04)],
            ]
        ),
    ]
    for letter in letters:
        cv2.polylines(sign, [at(letter)], False, white, thickness=round(0.05 * side))
    sign, mask = resample(sign, (size, size)), resample(mask[..., np.newaxis], (size, size))[..., 0]
    return read_only(sign), read_only(mask)
