"""Dense SIFT of color images."""

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import StrOptions
from featx.core.stage import Image, Requirements
from featx.descriptors.dense_sift import DenseSIFT, mirror_sift
from featx.descriptors.sift_grid import BINS, ENTRIES, ROUNDING, Grid, sift_names
from featx.filters.color import LUMA, OPPONENT

Planes: TypeAlias = tuple[NDArray[np.float32], ...]

_CHANNELS = MappingProxyType(
    {
        "opponent": ["red_green", "yellow_blue", "intensity"],
        "c": ["red_green_share", "yellow_blue_share", "intensity"],
        "rgb": ["red", "green", "blue"],
    }
)
_HUES = 37
_HUES_IN_RADIANS = np.float32(_HUES / (2 * np.pi))
# Added to the intensity before dividing by it, since the chromaticity of black is undefined.
_DARK = np.float32(0.01 * 3**0.5)


class ColorSIFT(DenseSIFT):
    r"""SIFT descriptors of color images on a regular grid.

    The opponent colors of the smoothed image are :math:`O_1 = (R - G) / \sqrt 2`,
    :math:`O_2 = (R + G - 2B) / \sqrt 6` and :math:`O_3 = (R + G + B) / \sqrt 3`. `DenseSIFT`
    descriptors of three channels are concatenated:

    - ``"opponent"``: :math:`O_1, O_2, O_3`. The first two are invariant to offsets common to all
      colors, such as scattered light.
    - ``"c"``: :math:`O_1 / O_3, O_2 / O_3, O_3`. The first two are invariant to light intensity
      and shadows.
    - ``"rgb"``: :math:`R, G, B`. Since descriptors are normalized, this equals SIFT of colors
      standardized to equal mean and standard deviation.

    ``"hue"`` appends a histogram of 37 hues to the descriptor of the gray image. Each pixel of the
    descriptor's square, :math:`4b \times 4b` pixels, is weighted by its saturation
    :math:`\sqrt{O_1^2 + O_2^2}`. It is interpolated linearly between the two bins whose centers,
    :math:`2\pi n / 37`, are adjacent to its hue :math:`\operatorname{atan2}(O_1, O_2)`. The
    histogram is L2-normalized; with ``root``, it is L1-normalized before the square root.

    Parameters
    ----------
    space : {"opponent", "c", "rgb", "hue"}, default="opponent"
        Channels to describe.
    step, bin_sizes, image_scales, magnification, window, root, mirrored
        As in `DenseSIFT`.
    contrast_threshold : float, default=0.005
        As in `DenseSIFT`, applied to each channel separately: the 128 entries of a channel of low
        contrast are zero. A hue histogram is zero if the mean saturation is less than
        :math:`10^{-6}`.

    Raises
    ------
    ValueError
        If an image does not have three channels, or is smaller than :math:`3b + 1` pixels for
        the smallest bin size.

    See Also
    --------
    DenseSIFT : SIFT of gray images, with the formulas.

    Notes
    -----
    Accepts RGB images (height, width, 3) with values in [0, 1]. Returns a `DescriptorSet` of
    vectors of 384 entries, channel by channel, or of 165 with ``"hue"``. With ``"c"``, the divisor
    is :math:`O_3 + \sqrt 3 / 100` instead of :math:`O_3`, so that black is treated as gray.

    In contrast to [1]_, which also uses Harris-Laplace points, positions form a grid. The hue
    histogram has the same weight as the gray descriptor.

    References
    ----------
    .. [1] K. van de Sande, T. Gevers and C. Snoek, "Evaluating Color Descriptors for Object and
       Scene Recognition", IEEE TPAMI 32(9), 2010.
    .. [2] G. Burghouts and J.-M. Geusebroek, "Performance Evaluation of Local Color Invariants",
       CVIU 113(1), 2009 (C-SIFT).
    .. [3] J. van de Weijer, T. Gevers and A. Bagdanov, "Boosting Color Saliency in Image Feature
       Detection", IEEE TPAMI 28(1), 2006 (histograms of hue).

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ColorSIFT
    >>> image = np.zeros((16, 16, 3), dtype=np.float32)
    >>> image[:, :8] = 0.5, 0.2, 0.2  # two colors of equal intensity, side by side
    >>> image[:, 8:] = 0.2, 0.5, 0.2
    >>> (found,) = ColorSIFT(step=8, bin_sizes=[4]).fit_transform([image])
    >>> found.shape
    (1, 384)
    >>> [bool(channel.any()) for channel in np.split(found.values[0], 3)]  # red-green only
    [True, False, False]
    """

    takes = "pixels"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "space": [StrOptions({*_CHANNELS, "hue"})],
        **DenseSIFT._parameter_constraints,
    }

    def __init__(
        self,
        space: str = "opponent",
        step: int = 4,
        bin_sizes: Sequence[int] = (4, 6, 8, 10),
        image_scales: Sequence[float] = (1.0,),
        magnification: float | None = 6.0,
        window: str = "flat",
        contrast_threshold: float = 0.005,
        root: bool = False,
        mirrored: bool = False,
    ) -> None:
        super().__init__(
            step,
            bin_sizes,
            image_scales,
            magnification,
            window,
            contrast_threshold,
            root,
            mirrored,
        )
        self.space = space

    def _requirements(self) -> Requirements:
        return replace(super()._requirements(), channels=(3,))

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        if self.space == "hue":
            return [*sift_names(), *(f"hue{index}" for index in range(_HUES))]
        return [f"{channel}_{name}" for channel in _CHANNELS[self.space] for name in sift_names()]

    def _entries(self) -> int:
        return ENTRIES + _HUES if self.space == "hue" else 3 * ENTRIES

    def _describe(self, image: Image, grid: Grid, out: NDArray[np.float32]) -> None:
        for index, plane in enumerate(self._planes(image)):
            grid.describe(plane, self.contrast_threshold, self.root, out, index * ENTRIES)
        if self.space == "hue":
            self._describe_hues(image, grid, out)

    def _planes(self, image: Image) -> Planes:
        if self.space == "hue":
            return (np.asarray(cv2.transform(image, LUMA[np.newaxis]), np.float32),)
        if self.space == "rgb":
            return _split(image)
        red_green, yellow_blue, intensity = _opponent(image)
        if self.space == "c":
            lightness = np.maximum(intensity, 0) + _DARK
            return red_green / lightness, yellow_blue / lightness, intensity
        return red_green, yellow_blue, intensity

    def _describe_hues(self, image: Image, grid: Grid, out: NDArray[np.float32]) -> None:
        red_green, yellow_blue, _ = _opponent(image)
        angles = np.arctan2(red_green, yellow_blue)
        reach = grid.bin_size * BINS / 2
        tops, bottoms, lefts, rights = (
            np.clip(side, 0, length).astype(np.int64)
            for centers, length in zip(grid.centers(), grid.shape, strict=True)
            for side in (np.floor(centers - reach) + 1, np.ceil(centers + reach))
        )
        saturations = np.hypot(red_green, yellow_blue)
        _hue_histograms(angles, saturations, tops, bottoms, lefts, rights, self.root, out)

    def _mirror(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.space != "hue":
            return mirror_sift(values)
        return np.concatenate([mirror_sift(values[:, :ENTRIES]), values[:, ENTRIES:]], axis=1)


def _opponent(image: Image) -> Planes:
    return _split(cv2.transform(image, OPPONENT))


def _split(image: Any) -> Planes:
    return tuple(np.asarray(plane, np.float32) for plane in cv2.split(image))


@compiled
def _hue_histograms(
    angles: NDArray[np.float32],
    saturations: NDArray[np.float32],
    tops: NDArray[np.int64],
    bottoms: NDArray[np.int64],
    lefts: NDArray[np.int64],
    rights: NDArray[np.int64],
    root: bool,
    out: NDArray[np.float32],
) -> None:
    """Write the hue histograms for all pairs of rows and columns after the gray descriptors.

    For each row of descriptors, pixels are first summed column by column.
    """
    zero, one = np.float32(0), np.float32(1)
    width = angles.shape[1]
    columns = np.empty((width, _HUES), np.float32)
    n = 0
    for i in range(len(tops)):
        columns[:] = zero
        for y in range(tops[i], bottoms[i]):
            for x in range(width):
                hue = angles[y, x] * _HUES_IN_RADIANS
                below = np.floor(hue)
                share = (hue - below) * saturations[y, x]
                # Indices for angles from -π to π are -19 to 18; negative ones wrap around.
                columns[x, int(below)] += saturations[y, x] - share
                columns[x, int(below) + 1] += share
        for j in range(len(lefts)):
            histogram = out[n, ENTRIES:]
            histogram[:] = zero
            for x in range(lefts[j], rights[j]):
                for hue in range(_HUES):
                    histogram[hue] += columns[x, hue]
            total, squares = zero, zero
            for hue in range(_HUES):
                total += histogram[hue]
                squares += histogram[hue] * histogram[hue]
            pixels = (bottoms[i] - tops[i]) * (rights[j] - lefts[j])
            if total < ROUNDING * pixels:
                histogram[:] = zero
                total = squares = one
            factor = one / (total if root else np.sqrt(squares))
            for hue in range(_HUES):
                histogram[hue] = (
                    np.sqrt(histogram[hue] * factor) if root else histogram[hue] * factor
                )
            n += 1
