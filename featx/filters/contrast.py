"""Local contrast normalization."""

from functools import partial
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import natural_to, positive
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.convolve import filter_channels


class LocalContrast(ImageStage):
    r"""Local contrast normalization: deviation from the local mean in local standard deviations.

    .. math:: y = \frac{x - m}{\max(s, \epsilon)}, \qquad s^2 = \overline{(x - m)^2}

    where the means :math:`m` and :math:`s^2` are computed over a window around the pixel.

    Parameters
    ----------
    size : int or None, default=9
        Height and width of the window, odd. None uses the whole image as one window.
    subtract_mean : bool, default=True
        If False, :math:`m = 0`: values are divided by their local root mean square. With
        ``size=None`` this scales each map of an image to unit energy.
    epsilon : float, default=1e-3
        Lower bound of the divisor, in units of the values. It keeps noise in constant regions
        from being amplified.

    Notes
    -----
    Accepts maps (height, width, c), normalizes each channel separately and preserves the shape.
    The image is reflected about its outermost pixels. Constant regions become 0. The variance is
    computed in double precision. In contrast to [1]_ the window is a square instead of a
    Gaussian, and channels are not mixed.

    References
    ----------
    .. [1] K. Jarrett, K. Kavukcuoglu, M. Ranzato and Y. LeCun, "What is the best multi-stage
       architecture for object recognition?", ICCV 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import LocalContrast
    >>> edges = np.array([[3.0, -4.0], [0.0, 0.0]], dtype=np.float32)
    >>> unit = LocalContrast(size=None, subtract_mean=False).fit_transform([edges])[0, ..., 0]
    >>> unit.round(2).tolist()
    [[1.2000000476837158, -1.600000023841858], [0.0, 0.0]]
    >>> float((unit**2).mean())
    1.0
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "size": [natural_to(4096), None],
        "subtract_mean": ["boolean"],
        "epsilon": [positive],
    }

    def __init__(
        self, size: int | None = 9, subtract_mean: bool = True, epsilon: float = 1e-3
    ) -> None:
        self.size = size
        self.subtract_mean = subtract_mean
        self.epsilon = epsilon

    def _requirements(self) -> Requirements:
        if self.size is not None and self.size % 2 == 0:
            raise InputError(
                f"LocalContrast: size={self.size} is even, but the window needs a center pixel. "
                f"Use {self.size + 1}."
            )
        return Requirements()

    def _transform_one(self, image: Image) -> Image:
        values = image.astype(np.float64)
        # Subtract the global mean first to avoid cancellation in the variance.
        if self.subtract_mean:
            values -= values.mean(axis=(0, 1))
        square = self._mean(values**2)
        if self.subtract_mean and self.size is not None:
            mean = self._mean(values)
            values -= mean
            square -= mean**2
        deviation = np.sqrt(np.maximum(square, 0))
        return np.divide(values, np.maximum(deviation, self.epsilon)).astype(np.float32)

    def _mean(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average over the window around each pixel."""
        if self.size is None:
            return np.asarray(values.mean(axis=(0, 1), keepdims=True))
        window = (self.size, self.size)
        blur = partial(cv2.blur, ksize=window, borderType=cv2.BORDER_REFLECT_101)
        means: NDArray[np.float64] = filter_channels(blur, values, window, "reflect")
        return means

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return channels
