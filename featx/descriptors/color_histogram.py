"""Color histograms."""

import math
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import Each, StrOptions, natural, pair
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.color import CHANNEL_NAMES, convert

# Range of each channel: the start of the first bin and the end of the last.
_RANGES = MappingProxyType(
    {
        "rgb": [(0, 1)] * 3,
        "hsv": [(0, 1)] * 3,
        "ycbcr": [(0, 1)] * 3,
        "lab": [(0, 100), (-128, 128), (-128, 128)],
        "luv": [(0, 100), (-128, 192), (-160, 128)],
        "opponent": [(-(0.5**0.5), 0.5**0.5), (-2 / 6**0.5, 2 / 6**0.5), (0, 3**0.5)],
    }
)
_LONGEST = 2**24  # features per vector
# Tolerance for values that rounding puts below the edge of a bin, as a fraction of a bin.
_ROUNDING = 1e-3


class ColorHistogram(ImageStage):
    r"""Color histograms over the cells of a grid.

    A channel with range :math:`[l, h]` has :math:`n` equal bins. A value :math:`x` falls into bin
    :math:`\lfloor n (x - l) / (h - l) \rfloor`; values outside the range, and :math:`h` itself,
    fall into the first or the last bin. The counts of a cell are divided by its number of pixels.

    Parameters
    ----------
    bins : int or (int, int, int), default=8
        Number of bins per channel.
    space : {"rgb", "hsv", "lab", "luv", "ycbcr", "opponent"}, default="rgb"
        Color space, as in `ColorSpace`.
    joint : bool, default=True
        If True, count combinations of the bins of all three channels; if False, compute a
        histogram for each channel.
    grid : (int, int), default=(1, 1)
        Rows and columns of cells.
    norm : {"L1", "L1-sqrt"}, default="L1"
        Relative frequencies, or their square roots, whose dot product is the Bhattacharyya
        coefficient.

    Raises
    ------
    ValueError
        If an image does not have three channels, if a value is outside [0, 1], or if the grid has
        more rows or columns than the image.

    See Also
    --------
    SpatialPyramid : Means and other statistics of channels over cells.

    Notes
    -----
    Accepts RGB images (height, width, 3) with values in [0, 1]. Returns vectors with values in
    [0, 1], cell by cell and row by row. Each cell has :math:`n_1 n_2 n_3` entries if ``joint``,
    otherwise :math:`n_1 + n_2 + n_3`.

    The ranges are [0, 1] in RGB, HSV and YCbCr; [0, 100] and twice [-128, 128] in Lab; [0, 100],
    [-128, 192] and [-160, 128] in Luv; and the attainable values in opponent space. A value less
    than a thousandth of a bin below the edge of a bin counts as on the edge: in several spaces,
    gray lies on an edge and rounding would otherwise decide its bin.

    References
    ----------
    .. [1] M. Swain and D. Ballard, "Color Indexing", International Journal of Computer
       Vision 7(1), 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ColorHistogram
    >>> image = np.zeros((2, 2, 3), dtype=np.float32)
    >>> image[0, :, 0] = 1  # red above, black below
    >>> histogram = ColorHistogram(bins=2, joint=False)
    >>> histogram.fit_transform([image])
    array([[0.5, 0.5, 1. , 0. , 1. , 0. ]], dtype=float32)
    >>> str(histogram.get_feature_names_out()[1])
    'red_bin1_cell0_0'
    """

    takes = "pixels"
    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "bins": [natural, Each(natural, length=3)],
        "space": [StrOptions(set(_RANGES))],
        "joint": ["boolean"],
        "grid": [pair],
        "norm": [StrOptions({"L1", "L1-sqrt"})],
    }

    def __init__(
        self,
        bins: int | Sequence[int] = 8,
        space: str = "rgb",
        joint: bool = True,
        grid: Sequence[int] = (1, 1),
        norm: str = "L1",
    ) -> None:
        self.bins = bins
        self.space = space
        self.joint = joint
        self.grid = grid
        self.norm = norm

    def _requirements(self) -> Requirements:
        bins, cells = self._counts(), math.prod(self.grid)
        if cells * (math.prod(bins) if self.joint else sum(bins)) > _LONGEST:
            raise InputError(
                f"ColorHistogram: bins={self.bins} and grid={list(self.grid)} result in more than "
                f"{_LONGEST} features. Use fewer bins, or joint=False."
            )
        rows, columns = self.grid
        return Requirements((rows, columns), channels=(3,))

    def _counts(self) -> tuple[int, int, int]:
        """Return the number of bins of each channel."""
        if isinstance(self.bins, Sequence):
            first, second, third = self.bins
            return first, second, third
        return self.bins, self.bins, self.bins

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        colors = convert(image, self.space, "ColorHistogram")
        bins, ranges = np.array(self._counts()), np.array(_RANGES[self.space], np.float64)
        length = bins.prod() if self.joint else bins.sum()
        shares = np.zeros((*self.grid, length), np.float32)
        _count(colors, bins, ranges, bool(self.joint), shares)
        _divide(shares, *colors.shape[:2])
        return np.sqrt(shares).ravel() if self.norm == "L1-sqrt" else shares.ravel()

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        names = channels if self.space == "rgb" else CHANNEL_NAMES[self.space]
        bins = self._counts()
        if self.joint:
            kinds = [
                "_".join(f"{c}{b}" for c, b in zip(names, at, strict=True))
                for at in np.ndindex(bins)
            ]
        else:
            kinds = [
                f"{name}_bin{b}"
                for name, count in zip(names, bins, strict=True)
                for b in range(count)
            ]
        return [
            f"{kind}_cell{row}_{column}" for row, column in np.ndindex(*self.grid) for kind in kinds
        ]


def _divide(counts: NDArray[np.float32], height: int, width: int) -> None:
    """Divide the counts of each cell by its number of pixels."""
    rows, columns = counts.shape[:2]
    heights = np.diff(np.arange(rows + 1) * height // rows)
    widths = np.diff(np.arange(columns + 1) * width // columns)
    counts /= np.outer(heights, widths)[..., np.newaxis].astype(np.float32)


@compiled
def _count(
    colors: NDArray[np.float32],
    bins: NDArray[np.int64],
    ranges: NDArray[np.float64],
    joint: bool,
    counts: NDArray[np.float32],
) -> None:
    """Count the colors of each cell of the grid."""
    height, width, channels = colors.shape
    rows, columns = counts.shape[0], counts.shape[1]
    scales = bins / (ranges[:, 1] - ranges[:, 0])
    for row in range(rows):
        for column in range(columns):
            cell = counts[row, column]
            for i in range(row * height // rows, (row + 1) * height // rows):
                for j in range(column * width // columns, (column + 1) * width // columns):
                    place = 0
                    for c in range(channels):
                        value = (colors[i, j, c] - ranges[c, 0]) * scales[c] + _ROUNDING
                        bin_ = int(min(max(value, 0.0), bins[c] - 1.0))
                        if joint:
                            place = place * bins[c] + bin_
                        else:
                            cell[place + bin_] += 1
                            place += bins[c]
                    if joint:
                        cell[place] += 1
