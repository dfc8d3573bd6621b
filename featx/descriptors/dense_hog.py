"""HOG cells as local descriptors."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from featx.core.constraints import Each, natural, natural_to
from featx.core.descriptor_sets import DescriptorSet, with_mirrored
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.uoctti import TEXTURES, uoctti_cells, uoctti_names


class DenseHOG(ImageStage):
    """Histograms of oriented gradients over small squares of cells, as local descriptors.

    A descriptor concatenates ``cells`` × ``cells`` adjacent cells of ``HOG(variant="uoctti")``,
    row by row. Each cell has :math:`3n + 4` entries for :math:`n` orientations; 2 × 2 cells with
    nine orientations have 124 entries.

    Parameters
    ----------
    orientations : int, default=9
        Number of orientations; the number of signed directions is twice that.
    cell_sizes : list of int, default=(8,)
        Sides of the cells in pixels. Descriptors of all sizes are returned.
    cells : int, default=2
        Number of cells along each side of a descriptor.
    step : int or None, default=None
        Distance between descriptors in pixels; None uses the side of a cell. Smaller steps shift
        the cell grid by cropping the image: each halving multiplies the cost by four.
    mirrored : bool, default=False
        If True, append the descriptors of the mirrored image, with their positions in it.

    Raises
    ------
    ValueError
        If an image is smaller than the smallest descriptor, or ``step`` does not divide a cell
        size.

    See Also
    --------
    HOG : The cells of the whole image as one vector.
    DenseSIFT : Gradients in 4 × 4 cells with a common normalization.

    Notes
    -----
    Accepts maps (height, width, c). Returns a `DescriptorSet` of :math:`(3n + 4)` ``cells``²
    entries in [0, 1], ordered by cell size, row and column. Sizes that do not fit into an image
    are skipped. ``scales`` are the cell sizes. The last row and column of cells may extend beyond
    the border by up to half a cell.

    References
    ----------
    .. [1] P. Felzenszwalb, R. Girshick, D. McAllester and D. Ramanan, "Object Detection with
       Discriminatively Trained Part-Based Models", IEEE TPAMI 32(9), 2010.
    .. [2] J. Xiao, J. Hays, K. Ehinger, A. Oliva and A. Torralba, "SUN Database: Large-scale
       Scene Recognition from Abbey to Zoo", CVPR 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import DenseHOG
    >>> image = np.random.default_rng(0).random((32, 24), dtype=np.float32)
    >>> (found,) = DenseHOG().fit_transform([image])
    >>> found.shape, found.positions[0]
    ((6, 124), array([7.5, 7.5], dtype=float32))
    """

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "orientations": [natural_to(1000)],
        "cell_sizes": [Each(natural)],
        "cells": [natural],
        "step": [natural, None],
        "mirrored": ["boolean"],
    }

    def __init__(
        self,
        orientations: int = 9,
        cell_sizes: Sequence[int] = (8,),
        cells: int = 2,
        step: int | None = None,
        mirrored: bool = False,
    ) -> None:
        self.orientations = orientations
        self.cell_sizes = cell_sizes
        self.cells = cells
        self.step = step
        self.mirrored = mirrored

    def _requirements(self) -> Requirements:
        for side in self.cell_sizes:
            if self.step is not None and side % self.step:
                raise InputError(
                    f"DenseHOG: step={self.step} does not divide the cell size {side}. Use a "
                    f"divisor of all cell_sizes."
                )
        least = self._least(min(self.cell_sizes))
        return Requirements((least, least))

    def _least(self, side: int) -> int:
        return self.cells * side - side // 2

    def _transform_one(self, image: Image) -> DescriptorSet:
        return with_mirrored(self._describe, image) if self.mirrored else self._describe(image)

    def _describe(self, image: Image) -> DescriptorSet:
        values, positions, scales = [], [], []
        for side in self.cell_sizes:
            if min(image.shape[:2]) < self._least(side):
                continue
            found, places = self._of_size(image, side)
            values.append(found)
            positions.append(places)
            scales.append(np.full(len(found), side, np.float32))
        height, width = image.shape[:2]
        return DescriptorSet(
            np.concatenate(values),
            np.concatenate(positions),
            np.concatenate(scales),
            (height, width),
            float(self.cells),
        )

    def _of_size(self, image: Image, side: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Compute the descriptors of one size and their centers, row by row."""
        step = side if self.step is None else self.step
        # Each shift of the cell grid yields every ``shifts``-th row and column of descriptors.
        length = self.cells**2 * (3 * self.orientations + TEXTURES)
        rows, columns = (1 + (size - self._least(side)) // step for size in image.shape[:2])
        values = np.empty((rows, columns, length), np.float32)
        shifts = side // step
        for down in range(min(shifts, rows)):
            for right in range(min(shifts, columns)):
                cells = uoctti_cells(
                    image[down * step :, right * step :], self.orientations, (side, side)
                )
                window = (self.cells, self.cells)
                blocks = sliding_window_view(cells, window, axis=(0, 1)).transpose(0, 1, 3, 4, 2)
                values[down::shifts, right::shifts] = blocks.reshape(*blocks.shape[:2], -1)
        center = (self.cells * side - 1) / 2
        places = np.moveaxis(np.mgrid[:rows, :columns], 0, -1) * step + center
        return values.reshape(-1, length), places.reshape(-1, 2).astype(np.float32, order="C")

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return [
            f"hog_cell{row}_{column}_{name}"
            for row in range(self.cells)
            for column in range(self.cells)
            for name in uoctti_names(self.orientations)
        ]
