"""What a stage is.

A stage is a scikit-learn transformer that is written for one image. Its author gives

- ``__init__`` parameters under the field's names, stored and nothing else;
- ``_parameter_constraints``, what each may be, and `ImageStage._check_together` where one
  parameter limits another;
- ``takes`` and ``gives``, the kinds of data before and after it;
- `ImageStage._transform_one`, from one image to one result;
- `ImageStage._least_shape`, the smallest image that it can work on, and ``channels``, where the
  number of channels matters;
- `ImageStage._feature_names`, the names of what it gives;
- `ImageStage._fit`, and ``learns = True``, where it learns from the images;
- ``takes_uint8 = True``, where pixels of 8 bits need not be scaled first.

A stage that gives descriptors gives a `DescriptorSet` for each image, and one that takes
descriptors is given them.

Batches, ragged batches, dtypes, validation, names and stacking are done here, once.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, TypeAlias, final

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from featx.core.batches import LazyBatch
from featx.core.constraints import validate
from featx.core.descriptor_sets import DescriptorSet
from featx.core.memory import keep_freed_memory

Kind: TypeAlias = Literal["paths", "signals", "pixels", "maps", "descriptors", "vectors"]
#: One image or stack of maps: float32, C-contiguous, (height, width, channels).
Image: TypeAlias = NDArray[np.float32]
#: The same, or pixels of uint8 that are not scaled: what a stage with ``takes_uint8`` is given.
Pixels: TypeAlias = NDArray[np.float32 | np.uint8]
#: What a stage takes and gives: an array whose first axis counts images, or a list of arrays.
Batch: TypeAlias = NDArray[Any] | Sequence[Any]

# Stages and parameters that have been checked, each with the types of its values.
_valid_parameters: dict[tuple[Any, ...], None] = {}
_MOST_VALID = 1000


class ImageStage(TransformerMixin, BaseEstimator):
    """Base of all stages: from a batch of images to a batch of results, one image at a time.

    A batch is an array (n, height, width, channels) or, where sizes differ, a list of arrays
    (height, width, channels); in a list, a grey image may also be (height, width). Images are
    uint8, uint16 or bool, which are scaled to [0, 1], or floating point, which is taken as it is.
    Results are float32: an array where all have one shape, else a list.

    Stages that take signals do so in the same way: an array (n, length) or (n, length, channels),
    or a list of arrays (length,) or (length, channels).

    Attributes
    ----------
    input_shape_ : tuple of int
        The shape of the first image that `fit` saw; `get_feature_names_out` needs it.
    """

    takes: ClassVar[Kind] = "maps"
    gives: ClassVar[Kind] = "maps"
    #: The numbers of channels that the stage works on; None where any number will do.
    channels: ClassVar[tuple[int, ...] | None] = None
    #: What to give a stage of images so that it takes signals, such as ``size=[5]``.
    for_signals: ClassVar[str] = ""
    #: Whether `_transform_one` also takes pixels of uint8 that are not scaled.
    takes_uint8: ClassVar[bool] = False
    #: Whether `fit` learns anything from the images.
    learns: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Data frames have rows of numbers: only vectors go into one.
        if cls.gives != "vectors":
            kwargs.setdefault("auto_wrap_output_keys", None)
        super().__init_subclass__(**kwargs)

    # What the author of a stage writes.

    def _check_together(self) -> None:
        """Raise `ValueError` where valid parameters do not fit each other."""

    def _item_kind(self) -> Kind:
        """Tell which kind of item the stage takes with the parameters that it has."""
        return self.takes

    def _result_kind(self) -> Kind:
        """Tell which kind of result the stage gives with the parameters that it has."""
        return self.gives

    def _least_shape(self) -> tuple[int, ...]:
        """Tell the smallest height and width, and channels where they matter, that will do."""
        return (1, 1)

    def _patch_scales(self) -> float:
        """Tell the side of a local descriptor's patch in units of its scale."""
        return 1.0

    def _fit(self, images: LazyBatch, y: Any) -> None:
        """Learn from the images, where the stage learns; a few can be taken, or all, again."""

    def _transform_one(self, image: Any) -> Any:
        """Compute the result for one image, which must not be written to."""
        raise NotImplementedError(f"{type(self).__name__} defines no _transform_one.")

    def _transform_into(self, image: Any, out: NDArray[np.float32]) -> None:
        """Write the result for one image to its place: overridden only where this saves a copy.

        The result must then have one shape for all images of one shape.
        """
        out[...] = self._transform_one(image)

    def _transform_batch(self, images: Iterable[Any]) -> Iterable[Any]:
        """Compute the results for several images: overridden only where a batch is faster."""
        return map(self._transform_one, images)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        """Name the channels, or the entries of the vector, given for an image of ``shape``."""
        if self._result_kind() == "signals":
            return channels
        count = self._transform_one(_blank(self.takes, shape)).shape[-1]
        if self.gives == "maps" and count == len(channels):
            return channels
        return [f"{type(self).__name__.lower()}{index}" for index in range(count)]

    # What every stage gets.

    @final
    def fit(self, X: Batch, y: Any = None) -> Self:
        """Check the parameters and the first image, and learn where the stage learns.

        Parameters
        ----------
        X : ndarray of shape (n, height, width, channels) or list of ndarray
            The images.
        y : array-like of shape (n,), optional
            Labels, for stages that use them.

        Returns
        -------
        self
        """
        self._check_parameters()
        items = self._check_batch(X)
        if len(items) == 0:
            raise ValueError(f"{type(self).__name__} cannot be fitted on an empty batch.")
        if self._item_kind() != "paths":
            self.input_shape_ = self._check_item(0, items[0]).shape
        if self.learns:
            given = items if isinstance(items, LazyBatch) else _lazy(items)
            checked = lambda chosen: self._check_items(given.take(chosen), chosen)  # noqa: E731
            self._fit(LazyBatch(len(items), checked), y)
        return self

    @final
    def transform(self, X: Batch) -> Any:
        """Compute the result for every image.

        Parameters
        ----------
        X : ndarray of shape (n, height, width, channels) or list of ndarray
            The images.

        Returns
        -------
        ndarray of float32 or list of ndarray
            One result an image: an array (n, ...) where all have one shape, else a list.
        """
        self._check_parameters()
        if self.learns:
            check_is_fitted(self)
        items = self._check_batch(X)
        if len(items) == 0:
            return self._empty(items)
        keep_freed_memory()
        images = self._check_items(items)
        if self.gives == "descriptors":
            return [*self._counted(self._transform_batch(images), len(items))]
        if type(self)._transform_batch is ImageStage._transform_batch:
            return self._transform_each(images, len(items))
        return self._stack(self._transform_batch(images), len(items))

    @final
    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[Any]:
        """Name the channels or the vector entries that `transform` gives.

        Parameters
        ----------
        input_features : sequence of str, optional
            The names of the input's channels; by default ``gray``, or ``red green blue``, or
            ``channel0``, ``channel1``, …

        Returns
        -------
        ndarray of str objects
        """
        if self._item_kind() == "paths":
            return np.asarray(self._feature_names([], ()), dtype=object)
        check_is_fitted(self, "input_shape_")
        shape, kind = self.input_shape_, self._item_kind()
        count = math.prod(shape[1:] if kind in ("signals", "descriptors") else shape[2:])
        channels = _channel_names(kind, count)
        if input_features is not None and len(input_features) > 0:
            if (kind == "signals" or len(shape) > 2) and len(input_features) != count:
                noun = "signals" if kind == "signals" else "images"
                raise ValueError(
                    f"{type(self).__name__} was fitted on {noun} of {count} channels, but "
                    f"input_features has {len(input_features)} names."
                )
            channels = [str(name) for name in input_features]
        return np.asarray(self._feature_names(channels, shape), dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Choose what vectors are given in; maps are arrays whatever is asked.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a data frame with a column for each of the features' names.

        Returns
        -------
        self
        """
        # Maps take the call, so that pipelines which end in vectors can pass it on to all steps.
        if self.gives == "vectors":
            super().set_output(transform=transform)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return not self.learns or hasattr(self, "input_shape_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.learns
        tags.input_tags.two_d_array = self.takes == "vectors"
        tags.input_tags.three_d_array = self.takes in ("pixels", "maps")
        tags.input_tags.string = self.takes == "paths"
        return tags

    # Checking and stacking.

    def _check_parameters(self) -> None:
        parameters = self.get_params(deep=False)
        # Most calls have the parameters of the last one, and checking takes longer than a filter.
        valid = (type(self), *map(_typed, parameters.values()))
        try:
            if valid in _valid_parameters:
                return
        except TypeError:  # of a list or an array, which may have changed
            valid = ()
        validate(self._parameter_constraints, parameters, type(self).__name__)
        self._check_together()
        if valid:
            if len(_valid_parameters) >= _MOST_VALID:
                _valid_parameters.clear()
            _valid_parameters[valid] = None

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters; stages hold no other estimators, so ``deep`` changes nothing."""
        return {name: getattr(self, name) for name in sorted(self._parameter_constraints)}

    def _check_batch(self, X: Batch) -> Batch:
        """Refuse what is not a batch: one image is never taken for several."""
        name, kind = type(self).__name__, self._item_kind()
        if kind == "paths":
            return self._check_paths(X)
        if kind == "descriptors" and isinstance(X, DescriptorSet):
            X = X.values  # one set alone, refused as its array is
        if (
            isinstance(X, np.ndarray)
            and X.ndim not in _dimensions(kind)
            and (X.ndim == 0 or _is_numeric(X))
        ):
            # Signals have this many dimensions.
            hint = self._hint() if X.ndim == 2 else ""
            raise ValueError(f"{name} takes {_wanted(kind)}, but got {_got(kind, X.shape)}{hint}")
        if not isinstance(X, list | tuple | np.ndarray | LazyBatch):
            raise ValueError(f"{name} takes {_wanted(kind)}, but got {type(X).__name__}.")
        return X

    def _check_paths(self, X: Batch) -> Batch:
        """Refuse one path; a data frame's column, which is indexed by labels, becomes a list."""
        name, shape = type(self).__name__, getattr(X, "shape", None)
        if isinstance(X, np.ndarray) and X.dtype.kind in "biuf" and X.ndim > 0:
            # An empty list becomes an array of numbers, too.
            read = self._result_kind()
            if X.ndim not in _dimensions(read) and len(X) > 0:
                raise ValueError(
                    f"{name} takes a batch of paths, or {_wanted(read)}, "
                    f"but got {_got(read, X.shape)}"
                )
            return X
        if shape is not None and len(shape) > 1:
            raise ValueError(
                f"{name} takes a batch of paths, but got a table of shape {shape}. Give it the "
                "column of the paths."
            )
        if isinstance(X, str | bytes) or not (isinstance(X, Sequence) or shape):
            raise ValueError(
                f"{name} takes a batch of paths, but got {X!r}. "
                "For a single image, wrap it in a list: [path]."
            )
        return X if isinstance(X, Sequence | np.ndarray) else [*X]

    def _check_items(self, items: Batch, numbers: Sequence[int] = ()) -> Iterator[Any]:
        """Check one item after the other, which have these numbers in the whole batch."""
        shape: tuple[int, ...] = ()
        # A stream that leaves out images that are refused gives fewer.
        for index, item in zip(numbers or range(len(items)), items, strict=False):
            checked = self._check_item(index, item, shape)
            shape = getattr(checked, "shape", ())
            yield checked

    def _check_item(self, index: int, item: Any, known: tuple[int, ...] = ()) -> Any:
        """Give the item as the stage's author expects it, or say what is wrong with it.

        The shape ``known`` was found right before.
        """
        kind = self._item_kind()
        if kind == "paths":
            return item
        name, noun = type(self).__name__, "signal" if kind == "signals" else "image"
        if kind == "descriptors":
            return _as_descriptor_set(item, name, index)
        array = np.asarray(item)
        if kind != "signals" and array.ndim == 2:
            array = array[..., np.newaxis]
        if array.ndim + 1 not in _dimensions(kind):
            raise ValueError(
                f"{name} takes {_wanted(kind)}, but {noun} {index} has shape {array.shape}."
                + (self._hint() if array.ndim == 1 else "")
            )
        if array.shape != known:
            self._check_shape(array.shape, f"{noun} {index}")
        if self.takes_uint8 and array.dtype == np.uint8:
            return np.ascontiguousarray(array)
        return _as_float32(array, f"{name}: {noun} {index}")

    def _hint(self) -> str:
        return f" For signals, give {self.for_signals}." if self.for_signals else ""

    def _check_shape(self, shape: tuple[int, ...], which: str) -> None:
        name, least = type(self).__name__, self._least_shape()
        if any(size < needed for size, needed in zip(shape, least, strict=False)):
            raise ValueError(
                f"{name} needs at least {_size(least)} with these parameters, "
                f"but {which} is {_size(shape[: len(least)])}."
            )
        if len(shape) > 1 and shape[-1] == 0:
            raise ValueError(f"{name} needs at least one channel, but {which} has none.")
        if self.channels is not None and len(shape) == 3 and shape[2] not in self.channels:
            wanted = " or ".join(map(str, self.channels))
            raise ValueError(
                f"{name} takes images of {wanted} channel{'s' * (self.channels != (1,))}, "
                f"but {which} has {shape[2]}."
            )

    def _transform_each(self, images: Iterator[Any], count: int) -> Any:
        """Transform one image after the other, each result being written to its place."""
        first_image = next(images)
        first = self._transform_one(first_image)
        # Only authors who write to the place know that shapes of results follow from images'.
        knows = type(self)._transform_into is not ImageStage._transform_into
        if knows and count == 1:
            return first[np.newaxis]
        stacked = np.empty((count, *first.shape), first.dtype)
        stacked[0] = first
        shape = first_image.shape if knows else None
        for index, image in enumerate(images, 1):
            if shape is not None and image.shape == shape:
                self._transform_into(image, stacked[index])
                continue
            result = self._transform_one(image)
            if result.shape != first.shape or result.dtype != first.dtype:
                rest = map(self._transform_one, images)
                return self._listed([*stacked[:index], result, *rest])
            stacked[index] = result
        return stacked

    def _stack(self, results: Iterable[NDArray[Any]], count: int) -> Any:
        """Put results of one shape into one array, written as they come; else list them."""
        stacked: NDArray[Any] | None = None
        results = self._counted(results, count)
        for index, result in enumerate(results):
            if stacked is None:
                stacked = np.empty((count, *result.shape), result.dtype)
            if result.shape != stacked.shape[1:] or result.dtype != stacked.dtype:
                return self._listed([*stacked[:index], result, *results])
            stacked[index] = result
        return stacked

    def _counted(self, results: Iterable[NDArray[Any]], count: int) -> Iterator[NDArray[Any]]:
        """Hand results on, of which there must be one an image."""
        given = 0
        for given, result in enumerate(results, 1):
            if given <= count:
                yield result
        if given != count:
            raise RuntimeError(
                f"{type(self).__name__}: _transform_batch gave {given} results for {count} images."
            )

    def _listed(self, results: list[NDArray[Any]]) -> list[NDArray[Any]]:
        if self.gives == "vectors":
            lengths = sorted({len(result) for result in results})
            raise ValueError(
                f"{type(self).__name__} gives vectors of different lengths ({lengths[0]} to "
                f"{lengths[-1]}) for images of different sizes. Give all images one size, for "
                "example with ReadImages(size=(256, 256))."
            )
        return results

    def _empty(self, items: Batch) -> Any:
        """Give the result for no images, of the shape that it would have with some."""
        shape: tuple[int, ...] | None = getattr(self, "input_shape_", None)
        if isinstance(items, np.ndarray) and items.ndim > 1:
            shape = items.shape[1:]
        if self.gives == "descriptors":
            return []
        if shape is not None:
            if self._item_kind() != "descriptors":
                self._check_shape(shape, "an image of this empty batch")
            return np.empty((0, *self._transform_one(_blank(self._item_kind(), shape)).shape), "f4")
        return np.empty((0, 0), np.float32) if self.gives == "vectors" else []


def _typed(value: Any) -> Any:
    """Make values differ that are equal, but of different types, such as 8 and 8.0."""
    return (tuple, *map(_typed, value)) if type(value) is tuple else (type(value), value)


def _is_numeric(array: NDArray[Any]) -> bool:
    """Tell an array of pixels from an array of objects, each of which is an image."""
    return array.dtype != object


def _channel_names(kind: Kind, count: int) -> list[str]:
    known = {1: ["gray"], 3: ["red", "green", "blue"]}
    if kind == "descriptors":
        return [f"descriptor{index}" for index in range(count)]
    if kind == "signals":
        known = {1: ["signal"], 2: ["left", "right"]}
    return known.get(count) or [f"channel{index}" for index in range(count)]


def _lazy(items: Batch) -> LazyBatch:
    return LazyBatch(len(items), lambda chosen: (items[index] for index in chosen))


def _blank(kind: Kind, shape: tuple[int, ...]) -> Any:
    """Give an item of nothing but zeros."""
    zeros = np.zeros(shape, np.float32)
    if kind != "descriptors":
        return zeros
    return DescriptorSet(zeros, np.zeros((len(zeros), 2), np.float32), size=(1, 1))


def _as_descriptor_set(item: Any, name: str, index: int) -> DescriptorSet:
    """Take an array of descriptors for a set of them that have no positions."""
    which = f"{name}: the descriptor set of image {index}"
    found = item if isinstance(item, DescriptorSet) else DescriptorSet(np.asarray(item))
    if found.values.ndim != 2:
        raise ValueError(
            f"{name} takes {_wanted('descriptors')}, but image {index} has an array of shape "
            f"{found.shape}."
        )
    if found.values.dtype.kind != "f":
        raise ValueError(
            f"{which} is of type {found.values.dtype}. Descriptors are floating point."
        )
    return replace(found, values=_as_float32(found.values, which))


#: What is white in whole numbers of 8 and 16 bits.
_WHOLE = {1: np.float32(255), 2: np.float32(65535)}


def _as_float32(array: NDArray[Any], which: str) -> NDArray[np.float32]:
    """Scale whole-number pixels to [0, 1], and refuse what is not finite."""
    if array.dtype in (np.uint8, np.uint16):
        scaled: NDArray[np.float32]
        scaled = np.divide(array, _WHOLE[array.dtype.itemsize], dtype=np.float32, order="C")
        return scaled
    if array.dtype.kind not in "fb":
        raise ValueError(
            f"{which} is of type {array.dtype}. Pixels are uint8, uint16 or bool, which are "
            "scaled to [0, 1], or floating point."
        )
    if array.dtype == np.float32:
        image = np.ascontiguousarray(array)
    else:
        with np.errstate(over="ignore", invalid="ignore"):
            image = np.ascontiguousarray(array, np.float32)
    # This product is the quickest look, and never warns; it also overflows, hence the second.
    finite = math.isfinite(np.vdot(image, image)) or np.isfinite(image).all()
    if not finite:
        if np.isfinite(array).all():
            raise ValueError(f"{which} has values too large for single precision.")
        raise ValueError(f"{which} contains NaN or infinity.")
    return image


def _dimensions(kind: Kind) -> tuple[int, ...]:
    """Tell how many dimensions the array of a batch may have."""
    return {"signals": (2, 3), "descriptors": (3,)}.get(kind, (4,))


def _wanted(kind: Kind) -> str:
    if kind == "signals":
        return (
            "a batch of signals, an array (n, length) or (n, length, channels) or a list of arrays "
            "(length,) or (length, channels)"
        )
    if kind == "descriptors":
        return (
            "a batch of descriptor sets, a list of what DenseSIFT and its like give, or of arrays "
            "(count, length)"
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
        "For several grey images, add the axis of channels: images[..., np.newaxis]."
    )


def _size(shape: Sequence[int]) -> str:
    if len(shape) == 1:
        return f"{shape[0]} samples"
    return " x ".join(map(str, shape)) + (" pixels" if len(shape) == 2 else "")
