"""Small image patches with contrast normalization."""

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
    r"""Small patches on a regular grid, normalized for brightness and contrast.

    A patch at :math:`(y, x)` with spacing :math:`s` consists of the pixels
    :math:`p_{ijk} = x_{y + s i,\, x + s j,\, k}` of each channel :math:`k`, for
    :math:`0 \le i, j < n`. Its descriptor is

    .. math:: \frac{p_{ijk} - m}{\sqrt{v + \epsilon}}

    where :math:`m` is the mean of the patch over all pixels and channels, and :math:`v` is the
    mean of :math:`(p_{ijk} - m)^2`.

    Parameters
    ----------
    patch_size : int, default=8
        Number :math:`n` of rows and columns of a patch.
    spacings : list of int, default=(1, 2, 3, 4, 6)
        Distances between the rows and columns of a patch, in pixels. Patches of all spacings are
        returned.
    step : int, default=4
        Distance between patches in pixels.
    epsilon : float, default=1.5e-4
        Added to the variance, so that noise in constant regions is not amplified. The default is
        that of [1]_, 10 for pixels up to 255.

    Raises
    ------
    ValueError
        If an image is smaller than :math:`s(n - 1) + 1` pixels for the smallest spacing.

    Notes
    -----
    Accepts maps (height, width, c), such as gray or RGB images. Returns a `DescriptorSet` of
    vectors of :math:`n^2 c` entries, ordered by row, column and channel. The mean is common to all
    channels, so channels should share one unit, as in RGB. Patches are ordered by spacing, row and
    column, starting at the first pixel. Spacings that do not fit into an image are skipped.
    ``scales`` are the sides :math:`s(n - 1) + 1`. A constant patch results in zeros.

    The whitening of [1]_ is part of the encoder, which learns it. Pixels between those of a patch
    are skipped rather than averaged, which is more accurate on scenes.

    See Also
    --------
    LocalColor : Means and standard deviations, which the normalization removes.

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
    """Write the patches; column sums are shared by all patches of a row."""
    _, width, channels = image.shape
    entries = size * channels
    flat, out = image.reshape(len(image), width * channels), patches.reshape(-1, entries)
    # Offsets of a patch row's entries; unsigned, since negative indices prevent vectorization.
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
            # Subtract the rounding error of the mean too, which a small epsilon would amplify. For
            # constant patches the difference is only the rounding of the sums and is dropped.
            rest = np.float32(mean - level) if abs(mean - level) > 1e-9 * abs(level) else zero
            for r in range(size):
                row, target = flat[top + spacing * r], out[line + r]
                for n in range(entries):
                    target[n] = ((row[start + places[n]] - level) - rest) * factor
            line += size
