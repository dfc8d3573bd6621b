"""A batch whose items are computed when they are taken, so that it is never in memory whole."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any


class LazyBatch(Sequence[Any]):
    """A sequence that computes its items when they are taken, as often as they are.

    Parameters
    ----------
    count : int
        How many items there are.
    compute : callable
        Gives the items at these positions, in their order.

    Examples
    --------
    >>> from featx.core.lazy_batch import LazyBatch
    >>> squares = LazyBatch(1000, lambda positions: (n * n for n in positions))
    >>> squares[3], list(squares.take([10, 20]))
    (9, [100, 400])
    """

    def __init__(self, count: int, compute: Callable[[Sequence[int]], Iterator[Any]]) -> None:
        self._count = count
        self._compute = compute

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return self._compute(range(self._count))

    def __getitem__(self, index: Any) -> Any:
        positions = range(self._count)[index]
        if isinstance(positions, int):
            return next(self._compute([positions]))
        return self.take(positions)

    def take(self, positions: Sequence[int]) -> "LazyBatch":
        """Give the batch of the items at these positions."""
        return LazyBatch(
            len(positions), lambda chosen: self._compute([positions[index] for index in chosen])
        )
