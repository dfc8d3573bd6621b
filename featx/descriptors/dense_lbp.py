"""Local binary and ternary patterns as local descriptors."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, StrOptions, natural, positive
from featx.core.descriptor_sets import DescriptorSet, with_mirrored
from featx.core.stage import ImageStage, Pixels, Requirements
from featx.descriptors.binary_patterns import (
    METHODS,
    binary_patterns,
    circle,
    grey_levels,
    histograms,
    pattern_bins,
)
from featx.descriptors.lbp import NORMS, check_points, normalized, number_of_points
from featx.descriptors.windows import Windows, check_cells, describe, windows_within


class DenseLBP(ImageStage):
    r"""Histograms of local binary or ternary patterns in windows on a regular grid.

    A window is divided into :math:`n \times n` cells. Its descriptor concatenates the pattern
    histograms of the cells, as in `LBP`.

    Parameters
    ----------
    points : int, default=8
        Number of points on the circle, at most 24.
    radius : float, default=1
        Radius of the circle in pixels.
    method : {"default", "ror", "uniform", "nri_uniform"}, default="nri_uniform"
        Binning of the patterns, as in `LBP`.
    threshold : float, optional
        Threshold of ternary patterns, in units of the image. If None, patterns are binary.
    patch_sizes : list of int, default=(16,)
        Sides of the windows in pixels, multiples of ``cells``. Windows of all sizes are returned.
    cells : int, default=2
        Number :math:`n` of cells along each side.
    step : int, default=4
        Distance between windows in pixels.
    norm : {"L1", "L1-sqrt", "L2"} or None, default="L1-sqrt"
        Normalization of each descriptor :math:`h`: :math:`h / \|h\|_1`, its square root, or
        :math:`h / \|h\|_2`. None returns counts.
    mirrored : bool, default=False
        If True, append the descriptors of the mirrored image, with their positions in it.

    Raises
    ------
    ValueError
        If an image is too small for the smallest window, or if parameters are incompatible.

    Notes
    -----
    Accepts maps (height, width, c). Returns a `DescriptorSet` of vectors ordered by channel, upper
    and lower pattern, cell row, cell column and bin: 236 entries for gray images and the defaults.
    Windows are ordered by size, row and column. Pixels closer to the border than the radius have
    no pattern; the first window starts at the first pixel with a pattern. Sizes that do not fit
    into an image are skipped. ``scales`` are the window sides.

    Windows share the histograms of common cells. A step that divides the cell size :math:`w/n` is
    fastest; a step coprime to it is slow.

    See Also
    --------
    LBP : Pattern histograms of the whole image.

    References
    ----------
    .. [1] Y. Lin et al., "Large-scale Image Classification: Fast Feature Extraction and SVM
       Training", CVPR 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import DenseLBP
    >>> image = np.random.default_rng(0).random((34, 34), dtype=np.float32)
    >>> (found,) = DenseLBP(step=8).fit_transform([image])
    >>> found.shape, found.positions[0]
    ((9, 236), array([8.5, 8.5], dtype=float32))
    """

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "points": [number_of_points],
        "radius": [positive],
        "method": [StrOptions(set(METHODS))],
        "threshold": [positive, None],
        "patch_sizes": [Each(natural)],
        "cells": [natural],
        "step": [natural],
        "norm": [StrOptions(set(NORMS)), None],
        "mirrored": ["boolean"],
    }

    def __init__(
        self,
        points: int = 8,
        radius: float = 1,
        method: str = "nri_uniform",
        threshold: float | None = None,
        patch_sizes: Sequence[int] = (16,),
        cells: int = 2,
        step: int = 4,
        norm: str | None = "L1-sqrt",
        mirrored: bool = False,
    ) -> None:
        self.points = points
        self.radius = radius
        self.method = method
        self.threshold = threshold
        self.patch_sizes = patch_sizes
        self.cells = cells
        self.step = step
        self.norm = norm
        self.mirrored = mirrored

    def _requirements(self) -> Requirements:
        check_points(self, self.points)
        check_cells(self, self.patch_sizes, self.cells)
        side = min(self.patch_sizes) + 2 * circle(self.points, self.radius).margin
        return Requirements((side, side), uint8=True)

    def _transform_one(self, image: Pixels) -> DescriptorSet:
        return with_mirrored(self._describe, image) if self.mirrored else self._describe(image)

    def _describe(self, image: Pixels) -> DescriptorSet:
        border = circle(self.points, self.radius).margin
        bins, count = pattern_bins(self.points, self.method)
        maps = list(_channel_patterns(image, self.points, self.radius, self.threshold))

        def write(those: Windows, out: NDArray[np.float32]) -> None:
            parts = out.reshape(*out.shape[:2], len(maps), self.cells, self.cells, count)
            for index, patterns in enumerate(maps):
                self._cell_histograms(patterns, bins, those, parts[:, :, index])
            normalized(out.reshape(-1, out.shape[2]), self.norm)

        windows = windows_within(image.shape, self.patch_sizes, self.step, border)
        return describe(windows, len(maps) * self.cells**2 * count, write, image.shape)

    def _cell_histograms(
        self,
        patterns: NDArray[Any],
        bins: NDArray[Any],
        windows: Windows,
        out: NDArray[np.float32],
    ) -> None:
        """Compute the histograms of all distinct cells and copy them to their windows."""
        border = circle(self.points, self.radius).margin
        cells = windows.cells(self.cells)
        grid = np.meshgrid(cells.tops - border, cells.lefts - border, indexing="ij")
        corners = np.stack(grid, axis=-1).reshape(-1, 2)
        boxes = np.stack([corners, corners + cells.side], axis=-1).reshape(-1, 4)
        counted = histograms(patterns, bins, out.shape[-1], boxes)
        cells.to_windows(counted.reshape(len(cells.tops), len(cells.lefts), -1), out)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return [
            f"{channel}_lbp{self.points}_{self.radius:g}_{half}cell{row}_{column}_bin{bin_}"
            for channel in channels
            for half in ([""] if self.threshold is None else ["upper_", "lower_"])
            for row in range(self.cells)
            for column in range(self.cells)
            for bin_ in range(pattern_bins(self.points, self.method)[1])
        ]


def _channel_patterns(
    image: Pixels, points: int, radius: float, threshold: float | None
) -> Iterator[NDArray[Any]]:
    """Yield the patterns of each channel: the binary, or the upper and the lower ternary ones."""
    around = circle(points, radius)
    for channel in range(image.shape[2]):
        levels, unit = grey_levels(image[..., channel])
        if threshold is None:
            yield binary_patterns(levels, around)
        else:
            yield binary_patterns(levels, around, unit * threshold)
            yield binary_patterns(-levels, around, unit * threshold)
