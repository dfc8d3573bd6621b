"""Sets of local descriptors with their positions and scales."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featx.core.errors import InputError


@dataclass(frozen=True, eq=False)
class DescriptorSet:
    """The local descriptors of one image.

    ``numpy.asarray`` returns the descriptors alone. Indexing selects descriptors together with
    their positions and scales.

    Attributes
    ----------
    values : ndarray of float32, (k, d)
        One descriptor per row; k may be 0.
    positions : ndarray of float32, (k, 2), or None
        Row and column of each descriptor's center, in pixels; the center of the first pixel is 0.
    scales : ndarray of float32, (k,), or None
        Scale of each descriptor, in pixels; the stage defines its unit.
    size : (int, int) or None
        Height and width of the image.
    support : float
        Side of a descriptor's square support, in units of its scale.

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
        """Number of descriptors, and number of entries per descriptor."""
        return self.values.shape

    @property
    def relative_positions(self) -> NDArray[np.float32]:
        """Row and column of each center as fractions of the image's height and width.

        Raises
        ------
        ValueError
            If the positions or the size of the image are not set.
        """
        if self.positions is None or self.size is None:
            raise InputError(
                "DescriptorSet: positions or size are not set. Compute the descriptors by a stage, "
                "such as DenseSIFT, or pass positions and size."
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
    """Concatenate two sets with positions and scales, of images of one size."""

    def both(name: str) -> NDArray[np.float32]:
        return np.concatenate([getattr(first, name), getattr(second, name)])

    return replace(first, values=both("values"), positions=both("positions"), scales=both("scales"))


def with_mirrored(
    describe: Callable[[NDArray[Any]], DescriptorSet], image: NDArray[Any]
) -> DescriptorSet:
    """Compute the descriptors of an image and of its mirror image, as one set.

    Positions of the latter are those in the mirror image.
    """
    return joined(describe(image), describe(np.ascontiguousarray(image[:, ::-1])))
