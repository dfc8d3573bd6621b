"""Local color statistics."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import Each, natural
from featx.core.descriptor_sets import DescriptorSet
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.windows import Windows, check_cells, describe, windows_within


class LocalColor(ImageStage):
    r"""Mean and standard deviation of each channel in the cells of windows on a regular grid.

    A window of side :math:`w` is divided into :math:`n \times n` cells of :math:`(w/n)^2` pixels.
    For each cell and channel :math:`x`, the descriptor has the mean :math:`\mu = \overline x` and
    the standard deviation :math:`\sigma = \sqrt{\overline{(x - \mu)^2}}`.

    Parameters
    ----------
    patch_sizes : list of int, default=(16, 24, 32, 48)
        Sides :math:`w` of the windows, multiples of ``cells``. Windows of all sizes are returned.
    cells : int, default=4
        Number :math:`n` of cells along each side.
    step : int, default=4
        Distance between windows in pixels.

    Raises
    ------
    ValueError
        If an image is smaller than the smallest window, or if a side is not a multiple of
        ``cells``.

    Notes
    -----
    Accepts maps (height, width, c), such as RGB images. Returns a `DescriptorSet` of vectors of
    :math:`2 n^2 c` entries, 96 for RGB and the defaults [1]_. They are ordered by cell row and cell
    column; within a cell, the means of all channels precede the standard deviations. Windows are
    ordered by size, row and column, starting at the first pixel. Sizes that do not fit into an
    image are skipped. ``scales`` are the window sides. Sums are computed in double precision.

    See Also
    --------
    DensePatches : Pixel patterns, normalized for brightness and contrast.

    References
    ----------
    .. [1] S. Clinchant, G. Csurka, F. Perronnin and J.-M. Renders, "XRCE's Participation to
       ImagEval", ImagEval Workshop at CIVR, 2007.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import LocalColor
    >>> image = np.array([[0, 1, 1, 1], [1, 0, 1, 1]], dtype=np.float32)
    >>> LocalColor(patch_sizes=[2], cells=1, step=2).fit_transform([image])[0].values
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "patch_sizes": [Each(natural)],
        "cells": [natural],
        "step": [natural],
    }

    def __init__(
        self, patch_sizes: Sequence[int] = (16, 24, 32, 48), cells: int = 4, step: int = 4
    ) -> None:
        self.patch_sizes = patch_sizes
        self.cells = cells
        self.step = step

    def _requirements(self) -> Requirements:
        check_cells(self, self.patch_sizes, self.cells)
        side = min(self.patch_sizes)
        return Requirements((side, side))

    def _transform_one(self, image: Image) -> DescriptorSet:
        windows = windows_within(image.shape, self.patch_sizes, self.step)
        entries = 2 * image.shape[2]

        def write(those: Windows, out: NDArray[np.float32]) -> None:
            cells = those.cells(self.cells)
            found = np.empty((len(cells.tops), len(cells.lefts), entries), np.float32)
            _statistics(image, cells.tops, cells.lefts, cells.side, found)
            cells.to_windows(found, out.reshape(*out.shape[:2], self.cells, self.cells, entries))

        return describe(windows, self.cells**2 * entries, write, image.shape)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return [
            f"{channel}_cell{row}_{column}_{statistic}"
            for row in range(self.cells)
            for column in range(self.cells)
            for statistic in ("mean", "standard_deviation")
            for channel in channels
        ]


@compiled
def _statistics(
    image: NDArray[np.float32],
    tops: NDArray[np.int64],
    lefts: NDArray[np.int64],
    side: int,
    out: NDArray[np.float32],
) -> None:
    """Write the statistics of cells, from cumulative sums along their rows.

    Sums are relative to the first pixel, so that constant images have a deviation of exactly zero.
    """
    _, width, channels = image.shape
    flat, share, first = image.reshape(len(image), width * channels), 1 / side**2, image[0, 0]
    origin = np.empty(width * channels)
    for x in range(len(origin)):
        origin[x] = first[x % channels]
    # Cumulative sums start with zero columns.
    totals, squares = np.zeros((width + 1) * channels), np.zeros((width + 1) * channels)
    sums, square_sums = totals[channels:], squares[channels:]
    for i in range(len(tops)):
        sums[:], square_sums[:] = 0, 0
        for y in range(tops[i], tops[i] + side):
            row = flat[y]
            for x in range(len(row)):
                value = row[x] - origin[x]
                sums[x] += value
                square_sums[x] += value * value
        for x in range(channels, len(sums)):
            sums[x] += sums[x - channels]
            square_sums[x] += square_sums[x - channels]
        for j in range(len(lefts)):
            for k in range(channels):
                begin = lefts[j] * channels + k
                end = begin + side * channels
                mean = (totals[end] - totals[begin]) * share
                variance = (squares[end] - squares[begin]) * share - mean * mean
                out[i, j, k] = mean + first[k]
                out[i, j, channels + k] = np.sqrt(np.float32(max(variance, 0.0)))
