"""The base class of stages: what the author of a stage subclasses."""

import inspect
import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_is_fitted

from featx.core.batches import LazyBatch
from featx.core.checking import (
    Batch,
    Image,
    InputCheck,
    Kind,
    Pixels,
    Requirements,
    blank,
    channel_names,
    counted,
    different_lengths,
    stack,
    stack_each,
)
from featx.core.constraints import validate
from featx.core.errors import InputError
from featx.core.transformer import Transformer

__all__ = ["Batch", "Image", "ImageStage", "Kind", "Pixels", "Requirements"]


class ImageStage(Transformer):
    """Base class of all stages: a scikit-learn transformer that is written for one image.

    A batch is an array (n, height, width, channels) or, where sizes differ, a list of arrays
    (height, width, channels); in a list, a grey image may also be (height, width). Images are
    uint8, uint16 or bool, which are scaled to [0, 1], or floating point, which is left as it is.
    Stages of signals take an array (n, length) or (n, length, channels), or a list of arrays.
    Results are float32: an array where all have one shape, else a list.

    The class does checking, conversion, batches, names and stacking. An author writes ``__init__``,
    which stores its parameters and nothing else, ``_transform_one``, and as many of the other
    seven hooks as the stage needs:

    ``takes``, ``gives``
        The kinds of data before and after the stage: ``"paths"``, ``"signals"``, ``"pixels"``,
        ``"maps"``, ``"descriptors"`` (a `DescriptorSet` per image) or ``"vectors"``; by default
        maps to maps. Example: ``takes, gives = "maps", "vectors"``.
    ``_parameter_constraints``
        What each parameter may be, as data; parameters without constraints are not checked.
        Example: ``{"sigma": [positive], "mode": [StrOptions({"sum", "max"}), None]}``.
    ``_requirements(self)``
        Raise `InputError` if parameters do not fit each other, and return the `Requirements` on
        an image. Example: ``return Requirements(shape=(self.size, self.size), channels=(1,))``.
    ``_fit(self, images, y)``
        Learn from the images, a lazy batch from which any can be taken, again and again; a class
        that defines it must be fitted. Example: ``self.mean_ = np.mean([*images], axis=0)``.
    ``_transform_one(self, image)``
        Return the result for one image, which must not be modified. With a further parameter
        ``out=None``, results are written to their place in the batch; they must have one shape
        for all images of one shape. Example: ``return image.mean(axis=(0, 1))``.
    ``_transform_batch(self, images)``
        Yield the results for several images; only where a batch is faster.
        Example: ``yield from network(np.stack([*images]))``.
    ``_feature_names(self, channels, shape)``
        Name the channels, or the entries of the vector, of the result for an image of ``shape``.
        Example: ``return [f"{channel}_mean" for channel in channels]``.

    Attributes
    ----------
    input_shape_ : tuple of int
        The shape of the first image that `fit` saw; `get_feature_names_out` needs it.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ImageStage
    >>> class Brightness(ImageStage):
    ...     takes, gives = "pixels", "vectors"
    ...
    ...     def __init__(self, factor=1.0):
    ...         self.factor = factor
    ...
    ...     def _transform_one(self, image):
    ...         return np.float32([self.factor * image.mean()])
    >>> Brightness(2.0).transform(np.full((3, 8, 8, 1), 0.25))
    array([[0.5],
           [0.5],
           [0.5]], dtype=float32)
    """

    # What the author of a stage writes.

    takes: ClassVar[Kind] = "maps"
    gives: ClassVar[Kind] = "maps"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def _requirements(self) -> Requirements:
        """Check parameters against each other; return what they require of an image."""
        return Requirements()

    def _fit(self, images: LazyBatch, y: Any) -> None:
        """Learn from the images."""

    def _transform_one(self, image: Any) -> Any:
        """Compute the result for one image."""
        raise NotImplementedError(f"{type(self).__name__} defines no _transform_one.")

    def _transform_batch(self, images: Iterable[Any]) -> Iterable[Any]:
        """Compute the results for several images."""
        return map(self._transform_one, images)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        """Name the channels or entries of the result for an image of ``shape``."""
        if self.output_kind == "signals":
            return channels
        count = self._transform_one(blank(self.input_kind, shape)).shape[-1]
        if self.gives == "maps" and count == len(channels):
            return channels
        return [f"{type(self).__name__.lower()}{index}" for index in range(count)]

    # What every stage has.

    #: Whether the stage must be fitted to images: whether its class defines `_fit`.
    learns: ClassVar[bool] = False
    _writes_out: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # Data frames have rows of numbers: only vectors are wrapped.
        if cls.gives != "vectors":
            kwargs.setdefault("auto_wrap_output_keys", None)
        super().__init_subclass__(**kwargs)
        unknown = sorted(set(cls._parameter_constraints) - set(cls._parameters()))
        if unknown and "_parameter_constraints" in vars(cls):
            raise TypeError(
                f"{cls.__name__}: _parameter_constraints names {', '.join(map(repr, unknown))}, "
                f"which __init__ does not have. Its parameters: {', '.join(cls._parameters())}."
            )
        cls.learns = cls._fit is not ImageStage._fit
        cls._writes_out = "out" in inspect.signature(cls._transform_one).parameters

    @final
    def fit(self, X: Batch, y: Any = None) -> Self:
        """Check the parameters and the first image, and learn if the stage learns.

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
        check = self._input_check()
        items = check.batch(X)
        if len(items) == 0:
            raise InputError(f"{check.name} cannot be fitted on an empty batch.")
        if check.kind != "paths":
            self.input_shape_ = check.item(0, items[0]).shape
        if self.learns:
            self._fit(check.lazily(items), y)
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
            One result per image: an array (n, ...) where all have one shape, else a list.
        """
        check = self._input_check()
        if self.learns:
            check_is_fitted(self)
        items = check.batch(X)
        if len(items) == 0:
            return self._empty(check, items)
        images, count = check.items(items, range(len(items))), len(items)
        if type(self)._transform_batch is not ImageStage._transform_batch or (
            self.gives == "descriptors"
        ):
            results: Any = counted(self._transform_batch(images), count, check.name)
            results = [*results] if self.gives == "descriptors" else stack(results, count)
        else:
            write: Any = self._transform_one if self._writes_out else None
            results = stack_each(self._transform_one, write, images, count)
        if self.gives == "vectors" and isinstance(results, list):
            raise different_lengths(results, check.name)
        return results

    @final
    def get_feature_names_out(self, input_features: Sequence[str] | None = None) -> NDArray[Any]:
        """Return the names of the channels, or vector entries, of the result.

        Parameters
        ----------
        input_features : sequence of str, optional
            The names of the input's channels; by default ``gray``, or ``red green blue``, or
            ``channel0``, ``channel1``, …

        Returns
        -------
        ndarray of str objects
        """
        kind = self.input_kind
        if kind == "paths":
            return np.asarray(self._feature_names([], ()), dtype=object)
        check_is_fitted(self, "input_shape_")
        shape = self.input_shape_
        count = math.prod(shape[1:] if kind in ("signals", "descriptors") else shape[2:])
        channels = channel_names(kind, count)
        if input_features is not None and len(input_features) > 0:
            if (kind == "signals" or len(shape) > 2) and len(input_features) != count:
                noun = "signals" if kind == "signals" else "images"
                raise InputError(
                    f"{type(self).__name__} was fitted on {noun} of {count} channels, but "
                    f"input_features has {len(input_features)} names."
                )
            channels = [str(name) for name in input_features]
        return np.asarray(self._feature_names(channels, shape), dtype=object)

    def set_output(self, *, transform: str | None = None) -> Self:
        """Set the container of vectors; maps are arrays in any case.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a data frame with a column for each feature name.

        Returns
        -------
        self
        """
        # Maps accept the call, so that pipelines which end in vectors can pass it to all steps.
        if self.gives == "vectors":
            super().set_output(transform=transform)
        return self

    @property
    def input_kind(self) -> Kind:
        """The kind of data that the stage takes with its parameters."""
        return "signals" if self.check_parameters().signals else self.takes

    @property
    def output_kind(self) -> Kind:
        """The kind of data that the stage returns with its parameters."""
        return "signals" if self.check_parameters().signals else self.gives

    @final
    def check_parameters(self) -> Requirements:
        """Raise if a parameter is not valid; return what the parameters require of an image."""
        return self._input_check().requirements

    @final
    def check_batch(self, X: Batch) -> Batch:
        """Raise if ``X`` is not a batch that the stage takes; return it as a sequence."""
        return self._input_check().batch(X)

    @final
    def check_items(self, X: Batch) -> LazyBatch:
        """Return a batch whose items are checked and converted when they are taken."""
        check = self._input_check()
        return check.lazily(check.batch(X))

    @classmethod
    def _parameters(cls) -> tuple[str, ...]:
        init: Any = cls.__init__
        return _parameter_names(init, cls.__name__)

    def _input_check(self) -> InputCheck:
        """Check the parameters, and return the checks of the input that follow from them."""
        parameters = {name: getattr(self, name) for name in self._parameters()}
        # Most calls have the parameters of the last one, and checking takes longer than a filter.
        key = (type(self), *map(_typed, parameters.values()))
        try:
            if key in _checked:
                return _checked[key]
        except TypeError:  # of a list or an array, which may have changed
            key = ()
        validate(self._parameter_constraints, parameters, type(self).__name__)
        requirements = self._requirements()
        signals: Kind | None = "signals" if requirements.signals else None
        kinds = signals or self.takes, signals or self.gives
        check = InputCheck(type(self).__name__, *kinds, requirements)
        if key:
            if len(_checked) >= _MOST_CHECKED:
                _checked.clear()
            _checked[key] = check
        return check

    def _empty(self, check: InputCheck, items: Batch) -> Any:
        """Return the result for no images, of the shape that it would have with some."""
        shape: tuple[int, ...] | None = getattr(self, "input_shape_", None)
        if isinstance(items, np.ndarray) and items.ndim > 1:
            shape = items.shape[1:]
        if self.gives == "descriptors":
            return []
        if shape is not None:
            if check.kind != "descriptors":
                check.shape(shape, "an image of this empty batch")
            return np.empty((0, *self._transform_one(blank(check.kind, shape)).shape), np.float32)
        return np.empty((0, 0), np.float32) if self.gives == "vectors" else []

    def __sklearn_is_fitted__(self) -> bool:
        return not self.learns or hasattr(self, "input_shape_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.learns
        tags.input_tags.two_d_array = self.takes == "vectors"
        tags.input_tags.three_d_array = self.takes in ("pixels", "maps")
        tags.input_tags.string = self.takes == "paths"
        return tags


# The checks for parameters that are valid, by class, values and types of values.
_checked: dict[tuple[Any, ...], InputCheck] = {}
_MOST_CHECKED = 1000


@cache
def _parameter_names(init: Any, owner: str) -> tuple[str, ...]:
    """Return the names of the parameters of ``__init__``, in the order of the alphabet."""
    # Not by class: a class that is unpickled by value gets its __init__ after it is made.
    if init is object.__init__:
        return ()
    _, *parameters = inspect.signature(init).parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"{owner}: __init__ has {parameter}. The parameters of a stage have names."
            )
    return tuple(sorted(parameter.name for parameter in parameters))


def _typed(value: Any) -> Any:
    """Make values differ that are equal, but of different types, such as 8 and 8.0."""
    return (tuple, *map(_typed, value)) if type(value) is tuple else (type(value), value)
