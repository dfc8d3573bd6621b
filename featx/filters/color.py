"""Grayscale conversion and color spaces."""

from types import MappingProxyType
from typing import Any, ClassVar

import cv2
import numpy as np

from featx.core.constraints import StrOptions
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements

#: Luma weights of ITU-R BT.601, as in JPEG.
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
#: Opponent color space: red-green, yellow-blue and intensity from red, green and blue.
OPPONENT = np.array([[1, -1, 0], [1, 1, -2], [1, 1, 1]]) / np.sqrt([[2], [6], [3]])

# Linear spaces: a matrix with one row per channel, and an offset.
_LINEAR = MappingProxyType(
    {
        "ycbcr": (
            np.array(
                [
                    [0.299, 0.587, 0.114],
                    [-0.299 / 1.772, -0.587 / 1.772, 0.886 / 1.772],
                    [0.701 / 1.402, -0.587 / 1.402, -0.114 / 1.402],
                ]
            ),
            np.array([0, 0.5, 0.5]),
        ),
        "opponent": (OPPONENT, np.zeros(3)),
    }
)
_OPENCV = MappingProxyType(
    {"hsv": cv2.COLOR_RGB2HSV, "lab": cv2.COLOR_LRGB2LAB, "luv": cv2.COLOR_RGB2LUV}
)
#: The channels of each space.
CHANNEL_NAMES = MappingProxyType(
    {
        "hsv": ["hue", "saturation", "value"],
        "lab": ["lightness", "a", "b"],
        "luv": ["lightness", "u", "v"],
        "ycbcr": ["y", "cb", "cr"],
        "opponent": ["red_green", "yellow_blue", "intensity"],
    }
)


class Grayscale(ImageStage):
    """Grayscale conversion, 0.299 R + 0.587 G + 0.114 B.

    Notes
    -----
    Accepts images of one channel or three (RGB) and returns (height, width, 1). Grayscale images
    are returned unchanged. The weights are those of ITU-R BT.601: a color image converted to
    grayscale equals the same JPEG decoded as grayscale, up to the rounding of the decoder.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Grayscale
    >>> Grayscale().fit_transform([np.full((1, 1, 3), [0, 1, 0], dtype=np.float32)]).round(3)
    array([[[[0.587]]]], dtype=float32)
    """

    takes = "pixels"

    def _requirements(self) -> Requirements:
        return Requirements(channels=(1, 3))

    def _transform_one(self, image: Image) -> Image:
        if image.shape[2] == 1:
            # Copy, since the image may belong to the caller.
            return image.copy()
        gray = np.asarray(cv2.transform(image, LUMA[np.newaxis]), np.float32)
        return gray.reshape(*image.shape[:2], 1)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return ["gray"]


class ColorSpace(ImageStage):
    r"""Conversion from RGB to another color space.

    Parameters
    ----------
    space : {"hsv", "lab", "luv", "ycbcr", "opponent"}, default="lab"
        - ``"hsv"``: hue, saturation and value, each in [0, 1];
        - ``"lab"``, ``"luv"``: CIE 1976 from sRGB under D65; lightness in [0, 100], the other
          channels in about [-128, 128];
        - ``"ycbcr"``: as in JPEG, each in [0, 1], with neutral chroma at 0.5;
        - ``"opponent"``: :math:`(R - G) / \sqrt 2`, :math:`(R + G - 2B) / \sqrt 6` and
          :math:`(R + G + B) / \sqrt 3`.

    Raises
    ------
    ValueError
        If an image does not have three channels, or if a value is outside [0, 1].

    Notes
    -----
    Accepts RGB images (height, width, 3) with values in [0, 1] and preserves the shape. The CIE
    spaces are computed by OpenCV from linear light, and differ from the literal formulas by less
    than 0.05.

    References
    ----------
    .. [1] K. van de Sande, T. Gevers and C. Snoek, "Evaluating Color Descriptors for Object and
       Scene Recognition", IEEE TPAMI 32(9), 2010 (opponent color space).

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ColorSpace
    >>> red = np.full((1, 1, 3), [1, 0, 0], dtype=np.float32)
    >>> ColorSpace(space="hsv").fit_transform([red]).round(3)
    array([[[[0., 1., 1.]]]], dtype=float32)
    """

    takes = "pixels"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "space": [StrOptions(set(CHANNEL_NAMES))],
    }

    def __init__(self, space: str = "lab") -> None:
        self.space = space

    def _requirements(self) -> Requirements:
        return Requirements(channels=(3,))

    def _transform_one(self, image: Image) -> Image:
        return convert(image, self.space, "ColorSpace")

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return CHANNEL_NAMES[self.space]


def convert(image: Image, space: str, stage: str) -> Image:
    """Convert RGB colors in [0, 1] to a color space; "rgb" returns them unchanged."""
    low, high = float(image.min()), float(image.max())
    if low < 0 or high > 1:
        raise InputError(
            f"{stage}: color values must be in [0, 1], got values from {low:g} to {high:g}. "
            "Rescale them; uint8 images are rescaled automatically."
        )
    if space == "rgb":
        return image
    if space in _LINEAR:
        matrix, offset = _LINEAR[space]
        linear = cv2.transform(image, np.column_stack([matrix, offset]))
        return np.asarray(linear, np.float32)
    if space == "lab":
        image = _linear_light(image)
    converted = np.asarray(cv2.cvtColor(image, _OPENCV[space]), np.float32)
    if space == "hsv":
        converted[..., 0] /= 360
    return converted


def _linear_light(image: Image) -> Image:
    """Invert the transfer function of sRGB; OpenCV's sRGB to L*a*b* conversion is off by 0.5."""
    power = cv2.pow((image + np.float32(0.055)) / np.float32(1.055), 2.4)
    linear = image / np.float32(12.92)
    return np.asarray(np.where(image <= np.float32(0.04045), linear, power), np.float32)
