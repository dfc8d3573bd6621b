"""Smoothing filters for images and signals: box filter and Gaussian."""

from functools import partial
from typing import Any, ClassVar

import cv2

from featx.core.constraints import Each, natural_to, pair_to, positive_to
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import BORDERS, PADDINGS, along, filter_channels


class UniformBlur(ImageStage):
    r"""Box filter: mean over a rectangle around each pixel.

    .. math:: y_{i,j} = \frac{1}{k_1 k_2} \sum_{l,m} x_{i+l,\, j+m}

    Parameters
    ----------
    size : int, pair of int or list of one int, default=5
        Side of the square, or height and width :math:`k_1, k_2` of the rectangle, in pixels. A
        list of one number, such as ``[5]``, is the window length for signals. A window of even
        size extends one pixel further down and to the right.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        Border handling, as in `Convolve`.

    Raises
    ------
    ValueError
        If the padding is ``"valid"`` and an image is smaller than the rectangle, or a signal
        shorter than the window.

    See Also
    --------
    GaussianBlur : Isotropic smoothing.

    Notes
    -----
    Accepts images (height, width, channels) or, if ``size`` is a list of one number, signals
    (length,) or (length, channels). Each channel is filtered separately. With ``"valid"``, an
    axis of :math:`d` entries is reduced to :math:`d - k + 1`. Values stay in the range of the
    input, extended to zero if ``padding`` is ``"zero"``.

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
    r"""Gaussian smoothing.

    The weights decrease with the distance from the center and sum to one:

    .. math:: w_{i,j} \propto e^{-(i^2 + j^2) / 2\sigma^2}, \qquad |i|, |j| \le r

    Parameters
    ----------
    sigma : float or list of one float, default=1.0
        Standard deviation of the Gaussian, in pixels. A list of one number, such as ``[1.0]``, is
        the standard deviation along signals, in samples.
    truncate : float, default=4.0
        Radius of the kernel in standard deviations, rounded to
        :math:`r = \lfloor \text{truncate} \cdot \sigma + 1/2 \rfloor` pixels.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        Border handling, as in `Convolve`.

    Raises
    ------
    ValueError
        If the padding is ``"valid"`` and an image is smaller than the kernel,
        :math:`2r + 1` x :math:`2r + 1` pixels, or a signal shorter than :math:`2r + 1` samples.

    See Also
    --------
    ScaleSpace : Smoothing at several scales, and differences of Gaussians.

    Notes
    -----
    Accepts images (height, width, channels) or, if ``sigma`` is a list, signals (length,) or
    (length, channels). Each channel is filtered separately. With ``"valid"``, an axis of
    :math:`d` entries is reduced to :math:`d - 2r`. Values stay in the range of the input,
    extended to zero if ``padding`` is ``"zero"``.

    The result equals `scipy.ndimage.gaussian_filter` with the same ``sigma`` and ``truncate``;
    SciPy's names for ``"zero"``, ``"reflect"`` and ``"edge"`` are ``"constant"``, ``"mirror"``
    and ``"nearest"``.

    Lecture notes often define :math:`w_i \sim e^{-(i - k/2)^2 / \sigma_L^2}` for
    :math:`i = 1, \dots, k`. Without the factor 2 in the denominator,
    :math:`\sigma_L = \sqrt{2}\,\sigma`. The center of :math:`1, \dots, k` is :math:`(k + 1)/2`,
    so the literal formula also shifts the image by half a pixel. Here the Gaussian is centered.

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
    """Return True for a list of one number, which selects filtering along signals."""
    return isinstance(size, list | tuple) and len(size) == 1


def _written(result: Image, out: Image | None) -> Image:
    """Copy the result to ``out`` unless it is None."""
    if out is None:
        return result
    out[...] = result
    return out


def uniform_blur(
    image: Image, size: tuple[int, ...], padding: str, out: Image | None = None
) -> Image:
    """Average each channel over rectangles of the given height and width."""
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
    """Smooth each channel with a Gaussian truncated at ``truncate`` times ``sigma``.

    With ``rows=False``, smooth along the width only.
    """
    side = 2 * gaussian_radius(sigma, truncate) + 1
    size = (side if rows else 1, side)

    blur = partial(
        cv2.GaussianBlur, ksize=size[::-1], sigmaX=sigma, sigmaY=sigma, borderType=BORDERS[padding]
    )
    result: Image = filter_channels(blur, image, size, padding, out)
    return result


def gaussian_radius(sigma: float, truncate: float) -> int:
    """Return the radius of a Gaussian kernel in pixels, rounded as in SciPy."""
    return int(truncate * sigma + 0.5)
