"""Batches of images: lazy evaluation, chunks and concatenation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featx.core.errors import InputError


class LazyBatch(Sequence[Any]):
    """A sequence that computes its items on access.

    Items are not kept: each access computes them again.

    Parameters
    ----------
    count : int
        Number of items.
    compute : callable
        Called with a list of indices; returns an iterator over the items at these indices.

    Examples
    --------
    >>> from featx.core.batches import LazyBatch
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
        """Return the lazy batch of the items at these indices."""
        return LazyBatch(
            len(positions), lambda chosen: self._compute([positions[index] for index in chosen])
        )


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of ``size`` items; the last list may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


class Joined:
    """Concatenate the batches of one output incrementally.

    If all results have one shape, each batch is copied into one preallocated array. Memory is
    then needed for one copy of the results only.
    """

    def __init__(self, total: int) -> None:
        self._total, self._filled = total, 0
        self._array: NDArray[Any] | None = None
        self._batches: list[Any] = []

    def add(self, batch: Any) -> None:
        """Append the results of the next images."""
        if len(batch) == 0:
            return
        if self._array is None and not self._batches and isinstance(batch, np.ndarray):
            self._array = np.empty((self._total, *batch.shape[1:]), batch.dtype)
        into = self._array
        if into is not None and _alike(into, batch):
            into[self._filled : self._filled + len(batch)] = batch
            self._filled += len(batch)
            return
        if into is not None:
            self._batches.append(into[: self._filled])
            self._array = None
        self._batches.append(batch)

    def result(self) -> Any:
        """Return all results as one batch."""
        return join(self._batches) if self._array is None else self._array[: self._filled]


def _alike(array: NDArray[Any], batch: Any) -> bool:
    return (
        isinstance(batch, np.ndarray)
        and batch.shape[1:] == array.shape[1:]
        and batch.dtype == array.dtype
    )


def join(batches: list[Any]) -> Any:
    """Concatenate batches: into an array if all results have one shape, else into a list."""
    batches = [batch for batch in batches if len(batch) > 0]
    arrays = all(isinstance(batch, np.ndarray) for batch in batches)
    if arrays and len({(batch.shape[1:], batch.dtype) for batch in batches}) == 1:
        return batches[0] if len(batches) == 1 else np.concatenate(batches)
    if any(getattr(batch, "ndim", 0) == 2 for batch in batches):
        lengths = sorted({batch.shape[1] for batch in batches})
        raise InputError(
            f"The vectors have different lengths ({lengths[0]} to {lengths[-1]}), since the images "
            "differ in size. Resize all images to one size, for example with "
            "ReadImages(size=(256, 256))."
        )
    return list(chain.from_iterable(batches))
