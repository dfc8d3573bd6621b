"""Validation and conversion of a stage's input, and stacking of its results.

Only `featx.core.stage.ImageStage` calls these functions; authors of stages do not need them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from featx.core.batches import LazyBatch
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError

Kind: TypeAlias = Literal["paths", "signals", "pixels", "maps", "descriptors", "vectors"]
#: One image or stack of maps: float32, C-contiguous, (height, width, channels).
Image: TypeAlias = NDArray[np.float32]
#: The same, or uint8 pixels: the input of a stage whose requirements have ``uint8=True``.
Pixels: TypeAlias = NDArray[np.float32 | np.uint8]
#: A batch: an array whose first axis counts images, or a list of arrays.
Batch: TypeAlias = NDArray[Any] | Sequence[Any]


@dataclass(frozen=True)
class Requirements:
    """Requirements of a stage on its input, which follow from its parameters.

    Attributes
    ----------
    shape : tuple of int, default=(1, 1)
        Minimum (height, width), (height, width, channels), or (length,) of a signal.
    channels : tuple of int, optional
        Supported numbers of channels; by default any.
    uint8 : bool, default=False
        Whether `_transform_one` also accepts uint8 pixels, which are then not scaled to [0, 1].
    signals : bool, default=False
        Whether the parameters make a stage of images process signals instead.
    for_signals : str, default=""
        A parameter that selects signals, such as ``size=[5]``; error messages suggest it.
    """

    shape: tuple[int, ...] = (1, 1)
    channels: tuple[int, ...] | None = None
    uint8: bool = False
    signals: bool = False
    for_signals: str = ""


@dataclass(frozen=True)
class InputCheck:
    """Input validation of one stage: first the batch, then each item."""

    #: Name of the stage, for error messages.
    name: str
    #: Kinds of the input and of the result.
    kind: Kind
    result: Kind
    requirements: Requirements

    def batch(self, X: Batch) -> Batch:
        """Raise if ``X`` is not a batch; a single image is never interpreted as a batch."""
        if self.kind == "paths":
            return self._paths(X)
        if self.kind == "descriptors" and isinstance(X, DescriptorSet):
            X = X.values  # a single set is rejected like its array
        if (
            isinstance(X, np.ndarray)
            and X.ndim not in _dimensions(self.kind)
            and (X.ndim == 0 or X.dtype != object)
        ):
            # A batch of signals has two dimensions.
            hint = self._hint() if X.ndim == 2 else ""
            raise InputError(
                f"{self.name}: expected {_wanted(self.kind)}, "
                f"but got {_got(self.kind, X.shape)}{hint}"
            )
        if not isinstance(X, list | tuple | np.ndarray | LazyBatch):
            raise InputError(
                f"{self.name}: expected {_wanted(self.kind)}, but got {type(X).__name__}."
            )
        return X

    def _paths(self, X: Batch) -> Batch:
        """Raise if ``X`` is a single path; convert a column of a data frame to a list."""
        shape = getattr(X, "shape", None)
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and X.ndim > 0:
            # scikit-learn converts an empty list of paths to an empty float array.
            if X.ndim not in _dimensions(self.result) and len(X) > 0:
                raise InputError(
                    f"{self.name}: expected a batch of paths, or {_wanted(self.result)}, "
                    f"but got {_got(self.result, X.shape)}"
                )
            return X
        if shape is not None and len(shape) > 1:
            raise InputError(
                f"{self.name}: expected a batch of paths, but got a table of shape {shape}. "
                "Pass the column of the paths."
            )
        if isinstance(X, str | bytes) or not (isinstance(X, Sequence) or shape):
            raise InputError(
                f"{self.name}: expected a batch of paths, but got {X!r}. "
                "For a single image, wrap it in a list: [path]."
            )
        return X if isinstance(X, Sequence | np.ndarray) else [*X]

    def items(self, items: Iterable[Any], numbers: Sequence[int]) -> Iterator[Any]:
        """Check each item; ``numbers`` are the indices of the items in the whole batch."""
        shape: tuple[int, ...] = ()
        # A stream that skips rejected images yields fewer items.
        for index, item in zip(numbers, items, strict=False):
            checked = self.item(index, item, shape)
            shape = getattr(checked, "shape", ())
            yield checked

    def item(self, index: int, item: Any, known: tuple[int, ...] = ()) -> Any:
        """Convert an item to the input of `_transform_one`; ``known`` is a valid shape."""
        if self.kind == "paths":
            return item
        if self.kind == "descriptors":
            return _as_descriptor_set(item, self.name, index)
        array, noun = np.asarray(item), "signal" if self.kind == "signals" else "image"
        if self.kind != "signals" and array.ndim == 2:
            array = array[..., np.newaxis]
        if array.ndim + 1 not in _dimensions(self.kind):
            raise InputError(
                f"{self.name}: expected {_wanted(self.kind)}, but {noun} {index} has shape "
                f"{array.shape}." + (self._hint() if array.ndim == 1 else "")
            )
        if array.shape != known:
            self.shape(array.shape, f"{noun} {index}")
        if self.requirements.uint8 and array.dtype == np.uint8:
            return np.ascontiguousarray(array)
        return _as_float32(array, f"{self.name}: {noun} {index}")

    def lazily(self, items: Batch) -> LazyBatch:
        """Return a lazy batch whose items are checked and converted on access."""
        count = len(items)
        given = (
            items
            if isinstance(items, LazyBatch)
            else LazyBatch(count, lambda chosen: (items[index] for index in chosen))
        )
        return LazyBatch(count, lambda chosen: self.items(given.take(chosen), chosen))

    def shape(self, shape: tuple[int, ...], which: str) -> None:
        """Raise if a shape is too small, or has an unsupported number of channels."""
        least, channels = self.requirements.shape, self.requirements.channels
        if any(size < needed for size, needed in zip(shape, least, strict=False)):
            raise InputError(
                f"{self.name} needs at least {_size(least)} with these parameters, "
                f"but {which} is {_size(shape[: len(least)])}."
            )
        if len(shape) > 1 and shape[-1] == 0:
            raise InputError(f"{self.name} needs at least one channel, but {which} has none.")
        if channels is not None and len(shape) == 3 and shape[2] not in channels:
            wanted = " or ".join(map(str, channels))
            raise InputError(
                f"{self.name}: expected images of {wanted} channel{'s' * (channels != (1,))}, "
                f"but {which} has {shape[2]}."
            )

    def _hint(self) -> str:
        return signals_hint(self.requirements)


def signals_hint(requirements: Requirements) -> str:
    """Return a sentence on how to apply a stage of images to signals, or ""."""
    hint = requirements.for_signals
    return f" For signals, pass {hint}." if hint else ""


def blank(kind: Kind, shape: tuple[int, ...]) -> Any:
    """Return an item of zeros."""
    zeros = np.zeros(shape, np.float32)
    if kind != "descriptors":
        return zeros
    return DescriptorSet(zeros, np.zeros((len(zeros), 2), np.float32), size=(1, 1))


def channel_names(kind: Kind, count: int) -> list[str]:
    """Return default names of an input's channels."""
    known = {1: ["gray"], 3: ["red", "green", "blue"]}
    if kind == "descriptors":
        return [f"descriptor{index}" for index in range(count)]
    if kind == "signals":
        known = {1: ["signal"], 2: ["left", "right"]}
    return known.get(count) or [f"channel{index}" for index in range(count)]


def stack_each(
    compute: Callable[[Any], NDArray[Any]],
    write: Callable[[Any, NDArray[Any]], object] | None,
    images: Iterator[Any],
    count: int,
) -> NDArray[Any] | list[NDArray[Any]]:
    """Compute the results one by one into an array, or into a list if their shapes differ.

    ``write`` computes a result in place; it is used for images of the first image's shape.
    """
    first_image = next(images)
    first = compute(first_image)
    if write is not None and count == 1:
        return first[np.newaxis]
    stacked = np.empty((count, *first.shape), first.dtype)
    stacked[0] = first
    for index, image in enumerate(images, 1):
        if write is not None and image.shape == first_image.shape:
            write(image, stacked[index])
            continue
        result = compute(image)
        if result.shape != first.shape or result.dtype != first.dtype:
            return [*stacked[:index], result, *map(compute, images)]
        stacked[index] = result
    return stacked


def stack(results: Iterable[NDArray[Any]], count: int) -> NDArray[Any] | list[NDArray[Any]]:
    """Copy results into an array as they arrive, or into a list if their shapes differ."""
    stacked: NDArray[Any] | None = None
    results = iter(results)
    for index, result in enumerate(results):
        if stacked is None:
            stacked = np.empty((count, *result.shape), result.dtype)
        if result.shape != stacked.shape[1:] or result.dtype != stacked.dtype:
            return [*stacked[:index], result, *results]
        stacked[index] = result
    return [] if stacked is None else stacked


def counted(results: Iterable[Any], count: int, name: str) -> Iterator[Any]:
    """Yield the results; raise unless their number is ``count``."""
    given = 0
    for given, result in enumerate(results, 1):
        if given <= count:
            yield result
    if given != count:
        raise RuntimeError(f"{name}: _transform_batch returned {given} results for {count} images.")


def different_lengths(vectors: list[NDArray[Any]], name: str) -> InputError:
    """Return the error for vectors of different lengths."""
    lengths = sorted({len(vector) for vector in vectors})
    return InputError(
        f"{name}: the vectors have different lengths ({lengths[0]} to {lengths[-1]}), since the "
        "images differ in size. Resize all images to one size, for example with "
        "ReadImages(size=(256, 256))."
    )


def _as_descriptor_set(item: Any, name: str, index: int) -> DescriptorSet:
    """Convert an array of descriptors to a set without positions."""
    which = f"{name}: the descriptor set of image {index}"
    found = item if isinstance(item, DescriptorSet) else DescriptorSet(np.asarray(item))
    if found.values.ndim != 2:
        raise InputError(
            f"{name}: expected {_wanted('descriptors')}, but image {index} has an array of shape "
            f"{found.shape}."
        )
    if found.values.dtype.kind != "f":
        raise InputError(
            f"{which} is of type {found.values.dtype}. Descriptors must be floating point."
        )
    return replace(found, values=_as_float32(found.values, which))


#: The value of white in unsigned integers, by their size in bytes.
_WHITE = {1: np.float32(255), 2: np.float32(65535)}


def _as_float32(array: NDArray[Any], which: str) -> NDArray[np.float32]:
    """Scale integer pixels to [0, 1]; raise if a value is not finite."""
    if array.dtype in (np.uint8, np.uint16):
        scaled: NDArray[np.float32]
        scaled = np.divide(array, _WHITE[array.dtype.itemsize], dtype=np.float32, order="C")
        return scaled
    if array.dtype.kind not in "fb":
        raise InputError(
            f"{which} is of type {array.dtype}. Pixels must be uint8, uint16 or bool, which are "
            "scaled to [0, 1], or floating point."
        )
    if array.dtype == np.float32:
        image = np.ascontiguousarray(array)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            image = np.ascontiguousarray(array, np.float32)
    # The dot product is the fastest test, and never warns. It may overflow, hence the second test.
    finite = math.isfinite(np.vdot(image, image)) or np.isfinite(image).all()
    if not finite:
        if np.isfinite(array).all():
            raise InputError(f"{which} has values too large for single precision.")
        raise InputError(f"{which} contains NaN or infinity.")
    return image


def _dimensions(kind: Kind) -> tuple[int, ...]:
    """Return the valid numbers of dimensions of a batch that is one array."""
    return {"signals": (2, 3), "descriptors": (3,)}.get(kind, (4,))


def _wanted(kind: Kind) -> str:
    if kind == "signals":
        return (
            "a batch of signals, an array (n, length) or (n, length, channels) or a list of arrays "
            "(length,) or (length, channels)"
        )
    if kind == "descriptors":
        return (
            "a batch of descriptor sets, a list of DescriptorSet, as DenseSIFT returns, or of "
            "arrays (count, length)"
        )
    return (
        "a batch of images, an array (n, height, width, channels) or a list of arrays "
        "(height, width, channels)"
    )


def _got(kind: Kind, shape: tuple[int, ...]) -> str:
    if kind == "signals" and len(shape) == 1:
        return f"one array of shape {shape}. For a single signal, wrap it in a list: [signal]."
    if kind == "descriptors" and len(shape) == 2:
        return f"one set of shape {shape}. For a single image, wrap it in a list: [descriptors]."
    if kind in ("signals", "descriptors") or len(shape) not in (2, 3):
        return f"one array of shape {shape}."
    return (
        f"one array of shape {shape}. For a single image, wrap it in a list: [image]. "
        "For several gray images, add the axis of channels: images[..., np.newaxis]."
    )


def _size(shape: Sequence[int]) -> str:
    if len(shape) == 1:
        return f"{shape[0]} samples"
    return " x ".join(map(str, shape)) + (" pixels" if len(shape) == 2 else "")
