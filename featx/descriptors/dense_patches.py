"""Small patches of pixels, normalised for contrast."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import Each, natural, positive
from featx.core.descriptor_sets import DescriptorSet
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.windows import Windows, describe, windows_within


class DensePatches(ImageStage):
    r"""Pixels of small patches on a regular grid, normalised for brightness and contrast.

    A patch at :math:`(y, x)` with spacing :math:`s` has the pixels
    :math:`p_{ijk} = x_{y + s i,\, x + s j,\, k}` of each channel :math:`k`, for
    :math:`0 \le i, j < n`. Its descriptor is

    .. math:: \frac{p_{ijk} - m}{\sqrt{v + \epsilon}}

    where :math:`m` is the mean of all numbers of the patch, whatever their channel, and :math:`v`
    that of :math:`(p_{ijk} - m)^2`.

    Parameters
    ----------
    patch_size : int, default=8
        The number :math:`n` of rows and of columns.
    spacings : list of int, default=(1, 2, 3, 4, 6)
        Pixels from one row or column of a patch to the next; the patches of all spacings are given.
    step : int, default=4
        Pixels from one patch to the next.
    epsilon : float, default=1.5e-4
        What is added to the variance, so that noise in even regions is not blown up: that of [1]_,
        10 for pixels up to 255.

    Raises
    ------
    ValueError
        If an image is smaller than the :math:`s(n - 1) + 1` pixels of the smallest spacing.

    Notes
    -----
    Takes maps (height, width, c), such as grey or RGB images; gives a `DescriptorSet` of vectors of
    :math:`n^2 c` entries, ordered by row, column and channel. All channels have one mean, so that
    they should have one unit, as those of RGB have. Patches are ordered by spacing, row and column,
    the first at the first pixel; spacings that do not fit into an image are left out. ``scales``
    are the sides :math:`s(n - 1) + 1`. A patch of one number gives zeros.

    The whitening of [1]_ is left to the encoder, which learns it. Pixels between those of a patch
    are skipped and not averaged: on scenes, averaging was worth less.

    See Also
    --------
    LocalColor : Means and deviations, which are lost here.

    References
    ----------
    .. [1] A. Coates, A. Ng and H. Lee, "An Analysis of Single-Layer Networks in Unsupervised
       Feature Learning", AISTATS 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import DensePatches
    >>> image = np.array([[0, 1, 0], [0, 1, 0]], dtype=np.float32)
    >>> stage = DensePatches(patch_size=2, spacings=[1], step=1, epsilon=1e-9)
    >>> stage.fit_transform([image])[0].values
    array([[-1.,  1., -1.,  1.],
           [ 1., -1.,  1., -1.]], dtype=float32)
    """

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "patch_size": [natural],
        "spacings": [Each(natural)],
        "step": [natural],
        "epsilon": [positive],
    }

    def __init__(
        self,
        patch_size: int = 8,
        spacings: Sequence[int] = (1, 2, 3, 4, 6),
        step: int = 4,
        epsilon: float = 1.5e-4,
    ) -> None:
        self.patch_size = patch_size
        self.spacings = spacings
        self.step = step
        self.epsilon = epsilon

    def _side(self, spacing: int) -> int:
        return spacing * (self.patch_size - 1) + 1

    def _requirements(self) -> Requirements:
        side = self._side(min(self.spacings))
        return Requirements((side, side))

    def _transform_one(self, image: Image) -> DescriptorSet:
        sides = [self._side(spacing) for spacing in self.spacings]
        windows = windows_within(image.shape, sides, self.step)
        entries = self.patch_size**2 * image.shape[2]

        def write(those: Windows, out: NDArray[np.float32]) -> None:
            spacing = self.spacings[sides.index(those.side)]
            _patches(image, *those[:2], self.patch_size, spacing, self.epsilon, out)

        return describe(windows, entries, write, image.shape)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return [
            f"{channel}_patch{row}_{column}"
            for row in range(self.patch_size)
            for column in range(self.patch_size)
            for channel in channels
        ]


@compiled
def _patches(
    image: NDArray[np.float32],
    tops: NDArray[np.int64],
    lefts: NDArray[np.int64],
    size: int,
    spacing: int,
    epsilon: float,
    patches: NDArray[np.float32],
) -> None:
    """Write the patches; their columns are added up once for all patches of a row."""
    _, width, channels = image.shape
    entries = size * channels
    flat, out = image.reshape(len(image), width * channels), patches.reshape(-1, entries)
    # Where the entries of a patch's row are, unsigned: what may be negative is not vectorised.
    places = np.empty(entries, np.uint64)
    for n in range(entries):
        places[n] = n // channels * spacing * channels + n % channels
    sums, squares = np.empty(width * channels), np.empty(width * channels)
    line, zero = 0, np.float32(0)
    for top in tops:
        sums[:], squares[:] = 0, 0
        for r in range(size):
            row = flat[top + spacing * r]
            for x in range(len(row)):
                value = np.float64(row[x])
                sums[x] += value
                squares[x] += value * value
        for left in lefts:
            start = np.uint64(left * channels)
            total, square = 0.0, 0.0
            for n in range(entries):
                total += sums[start + places[n]]
                square += squares[start + places[n]]
            mean = total / (size * entries)
            variance = max(square / (size * entries) - mean * mean, 0.0)
            level, factor = np.float32(mean), np.float32(1 / np.sqrt(variance + epsilon))
            # What single precision lacks of the mean is subtracted, too: a small epsilon makes it
            # large. Of an even patch it is nothing but the rounding of sums, and left out.
            rest = np.float32(mean - level) if abs(mean - level) > 1e-9 * abs(level) else zero
            for r in range(size):
                row, target = flat[top + spacing * r], out[line + r]
                for n in range(entries):
                    target[n] = ((row[start + places[n]] - level) - rest) * factor
            line += size
