"""Results of consecutive images, put together: one array where all have one shape, else a list."""

from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Joined:
    """Joins the batches of one output as they come.

    Where all results have one shape, each batch is copied to its place at once, so that memory is
    needed for one of all results only.
    """

    def __init__(self, total: int) -> None:
        self._total, self._filled = total, 0
        self._array: NDArray[Any] | None = None
        self._batches: list[Any] = []

    def add(self, batch: Any) -> None:
        """Add the results of the next images."""
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
        """Give all results as one batch."""
        return join(self._batches) if self._array is None else self._array[: self._filled]


def _alike(array: NDArray[Any], batch: Any) -> bool:
    return (
        isinstance(batch, np.ndarray)
        and batch.shape[1:] == array.shape[1:]
        and batch.dtype == array.dtype
    )


def join(batches: list[Any]) -> Any:
    """Join batches into one: an array where all results have one shape, else a list."""
    batches = [batch for batch in batches if len(batch) > 0]
    arrays = all(isinstance(batch, np.ndarray) for batch in batches)
    if arrays and len({(batch.shape[1:], batch.dtype) for batch in batches}) == 1:
        return batches[0] if len(batches) == 1 else np.concatenate(batches)
    if any(getattr(batch, "ndim", 0) == 2 for batch in batches):
        lengths = sorted({batch.shape[1] for batch in batches})
        raise ValueError(
            f"The images give vectors of different lengths ({lengths[0]} to {lengths[-1]}), since "
            "their sizes differ. Give all images one size, for example with "
            "ReadImages(size=(256, 256))."
        )
    return list(chain.from_iterable(batches))
