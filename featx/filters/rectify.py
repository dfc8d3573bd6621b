"""Pointwise non-linearities."""

from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import StrOptions
from featx.core.stage import Image, ImageStage


class Rectify(ImageStage):
    r"""Pointwise rectification.

    Parameters
    ----------
    mode : {"relu", "absolute", "square", "both"}, default="relu"
        ``"relu"`` is :math:`\max(x, 0)`, ``"absolute"`` is :math:`|x|`, ``"square"`` is
        :math:`x^2`. ``"both"`` returns :math:`\max(x, 0)` and :math:`\max(-x, 0)` in separate
        channels, which preserves the sign.

    Notes
    -----
    Accepts maps (height, width, c). Returns maps of the same shape, or of 2c channels with
    ``"both"``: the positive and the negative half of channel 0, then of channel 1, and so on.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Rectify
    >>> response = np.array([[-2.0, 3.0]], dtype=np.float32)
    >>> Rectify(mode="both").fit_transform([response])[0].tolist()
    [[[0.0, 2.0], [3.0, 0.0]]]
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "mode": [StrOptions({"relu", "absolute", "square", "both"})],
    }

    def __init__(self, mode: str = "relu") -> None:
        self.mode = mode

    def _transform_one(self, image: Image) -> Image:
        if self.mode == "relu":
            return np.maximum(image, 0)
        if self.mode == "absolute":
            return np.abs(image)
        if self.mode == "square":
            return np.square(image)
        halves = np.stack([np.maximum(image, 0), np.maximum(-image, 0)], axis=-1)
        return halves.reshape(*image.shape[:2], -1)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        if self.mode != "both":
            return channels
        return [f"{channel}_{half}" for channel in channels for half in ("positive", "negative")]
