"""Smoothing: the uniform and the Gaussian filter, over images and signals."""

from functools import partial
from typing import Any, ClassVar

import cv2

from featx.core.constraints import Each, natural_to, pair_to, positive_to
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import BORDERS, PADDINGS, along, filter_channels


class UniformBlur(ImageStage):
    r"""Mean of the pixels in a rectangle around each pixel.

    .. math:: y_{i,j} = \frac{1}{k_1 k_2} \sum_{l,m} x_{i+l,\, j+m}

    Parameters
    ----------
    size : int, pair of int or list of one int, default=5
        Side of the square, or height and width :math:`k_1, k_2` of the rectangle, in pixels; a
        list of one number, such as ``[5]``, is the length of an interval of signals. An even
        size reaches one pixel further down, or to the right.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        What is done at the border, as in `Convolve`.

    Raises
    ------
    ValueError
        If an image is smaller than the rectangle, or a signal shorter than the interval, and the
        padding is ``"valid"``.

    See Also
    --------
    GaussianBlur : Smoothing without preferred directions.

    Notes
    -----
    Takes and gives images (height, width, channels), or, where ``size`` is a list of one number,
    signals (length,) or (length, channels), each channel by itself; ``"valid"`` leaves
    :math:`d - k + 1` of :math:`d` rows and columns, or samples. Values stay in the range of the
    input, and of zero where ``padding`` is ``"zero"``.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import UniformBlur
    >>> image = np.array([[0, 0, 9, 0, 0, 0]], dtype=np.float32)
    >>> UniformBlur(size=(1, 3)).fit_transform([image])[0, :, :, 0]
    array([[0., 3., 3., 3., 0., 0.]], dtype=float32)

    A time series:

    >>> series = np.array([0, 0, 9, 0, 0, 0], dtype=np.float32)
    >>> UniformBlur(size=[3]).fit_transform([series])
    array([[0., 3., 3., 3., 0., 0.]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "size": [natural_to(4096), pair_to(4096), Each(natural_to(4096), length=1)],
        "padding": [PADDINGS],
    }

    def __init__(
        self, size: int | list[int] | tuple[int, ...] = 5, padding: str = "reflect"
    ) -> None:
        self.size = size
        self.padding = padding

    def _requirements(self) -> Requirements:
        rectangle = self._rectangle()
        if _along_signals(self.size):
            rectangle = rectangle[1:]
        return Requirements(
            rectangle if self.padding == "valid" else (1,) * len(rectangle),
            signals=_along_signals(self.size),
            for_signals="size=[5], a list of one number",
        )

    def _transform_one(self, image: Image, out: Image | None = None) -> Image:
        if _along_signals(self.size):
            blurred = along(image, lambda row: uniform_blur(row, self._rectangle(), self.padding))
            return _written(blurred, out)
        return uniform_blur(image, self._rectangle(), self.padding, out)

    def _rectangle(self) -> tuple[int, ...]:
        if not isinstance(self.size, list | tuple):
            return self.size, self.size
        return (1, *self.size) if len(self.size) == 1 else tuple(self.size)


class GaussianBlur(ImageStage):
    r"""Smoothing with a Gaussian.

    The weights fall off with the distance from the centre, and sum to one:

    .. math:: w_{i,j} \propto e^{-(i^2 + j^2) / 2\sigma^2}, \qquad |i|, |j| \le r

    Parameters
    ----------
    sigma : float or list of one float, default=1.0
        Standard deviation of the Gaussian, in pixels; in a list, such as ``[1.0]``, it is that of
        a Gaussian along signals, in samples.
    truncate : float, default=4.0
        Where the Gaussian is cut off, in standard deviations: the radius is
        :math:`r = \lfloor \text{truncate} \cdot \sigma + 1/2 \rfloor` pixels.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        What is done at the border, as in `Convolve`.

    Raises
    ------
    ValueError
        If an image is smaller than the kernel, :math:`2r + 1` pixels wide and high, or a signal
        shorter, and the padding is ``"valid"``.

    See Also
    --------
    ScaleSpace : Several Gaussians at once, and their differences.

    Notes
    -----
    Takes and gives images (height, width, channels), or, where ``sigma`` is a list, signals
    (length,) or (length, channels), each channel by itself; ``"valid"`` leaves :math:`d - 2r` of
    :math:`d` rows and columns, or samples. Values stay in the range of the input, and of zero
    where ``padding`` is ``"zero"``. The result is that of `scipy.ndimage.gaussian_filter`
    with the same ``sigma`` and ``truncate``, where ``"zero"``, ``"reflect"`` and ``"edge"`` are
    called ``"constant"``, ``"mirror"`` and ``"nearest"``.

    Lecture notes often write :math:`w_i \sim e^{-(i - k/2)^2 / \sigma_L^2}` for
    :math:`i = 1, \dots, k`. There is no 2 under the fraction, so their
    :math:`\sigma_L = \sqrt{2}\,\sigma`. The middle of :math:`1, \dots, k` is :math:`(k + 1)/2`;
    with :math:`k/2` in its place the literal formula also moves the image by half a pixel. Here,
    as everywhere in practice, the Gaussian is centred.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import GaussianBlur
    >>> image = np.zeros((5, 5), dtype=np.float32)
    >>> image[2, 2] = 1
    >>> blur = GaussianBlur(sigma=0.5, padding="zero")
    >>> blur.fit_transform([image])[0, 2, :, 0].round(3)
    array([0.   , 0.084, 0.619, 0.084, 0.   ], dtype=float32)

    A time series:

    >>> series = np.array([0, 0, 1, 0, 0], dtype=np.float32)
    >>> GaussianBlur(sigma=[0.5]).fit_transform([series])[0].round(3)
    array([0.001, 0.106, 0.787, 0.106, 0.001], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "sigma": [positive_to(1000), Each(positive_to(1000), length=1)],
        "truncate": [positive_to(100)],
        "padding": [PADDINGS],
    }

    def __init__(
        self,
        sigma: float | list[float] | tuple[float] = 1.0,
        truncate: float = 4.0,
        padding: str = "reflect",
    ) -> None:
        self.sigma = sigma
        self.truncate = truncate
        self.padding = padding

    def _requirements(self) -> Requirements:
        axes = 1 if _along_signals(self.sigma) else 2
        side = 2 * gaussian_radius(self._deviation(), self.truncate) + 1
        return Requirements(
            ((side if self.padding == "valid" else 1),) * axes,
            signals=_along_signals(self.sigma),
            for_signals="sigma=[1.0], a list of one number",
        )

    def _transform_one(self, image: Image, out: Image | None = None) -> Image:
        sigma = self._deviation()
        if _along_signals(self.sigma):
            blurred = along(
                image,
                lambda row: gaussian_blur(row, sigma, self.truncate, self.padding, rows=False),
            )
            return _written(blurred, out)
        return gaussian_blur(image, sigma, self.truncate, self.padding, out)

    def _deviation(self) -> float:
        return self.sigma[0] if isinstance(self.sigma, list | tuple) else self.sigma


def _along_signals(size: Any) -> bool:
    """Return whether a filter of this size works along signals: it is one number in a list."""
    return isinstance(size, list | tuple) and len(size) == 1


def _written(result: Image, out: Image | None) -> Image:
    """Copy a result to its place, if it has one."""
    if out is None:
        return result
    out[...] = result
    return out


def uniform_blur(
    image: Image, size: tuple[int, ...], padding: str, out: Image | None = None
) -> Image:
    """Average each channel over rectangles of this height and width."""
    height, width = size
    anchor = ((width - 1) // 2, (height - 1) // 2)

    blur = partial(cv2.blur, ksize=(width, height), anchor=anchor, borderType=BORDERS[padding])
    result: Image = filter_channels(blur, image, size, padding, out)
    return result


def gaussian_blur(
    image: Image,
    sigma: float,
    truncate: float,
    padding: str,
    out: Image | None = None,
    rows: bool = True,
) -> Image:
    """Smooth each channel with a Gaussian that is cut off at ``truncate`` times ``sigma``.

    Without ``rows``, only along the width, and not over the height.
    """
    side = 2 * gaussian_radius(sigma, truncate) + 1
    size = (side if rows else 1, side)

    blur = partial(
        cv2.GaussianBlur, ksize=size[::-1], sigmaX=sigma, sigmaY=sigma, borderType=BORDERS[padding]
    )
    result: Image = filter_channels(blur, image, size, padding, out)
    return result


def gaussian_radius(sigma: float, truncate: float) -> int:
    """Tell how many pixels a Gaussian reaches to each side, rounded as SciPy does."""
    return int(truncate * sigma + 0.5)
