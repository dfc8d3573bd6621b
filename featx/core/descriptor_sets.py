"""The local descriptors of an image, with the places at which they were taken."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featx.core.errors import InputError


@dataclass(frozen=True, eq=False)
class DescriptorSet:
    """The local descriptors of one image.

    ``numpy.asarray`` gives the descriptors alone; an index chooses descriptors with all that
    belongs to them.

    Attributes
    ----------
    values : ndarray of float32, (k, d)
        One descriptor a row; there may be none.
    positions : ndarray of float32, (k, 2), or None
        Row and column of each descriptor's centre, in pixels; the first pixel's centre is 0.
    scales : ndarray of float32, (k,), or None
        The size of each descriptor's support, in pixels, in the unit that its stage names.
    size : (int, int) or None
        Height and width of the image.
    support : float
        The side of a descriptor's square support, in units of its scale.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import DescriptorSet
    >>> places = np.array([[0.5, 0.5], [0.5, 1.5]], dtype=np.float32)
    >>> found = DescriptorSet(np.eye(2, dtype=np.float32), places, size=(2, 4))
    >>> found[[1]].relative_positions
    array([[0.5, 0.5]], dtype=float32)
    """

    values: NDArray[np.float32]
    positions: NDArray[np.float32] | None = None
    scales: NDArray[np.float32] | None = None
    size: tuple[int, int] | None = None
    support: float = 1.0

    @property
    def shape(self) -> tuple[int, ...]:
        """How many descriptors there are, and of how many entries."""
        return self.values.shape

    @property
    def relative_positions(self) -> NDArray[np.float32]:
        """Row and column of each centre as fractions of the image's height and width.

        Raises
        ------
        ValueError
            If the descriptors carry no positions, or not the image's size.
        """
        if self.positions is None or self.size is None:
            raise InputError(
                "These descriptors carry no positions in an image of known size. Take them from a "
                "stage, such as DenseSIFT, or give DescriptorSet its positions and size."
            )
        relative: NDArray[np.float32] = self.positions + np.float32(0.5)
        relative /= np.asarray(self.size, np.float32)
        return relative

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> "DescriptorSet":
        positions = None if self.positions is None else self.positions[rows]
        scales = None if self.scales is None else self.scales[rows]
        return DescriptorSet(self.values[rows], positions, scales, self.size, self.support)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.values, dtype, copy=copy)


def joined(first: DescriptorSet, second: DescriptorSet) -> DescriptorSet:
    """Put two sets with places and scales, of images of one size, into one."""

    def both(name: str) -> NDArray[np.float32]:
        return np.concatenate([getattr(first, name), getattr(second, name)])

    return replace(first, values=both("values"), positions=both("positions"), scales=both("scales"))


def with_mirrored(
    describe: Callable[[NDArray[Any]], DescriptorSet], image: NDArray[Any]
) -> DescriptorSet:
    """Describe an image, and then its mirror image, whose places are those in the mirror image."""
    return joined(describe(image), describe(np.ascontiguousarray(image[:, ::-1])))
