"""Base class of stages."""

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

    A batch is an array (n, height, width, channels) or, if sizes differ, a list of arrays
    (height, width, channels). In a list, a gray image may also be (height, width). Images of
    uint8, uint16 or bool are scaled to [0, 1]; floating point images are not scaled. The input of
    stages of signals is an array (n, length) or (n, length, channels), or a list of arrays.
    Results are float32: an array if all have one shape, else a list.

    The base class validates and converts the input, iterates over batches, names features and
    stacks results. A subclass defines ``__init__``, which only stores its parameters,
    ``_transform_one``, and as many of the other seven hooks as it needs:

    ``takes``, ``gives``
        The kinds of the input and of the result: ``"paths"``, ``"signals"``, ``"pixels"``,
        ``"maps"``, ``"descriptors"`` (a `DescriptorSet` per image) or ``"vectors"``. Both default
        to ``"maps"``. Example: ``takes, gives = "maps", "vectors"``.
    ``_parameter_constraints``
        The constraints on each parameter; parameters without constraints are not checked.
        Example: ``{"sigma": [positive], "mode": [StrOptions({"sum", "max"}), None]}``.
    ``_requirements(self)``
        Raise `InputError` if parameters contradict each other, and return the `Requirements` on
        an image. Example: ``return Requirements(shape=(self.size, self.size), channels=(1,))``.
    ``_fit(self, images, y)``
        Fit the stage to the images, a lazy batch that supports repeated random access. A class
        that defines this hook must be fitted. Example:
        ``self.mean_ = np.mean([*images], axis=0)``.
    ``_transform_one(self, image)``
        Return the result for one image, which must not be modified. With an additional parameter
        ``out=None``, results are written directly into the batch; images of one shape must then
        have results of one shape. Example: ``return image.mean(axis=(0, 1))``.
    ``_transform_batch(self, images)``
        Yield the results for several images; define it only if batches are faster.
        Example: ``yield from network(np.stack([*images]))``.
    ``_feature_names(self, channels, shape)``
        Return the names of the result's channels or vector entries, for an image of ``shape``.
        Example: ``return [f"{channel}_mean" for channel in channels]``.

    Attributes
    ----------
    input_shape_ : tuple of int
        Shape of the first image passed to `fit`; `get_feature_names_out` requires it.

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

    # Hooks of subclasses.

    takes: ClassVar[Kind] = "maps"
    gives: ClassVar[Kind] = "maps"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def _requirements(self) -> Requirements:
        """Check that parameters are consistent; return their requirements on an image."""
        return Requirements()

    def _fit(self, images: LazyBatch, y: Any) -> None:
        """Fit the stage to the images."""

    def _transform_one(self, image: Any) -> Any:
        """Compute the result for one image."""
        raise NotImplementedError(f"{type(self).__name__} defines no _transform_one.")

    def _transform_batch(self, images: Iterable[Any]) -> Iterable[Any]:
        """Compute the results for several images."""
        return map(self._transform_one, images)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        """Return the names of the result's channels or entries for an image of ``shape``."""
        if self.output_kind == "signals":
            return channels
        count = self._transform_one(blank(self.input_kind, shape)).shape[-1]
        if self.gives == "maps" and count == len(channels):
            return channels
        return [f"{type(self).__name__.lower()}{index}" for index in range(count)]

    # Methods of all stages.

    #: Whether the stage must be fitted to images, that is, whether its class defines `_fit`.
    learns: ClassVar[bool] = False
    _writes_out: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # The rows of a data frame are vectors: other kinds of results are not wrapped.
        if cls.gives != "vectors":
            kwargs.setdefault("auto_wrap_output_keys", None)
        super().__init_subclass__(**kwargs)
        unknown = sorted(set(cls._parameter_constraints) - set(cls._parameters()))
        if unknown and "_parameter_constraints" in vars(cls):
            raise TypeError(
                f"{cls.__name__}: _parameter_constraints names {', '.join(map(repr, unknown))}, "
                f"but __init__ has no such parameter. Parameters: {', '.join(cls._parameters())}."
            )
        cls.learns = cls._fit is not ImageStage._fit
        cls._writes_out = "out" in inspect.signature(cls._transform_one).parameters

    @final
    def fit(self, X: Batch, y: Any = None) -> Self:
        """Validate the parameters and the first image, and fit the stage if it is trainable.

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
            One result per image: an array (n, ...) if all have one shape, else a list.
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
        """Return the names of the result's channels or vector entries.

        Parameters
        ----------
        input_features : sequence of str, optional
            Names of the input's channels; by default ``gray``, or ``red green blue``, or
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
        """Set the container of vectors; maps are always arrays.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, optional
            An array, or a data frame with one column per feature name.

        Returns
        -------
        self
        """
        # Stages of maps ignore the call, since a pipeline passes it to all of its steps.
        if self.gives == "vectors":
            super().set_output(transform=transform)
        return self

    @property
    def input_kind(self) -> Kind:
        """The kind of the stage's input, which may depend on its parameters."""
        return "signals" if self.check_parameters().signals else self.takes

    @property
    def output_kind(self) -> Kind:
        """The kind of the stage's result, which may depend on its parameters."""
        return "signals" if self.check_parameters().signals else self.gives

    @final
    def check_parameters(self) -> Requirements:
        """Raise if a parameter is invalid; return the parameters' requirements on an image."""
        return self._input_check().requirements

    @final
    def check_batch(self, X: Batch) -> Batch:
        """Raise if ``X`` is not a valid batch for the stage; return it as a sequence."""
        return self._input_check().batch(X)

    @final
    def check_items(self, X: Batch) -> LazyBatch:
        """Return a lazy batch whose items are checked and converted on access."""
        check = self._input_check()
        return check.lazily(check.batch(X))

    @classmethod
    def _parameters(cls) -> tuple[str, ...]:
        init: Any = cls.__init__
        return _parameter_names(init, cls.__name__)

    def _input_check(self) -> InputCheck:
        """Validate the parameters, and return the input check that they imply."""
        parameters = {name: getattr(self, name) for name in self._parameters()}
        # Validation takes longer than a light filter, and most calls repeat the last parameters.
        key = (type(self), *map(_typed, parameters.values()))
        try:
            if key in _checked:
                return _checked[key]
        except TypeError:  # an unhashable value, such as a list, which may have been modified
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
        """Return the result for an empty batch, with the shape of a non-empty result if known."""
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


# Input checks of valid parameters, by class, values and types of values.
_checked: dict[tuple[Any, ...], InputCheck] = {}
_MOST_CHECKED = 1000


@cache
def _parameter_names(init: Any, owner: str) -> tuple[str, ...]:
    """Return the names of the parameters of ``__init__`` in alphabetical order."""
    # Cached by __init__, not by class: unpickling a class by value sets its __init__ later.
    if init is object.__init__:
        return ()
    _, *parameters = inspect.signature(init).parameters.values()
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(
                f"{owner}: __init__ has {parameter}. Every parameter of a stage must have a name."
            )
    return tuple(sorted(parameter.name for parameter in parameters))


def _typed(value: Any) -> Any:
    """Return a key that distinguishes equal values of different types, such as 8 and 8.0."""
    return (tuple, *map(_typed, value)) if type(value) is tuple else (type(value), value)
