"""Template matching: lines at any length and orientation, and arbitrary patterns."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from featx.core.constraints import Array, Each, StrOptions, natural
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import (
    PADDINGS,
    along,
    correlate,
    correlate_volume,
    cut_valid,
    filter_channels,
    interleave,
    pad,
)
from featx.filters.edges import angle_name, line_angle
from featx.filters.lines import line_size, match_line, match_lines

#: Lines up to this length share their sums; longer ones are cheaper by Fourier transforms.
_SHARED_SUMS = 64


class PatternMatch(ImageStage):
    r"""Template matching: similarity of the image around each pixel to a pattern.

    A pattern :math:`w` of :math:`N` entries is compared with the image under it by correlation,

    .. math:: y_{i,j} = \sum_{l,m} x_{i+l,\, j+m} \, w_{l,m}

    or by normalized cross-correlation, which is invariant to brightness and contrast,

    .. math::
        y_{i,j} = \frac{\sum_{l,m} (x_{i+l,\, j+m} - \bar x_{i,j}) (w_{l,m} - \bar w)}
        {\sqrt{\sum_{l,m} (x_{i+l,\, j+m} - \bar x_{i,j})^2 \, \sum_{l,m} (w_{l,m} - \bar w)^2}}

    where :math:`\bar w` is the mean of the pattern and :math:`\bar x_{i,j}` the mean of the image
    under it.

    Parameters
    ----------
    pattern : "line" or array_like of shape (h, w), (h, w, c) or (length,), default="line"
        A straight line, one pixel wide, whose weights sum to one; or an array of float values. A
        two-dimensional pattern is compared with each channel separately. A three-dimensional
        pattern is compared with all channels together and must have the same number of channels. A
        one-dimensional pattern is compared with each channel of signals separately.
    length : int or list of int, default=31
        Length of the line in pixels, or a list of lengths.
    orientation : float or list of float, default=90.0
        Orientation of the line in degrees in [0, 180), counter-clockwise from the horizontal axis,
        or a list of orientations. 90 is a vertical line.
    each : bool, default=False
        If True, match each channel only with its own orientation: the first channel with the
        first entry of ``orientation``, and so on, cycling through the list. After `OrientedEdges`
        with the same orientations, each edge response is averaged along its edge.
    method : {"correlation", "ncc"}, default="correlation"
        Plain or normalized cross-correlation. ``"ncc"`` does not support ``pattern="line"``.
    padding : {"valid", "zero", "reflect", "edge"}, default="valid"
        Border handling, as in `Convolve`.

    Raises
    ------
    ValueError
        If the method is ``"ncc"`` and the pattern is constant or ``"line"``; if ``each`` is set
        without a list of orientations of a line, or the number of channels is not a multiple of
        their number; if the image and a three-dimensional pattern differ in their number of
        channels; or if the padding is ``"valid"`` and an image is smaller than the pattern.

    See Also
    --------
    Convolve : Convolution of signals, images and channels with any kernel, and strides.
    OrientedEdges : Oriented edges, in which lines can be detected.

    Notes
    -----
    Accepts images (height, width, channels) or, if the pattern has one dimension, signals
    (length,) or (length, channels). With ``"valid"``, an axis of :math:`d` entries is reduced to
    :math:`d - k + 1`, where :math:`k` is the size of the pattern or of the largest line. Other
    paddings preserve the size.

    The output has all responses of channel 0, then all of channel 1, and so on. The responses of
    a channel are ordered by orientation, then by length. Channels are named accordingly, such as
    ``gray_line31_090``. A two-dimensional pattern preserves the names of the channels; a
    three-dimensional one has a single output channel, ``pattern``.

    Correlation with a line is the mean of the image along it, in the range of the image. At 0 and
    90 degrees the line is exactly one pixel wide, and as cheap as a box filter. At other
    orientations it passes through the center of a pixel. For position :math:`u` along the line and
    distance :math:`v` from it, the weights are proportional to
    :math:`\max(0, 1 - |v|) \cdot \min(1, \max(0, (\text{length} + 1) / 2 - |u|))`.

    Normalized cross-correlation is in [-1, 1], and equals `skimage.feature.match_template` with the
    center of the pattern at the pixel defined by `Convolve`. It is 0 where the image under the
    pattern is constant: where its standard deviation is less than :math:`5 \cdot 10^{-7}` of the
    maximum deviation from the mean of the image, the resolution of single precision.

    References
    ----------
    .. [1] J. P. Lewis, "Fast normalized cross-correlation", Vision Interface, 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import PatternMatch
    >>> image = np.zeros((5, 4), dtype=np.float32)
    >>> image[:, 1] = 1
    >>> match = PatternMatch(pattern="line", length=5, orientation=[0, 90], padding="zero")
    >>> match.fit_transform([image])[0, 2, :, 1]
    array([0., 1., 0., 0.], dtype=float32)
    >>> match.get_feature_names_out().tolist()
    ['gray_line5_000', 'gray_line5_090']

    Find a sound in a recording, at any position and loudness:

    >>> sound = np.sin(np.arange(50) ** 2 / 99)
    >>> recording = np.random.default_rng(0).normal(0, 0.01, 1000)
    >>> recording[300:350] += 0.1 * sound
    >>> match = PatternMatch(pattern=sound, method="ncc").fit_transform([recording])
    >>> int(match.argmax())
    300
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pattern": [StrOptions({"line"}), Array(1, 2, 3)],
        "length": [natural, Each(natural)],
        "orientation": [line_angle, Each(line_angle)],
        "each": ["boolean"],
        "method": [StrOptions({"correlation", "ncc"})],
        "padding": [PADDINGS],
    }

    def __init__(
        self,
        pattern: str | ArrayLike = "line",
        length: int | list[int] | tuple[int, ...] = 31,
        orientation: float | list[float] | tuple[float, ...] = 90.0,
        each: bool = False,
        method: str = "correlation",
        padding: str = "valid",
    ) -> None:
        self.pattern = pattern
        self.length = length
        self.orientation = orientation
        self.each = each
        self.method = method
        self.padding = padding

    def _requirements(self) -> Requirements:
        line = isinstance(self.pattern, str)
        if self.method == "ncc" and line:
            raise InputError(
                "PatternMatch: method='ncc' does not support pattern='line', whose weights are "
                "constant. Pass an array that includes the surroundings of the line."
            )
        if self.method == "ncc" and np.ptp(np.asarray(self.pattern, np.float64)) == 0:
            raise InputError(
                "PatternMatch: method='ncc' requires a pattern that varies, but all its values "
                "are equal."
            )
        if self.each and not (line and isinstance(self.orientation, list | tuple)):
            raise InputError(
                "PatternMatch: each=True requires pattern='line' and a list of orientations, one "
                "per channel."
            )
        window = self._window()
        return Requirements(
            window if self.padding == "valid" else (1,) * len(window),
            signals=np.ndim(self.pattern) == 1,
            for_signals="a pattern of one dimension",
        )

    def _transform_one(self, image: Image, out: Image | None = None) -> Image:
        if isinstance(self.pattern, str):
            return self._match_lines(image, out)
        pattern = np.asarray(self.pattern, np.float32)
        if pattern.ndim == 1:
            result = along(image, lambda row: self._match(row, pattern[np.newaxis]))
        else:
            result = self._match(image, pattern)
        if out is None:
            return result
        out[...] = result
        return out

    def _match(self, image: Image, pattern: NDArray[np.float32]) -> Image:
        if pattern.ndim == 3 and pattern.shape[2] != image.shape[2]:
            raise InputError(
                f"PatternMatch: the number of channels is {pattern.shape[2]} in the pattern, but "
                f"{image.shape[2]} in the image. They must be equal."
            )
        if self.method == "correlation" and pattern.ndim == 2:
            return correlate(image, pattern, self.padding)
        padded = pad(image, pattern.shape[:2], self.padding)
        if self.method == "correlation":
            return correlate_volume(padded, pattern, "valid")
        return normalized_correlation(padded, pattern)

    def _match_lines(self, image: Image, out: Image | None) -> Image:
        angles, lengths, count = self._angles(), self._lengths(), image.shape[2]
        if self.each and count % len(angles) != 0:
            raise InputError(
                f"PatternMatch: each=True with {len(angles)} orientations requires a multiple of "
                f"{len(angles)} channels, got {count}."
            )
        if len(lengths) > 1 and max(lengths) <= _SHARED_SUMS:
            lines = [
                (channel, angle)
                for channel in range(count)
                for angle in ((angles[channel % len(angles)],) if self.each else angles)
            ]
            return match_lines(image, lines, lengths, self.padding, self._window(), out)
        if not self.each:
            responses = [self._line_responses(image, angles)]
        else:
            responses = [
                self._line_responses(image[..., index : index + 1], (angles[index % len(angles)],))
                for index in range(count)
            ]
        if out is None and len(responses) == 1:
            return responses[0]
        return np.concatenate(responses, axis=2, out=out)

    def _line_responses(self, image: Image, angles: tuple[float, ...]) -> Image:
        window = self._window()
        return interleave(
            [
                match_line(image, length, angle, self.padding, window)
                for angle in angles
                for length in self._lengths()
            ]
        )

    def _window(self) -> tuple[int, ...]:
        """Return the size of the smallest window that contains every pattern."""
        if not isinstance(self.pattern, str):
            return np.shape(self.pattern)
        sizes = [line_size(length, angle) for angle in self._angles() for length in self._lengths()]
        return max(height for height, _ in sizes), max(width for _, width in sizes)

    def _angles(self) -> tuple[float, ...]:
        if isinstance(self.orientation, list | tuple):
            return tuple(self.orientation)
        return (self.orientation,)

    def _lengths(self) -> tuple[int, ...]:
        return tuple(self.length) if isinstance(self.length, list | tuple) else (self.length,)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        if not isinstance(self.pattern, str):
            return ["pattern"] if np.ndim(self.pattern) == 3 else channels
        angles = self._angles()
        return [
            f"{channel}_line{length}_{angle_name(angle)}"
            for index, channel in enumerate(channels)
            for angle in ((angles[index % len(angles)],) if self.each else angles)
            for length in self._lengths()
        ]


def normalized_correlation(image: Image, pattern: NDArray[np.float32]) -> Image:
    """Compute the normalized cross-correlation of an image with a pattern."""
    # Subtracting the means does not change the result, but reduces rounding errors.
    image = image - image.mean(dtype=np.float64).astype(np.float32)
    varying = pattern.astype(np.float64) - pattern.mean(dtype=np.float64)
    unit = (varying / np.linalg.norm(varying)).astype(np.float32)
    variance = window_variance(image, pattern.shape)
    greatest = max(image.max(), -image.min())
    flat = variance <= (4 * np.finfo(np.float32).eps * greatest) ** 2
    variance[flat] = 1
    if pattern.ndim == 2:
        result = correlate(image, unit, "valid")
    else:
        result = correlate_volume(image, unit, "valid")
    variance *= pattern.size
    result /= np.sqrt(variance, out=variance)
    result[flat] = 0
    return np.clip(result, -1, 1, out=result)


def window_variance(image: Image, shape: tuple[int, ...]) -> Image:
    """Compute the variance of the values under each valid window.

    A window of two dimensions is applied to each channel, one of three to all channels together.
    """
    height, width = shape[:2]

    def mean(box_filter: Callable[..., Any]) -> NDArray[np.float64]:
        operation = partial(
            box_filter,
            ddepth=cv2.CV_64F,  # avoids cancellation in the variance
            ksize=(width, height),
            anchor=((width - 1) // 2, (height - 1) // 2),
            borderType=cv2.BORDER_CONSTANT,
        )
        means: NDArray[np.float64] = filter_channels(operation, image, (height, width), "zero")
        return means if len(shape) == 2 else means.mean(axis=2, keepdims=True)

    values, squares = mean(cv2.boxFilter), mean(cv2.sqrBoxFilter)
    # In place, cropped at the end, since allocating memory costs more than the arithmetic.
    values *= values
    squares -= values
    return cut_valid(squares.astype(np.float32), (height, width))
