"""Checks of the contract of `ImageStage`, for stages of featx and for your own.

`check_stage` runs all checks on one stage, as scikit-learn's `check_estimator` does on an
estimator. `stage_checks` yields them for a test runner.
"""

import pickle
import re
import tempfile
import wave
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, fields, is_dataclass
from importlib.util import find_spec
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from featx.core.constraints import bad_value, make_constraint
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError, InvalidParameterError
from featx.core.stage import ImageStage, Kind
from featx.core.suggestions import nearest
from featx.pipeline.stream import Stream

#: Increments of the smallest input size: all items use the first, or one each.
_SIZES: dict[str, list[tuple[int, ...]]] = {
    "images": [(21, 18), (24, 19), (18, 25)],
    "signals": [(60,), (75,), (52,)],
    "descriptors": [(40,), (25,), (33,)],
}
_LABELS = ["a", "b", "a"]


class CheckResult(NamedTuple):
    """The outcome of one check."""

    name: str
    #: "passed", "failed", or "xfail" for an expected failure.
    status: str
    #: The exception raised by the check, or None.
    exception: Exception | None
    #: Reason of an expected failure, or "".
    reason: str


@dataclass(frozen=True)
class Case:
    """A stage and the description of its test inputs."""

    parameters: ImageStage
    channels: int
    tolerance: float

    @property
    def stage(self) -> ImageStage:
        """An unfitted clone of the stage."""
        made: ImageStage = clone(self.parameters)
        return made

    @property
    def name(self) -> str:
        """The name of the stage's class."""
        return type(self.parameters).__name__

    @property
    def kind(self) -> Kind:
        """The input kind of the stage."""
        return self.parameters.input_kind

    @property
    def made_of(self) -> str:
        """The content of items or of their files: images, signals or descriptors."""
        if self.kind == "paths":
            return "signals" if self.parameters.gives == "signals" else "images"
        return self.kind if self.kind in _SIZES else "images"

    @property
    def numeric(self) -> bool:
        """Whether items are arrays of pixels, maps or samples."""
        return self.kind in ("pixels", "maps", "signals")

    @property
    def noun(self) -> str:
        """The noun for an item in error messages."""
        return "signal" if self.kind == "signals" else "image"

    @property
    def least(self) -> tuple[int, ...]:
        """The smallest input shape of the stage."""
        shape = self.parameters.check_parameters().shape
        return shape[:1] if self.made_of == "signals" else shape

    def shape(self, size: tuple[int, ...]) -> tuple[int, ...]:
        """Return the shape of an item; only images have channels."""
        return (*size[:2], self.channels) if self.made_of == "images" else size

    def items(self, folder: Path, seed: int = 0, ragged: bool = False) -> list[Any]:
        """Generate three random items of equal size, or of different sizes if ``ragged``."""
        rng = np.random.default_rng(seed)
        sizes = _SIZES[self.made_of] if ragged else _SIZES[self.made_of][:1] * 3
        if self.made_of == "descriptors":
            return [_random_set(rng, count) for (count,) in sizes]
        items: list[Any] = []
        for size in sizes:
            shape = self.shape(tuple(map(sum, zip(self.least, size, strict=False))))
            values = rng.integers(0, 256, shape, np.uint8)
            if self.kind == "paths":
                items.append(_write(folder / f"{seed} {len(items)} {shape}", values))
            else:
                items.append(values / np.float32(255))
        return items


class Trial:
    """A case, a batch, and the stage fitted on the batch."""

    def __init__(self, case: Case, folder: Path) -> None:
        self.case = case
        self.folder = folder
        self.batch = case.items(folder)
        self.fitted = case.stage.fit(self.batch, _LABELS)


Check = Callable[[Trial], None]
_CHECKS: list[Check] = []


def _listed(check: Check) -> Check:
    """Register a check. Works as a decorator."""
    _CHECKS.append(check)
    return check


def check_stage(
    stage: ImageStage,
    *,
    channels: tuple[int, ...] | None = None,
    tolerance: float = 0.0,
    expected_failed_checks: Mapping[str, str] | None = None,
    on_fail: str = "raise",
) -> list[CheckResult]:
    """Check that a stage fulfills the contract of `ImageStage`.

    Parameters
    ----------
    stage : ImageStage
        The stage with its parameters. It is cloned and not modified.
    channels : tuple of int, optional
        Numbers of channels of the test images. Defaults to those required by the stage, or to
        1 and 3.
    tolerance : float, default=0
        Allowed absolute difference between the result for an image alone and in a batch. Networks
        need a small tolerance.
    expected_failed_checks : dict of str to str, optional
        Names of checks that may fail, with the reasons.
    on_fail : {"raise", "return"}, default="raise"
        Raise the first unexpected failure, or return all results.

    Returns
    -------
    list of CheckResult
        One per check and number of channels.

    Raises
    ------
    AssertionError
        If a check fails; the message begins with its name.

    Examples
    --------
    >>> from featx import Sobel
    >>> from featx.testing import check_stage
    >>> {result.status for result in check_stage(Sobel(), channels=(1,))}
    {'passed'}
    """
    expected = dict(expected_failed_checks or {})
    checks = list(stage_checks(stage, channels=channels, tolerance=tolerance))
    if unknown := sorted(set(expected) - {name for name, _, _ in checks}):
        hint = nearest(unknown[0], list(dict.fromkeys(name for name, _, _ in checks)))
        raise InputError(f"check_stage: unknown check {unknown[0]!r}. {hint}")
    results = []
    for name, _, run in checks:
        try:
            run()
        except Exception as error:
            if name not in expected and on_fail == "raise":
                raise AssertionError(f"{name}: {error}") from error
            status = "xfail" if name in expected else "failed"
            results.append(CheckResult(name, status, error, expected.get(name, "")))
        else:
            results.append(CheckResult(name, "passed", None, ""))
    return results


def stage_checks(
    stage: ImageStage, *, channels: tuple[int, ...] | None = None, tolerance: float = 0.0
) -> Iterator[tuple[str, int, Callable[[], None]]]:
    """Yield the checks of a stage as tuples: name, number of channels, function to run.

    The parameters are those of `check_stage`.

    Examples
    --------
    >>> from featx import Sobel
    >>> from featx.testing import stage_checks
    >>> name, channels, run = next(stage_checks(Sobel()))
    >>> name, channels
    ('check_parameters_are_stored', 1)
    >>> run()
    """
    required = stage.check_parameters()
    chosen = channels or required.channels or (required.shape[2:3] or (1, 3))
    for count in chosen if Case(stage, 0, 0).made_of == "images" else (1,):
        case = Case(stage, count, tolerance)
        for check in _CHECKS:
            yield check.__name__, count, _runner(check, case)


def _runner(check: Check, case: Case) -> Callable[[], None]:
    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            check(Trial(case, Path(folder)))

    return run


# Parameters.


@_listed
def check_parameters_are_stored(trial: Trial) -> None:
    """Check that parameters are those of ``__init__``, stored unmodified."""
    stage = trial.case.parameters
    parameters = stage.get_params(deep=False)
    names = set(signature(type(stage)).parameters)
    assert set(parameters) == names, f"get_params has {sorted(parameters)}, not {sorted(names)}"
    made = type(stage)(**parameters).get_params(deep=False)
    for name, value in parameters.items():
        assert made[name] is value, f"__init__ changes {name}"


@_listed
def check_clone(trial: Trial) -> None:
    """Check that a clone has equal parameters and no fitted attributes."""
    copy = clone(trial.fitted)
    assert _equal(copy.get_params(), trial.case.parameters.get_params())
    assert vars(copy).keys() == vars(trial.case.stage).keys()


@_listed
def check_unknown_parameters(trial: Trial) -> None:
    """Check that `set_params` rejects parameters that do not exist."""
    stage = trial.case.stage
    message = raised(lambda: stage.set_params(nonsense=1))
    assert message.startswith("Invalid parameter 'nonsense' for estimator"), message


@_listed
def check_set_params(trial: Trial) -> None:
    """Check that refitting after `set_params` is equivalent to a new stage."""
    stage, batch = trial.case.stage.fit(trial.batch, _LABELS), trial.batch
    stage.set_params(**trial.case.parameters.get_params(deep=False)).fit(batch, _LABELS)
    assert_same(stage.transform(batch), trial.fitted.transform(batch), trial.case.tolerance)


@_listed
def check_bad_values(trial: Trial) -> None:
    """Check that values that violate the constraints are rejected by `fit` and `transform`."""
    stage, name_of_stage = trial.case.parameters, trial.case.name
    for name, declared in stage._parameter_constraints.items():
        constraints = [make_constraint(constraint) for constraint in declared]
        values = [b"bytes", None, float("nan"), "nonsense"]
        for constraint in declared:
            with suppress(NotImplementedError):  # the constraint accepts all values of its type
                values.append(bad_value(constraint))
        *most, last = map(str, constraints)
        right = f"{', '.join(most)} or {last}" if most else last
        for value in values:
            if any(constraint.is_satisfied_by(value) for constraint in constraints):
                continue
            wrong = deepcopy(trial.fitted).set_params(**{name: value})
            expected = (
                f"The {name!r} parameter of {name_of_stage} must be {right}. Got {value!r} instead."
            )
            for call in (wrong.fit, wrong.transform, clone(wrong).fit, clone(wrong).transform):
                assert_equal(raised(call, trial.batch, error=InvalidParameterError), expected)


@_listed
def check_tags(trial: Trial) -> None:
    """Check the tag ``requires_fit``, and that an unfitted trainable stage raises."""
    stage, name = trial.case.stage, trial.case.name
    assert get_tags(stage).requires_fit == stage.learns
    if stage.learns:
        expected = (
            f"This {name} instance is not fitted yet. Call 'fit' with appropriate arguments "
            "before using this estimator."
        )
        assert_equal(raised(stage.transform, trial.batch, error=NotFittedError), expected)
    else:
        check_is_fitted(stage)
        assert_same(stage.transform(trial.batch), trial.fitted.transform(trial.batch))


@_listed
def check_html(trial: Trial) -> None:
    """Check that the HTML representation contains the name and the parameters."""
    html = trial.case.parameters._repr_html_()
    for word in (trial.case.name, *trial.case.parameters.get_params(deep=False)):
        assert re.search(rf"\b{word}\b", html), f"no {word} in the HTML representation"


# Batches of one, several and no images.


@_listed
def check_batch_is_a_stack_of_singles(trial: Trial) -> None:
    """Check that the result for a batch equals the results for its images."""
    stage, batch, tolerance = trial.fitted, trial.batch, trial.case.tolerance
    expected = _together(stage, _singles(stage, batch))
    assert_same(stage.transform(batch), expected, tolerance)
    if trial.case.numeric:
        assert_same(stage.transform(np.stack(batch)), expected, tolerance)


@_listed
def check_ragged_batch(trial: Trial) -> None:
    """Check that images of different sizes in a batch give the same results as alone."""
    case, stage = trial.case, trial.fitted
    items = case.items(trial.folder, ragged=True)
    results = _singles(stage, items)
    lengths = sorted({len(result) for result in results})
    if stage.gives == "vectors" and len(lengths) > 1:
        expected = (
            f"{case.name}: the vectors have different lengths ({lengths[0]} to {lengths[-1]}), "
            "since the images differ in size. Resize all images to one size, for example with "
            "ReadImages(size=(256, 256))."
        )
        assert_equal(raised(stage.transform, items), expected)
        return
    objects = np.empty(3, object)
    objects[:] = items
    for batch in (items, tuple(items), objects):
        assert_same(stage.transform(batch), _together(stage, results), case.tolerance)


@_listed
def check_fit_transform(trial: Trial) -> None:
    """Check that `fit_transform` equals `fit` followed by `transform`."""
    given = trial.case.stage.fit_transform(trial.batch, _LABELS)
    assert_same(given, trial.fitted.transform(trial.batch), trial.case.tolerance)


@_listed
def check_empty_batch(trial: Trial) -> None:
    """Check that an empty batch keeps its shape in `transform` and is rejected by `fit`."""
    case, stage = trial.case, trial.fitted
    some = stage.transform(trial.batch)
    if stage.gives == "descriptors" or case.kind == "paths":
        assert stage.transform([]) == []
    else:
        assert_same(stage.transform([]), some[:0])
    if case.numeric:
        assert_same(stage.transform(np.stack(trial.batch)[:0]), some[:0])
    if not stage.learns:
        none: Any = np.empty((0, 0), np.float32) if stage.gives == "vectors" else []
        assert_same(case.stage.transform([]), none)
    expected = f"{case.name} cannot be fitted on an empty batch."
    assert_equal(raised(case.stage.fit, []), expected)


@_listed
def check_single_image_is_rejected(trial: Trial) -> None:
    """Check that a single image instead of a batch is rejected."""
    case, item = trial.case, trial.batch[0]
    expected = f"{case.name}: expected {_wanted(case, item)}"
    assert_equal(raised(trial.fitted.transform, item), expected)
    assert_equal(raised(case.stage.fit, item), expected)


def _wanted(case: Case, item: Any) -> str:
    """Return the rest of the error message for a single item."""
    if case.kind == "paths":
        return f"a batch of paths, but got {item!r}. For a single image, wrap it in a list: [path]."
    if case.kind == "signals":
        return (
            "a batch of signals, an array (n, length) or (n, length, channels) or a list of arrays "
            f"(length,) or (length, channels), but got one array of shape {item.shape}. For a "
            "single signal, wrap it in a list: [signal]."
        )
    if case.kind == "descriptors":
        return (
            "a batch of descriptor sets, a list of DescriptorSet, as DenseSIFT returns, or of "
            f"arrays (count, length), but got one set of shape {item.shape}. For a single image, "
            "wrap it in a list: [descriptors]."
        )
    return (
        "a batch of images, an array (n, height, width, channels) or a list of arrays (height, "
        f"width, channels), but got one array of shape {item.shape}. For a single image, wrap it "
        "in a list: [image]. For several gray images, add the axis of channels: "
        "images[..., np.newaxis]."
    )


# Accepted and rejected images.


@_listed
def check_results(trial: Trial) -> None:
    """Check that results are finite, float32 and writable, and share no memory with images."""
    case, stage = trial.case, trial.fitted
    ragged = case.items(trial.folder, ragged=True)
    for items in (trial.batch, ragged):
        for item, result in zip(items, _singles(stage, items), strict=True):
            for part in _parts(result):
                _check_array(part, np.dtype(np.uint8 if stage.gives == "pixels" else np.float32))
                assert not any(np.shares_memory(part, given) for given in _parts(item))
    if stage.gives in ("maps", "pixels") and case.kind != "paths":
        for item, result in zip(ragged, stage.transform(ragged), strict=True):
            assert not np.shares_memory(item, result), "a result shares memory with its image"


def _check_array(part: NDArray[Any], dtype: np.dtype[Any]) -> None:
    assert part.dtype == dtype, f"a result is {part.dtype}, not {dtype}"
    assert part.flags.c_contiguous, "a result is not C-contiguous"
    assert part.flags.writeable, "a result is read-only"
    assert np.isfinite(part).all(), "a result is not finite"


@_listed
def check_images_are_not_modified(trial: Trial) -> None:
    """Check that images are not modified, and may be read-only."""
    batch, before = trial.batch, deepcopy(trial.batch)
    stage = trial.case.stage.fit(batch, _LABELS)
    expected = stage.transform(batch)
    assert_same(batch, before)
    for item in batch:
        for part in _parts(item):
            part.flags.writeable = False
    assert_same(stage.fit(batch, _LABELS).transform(batch), expected, trial.case.tolerance)


@_listed
def check_memory_layout(trial: Trial) -> None:
    """Check that results do not depend on the memory layout of an array."""
    if not trial.case.numeric:
        return

    def unaligned(image: NDArray[Any]) -> NDArray[Any]:
        place = np.empty(image.size + 1, np.float32)[1:].reshape(image.shape)
        place[...] = image
        return place

    layouts: list[Callable[[Any], Any]] = [
        unaligned,
        lambda image: np.flip(np.flip(image).copy()),
        lambda image: np.repeat(image, 2, axis=0)[::2],
        np.asfortranarray,
        lambda image: image.astype(">f4"),
        np.float64,
    ]
    expected = trial.fitted.transform(trial.batch)
    for stored in layouts:
        assert_same(trial.fitted.transform([stored(item) for item in trial.batch]), expected)
        assert_same(trial.fitted.transform(stored(np.stack(trial.batch))), expected)


@_listed
def check_types_of_pixels(trial: Trial) -> None:
    """Check that pixels of uint8, uint16 and bool give the results of the scaled floats."""
    if trial.case.kind not in ("pixels", "maps"):
        return
    stage, batch = trial.fitted, trial.batch
    expected = stage.transform(batch)
    pixels = [np.rint(item * 255).astype(np.uint8) for item in batch]
    assert_same(stage.transform(pixels), expected)
    assert_same(stage.transform([item * np.uint16(257) for item in pixels]), expected)
    black_and_white = [item > 0.5 for item in batch]
    expected = stage.transform([item.astype(np.float32) for item in black_and_white])
    assert_same(stage.transform(black_and_white), expected)


@_listed
def check_grey_images_without_channels(trial: Trial) -> None:
    """Check that gray images in a list need no channel axis."""
    if trial.case.kind in ("pixels", "maps") and trial.case.channels == 1:
        flat = [item[..., 0] for item in trial.batch]
        assert_same(trial.fitted.transform(flat), trial.fitted.transform(trial.batch))


@_listed
def check_channels(trial: Trial) -> None:
    """Check that images without channels, or with a wrong number of them, are rejected."""
    case, least = trial.case, trial.case.least
    if case.kind not in ("pixels", "maps"):
        return
    if len(least) == 2:
        expected = f"{case.name} needs at least one channel, but image 0 has none."
        assert_equal(raised(trial.fitted.transform, np.zeros((1, *least, 0), "f4")), expected)
    channels = case.parameters.check_parameters().channels
    if channels is not None and max(channels) + 1 not in channels:
        count = max(channels) + 1
        wanted = " or ".join(map(str, channels))
        noun = "channel" if wanted == "1" else "channels"
        expected = f"{case.name}: expected images of {wanted} {noun}, but image 0 has {count}."
        wrong = np.zeros((1, *least[:2], count), np.float32)
        assert_equal(raised(trial.fitted.transform, wrong), expected)


@_listed
def check_constant_images(trial: Trial) -> None:
    """Check that constant images give finite results."""
    if trial.case.numeric:
        constant = [np.full_like(trial.batch[0], value) for value in (0, 0.5, 1)]
        for result in trial.fitted.transform(constant):
            assert all(np.isfinite(part).all() for part in _parts(result))


@_listed
def check_small_images(trial: Trial) -> None:
    """Check that the smallest image is accepted, and that the error for a smaller one is right."""
    if not trial.case.numeric:
        return
    case, stage, least = trial.case, trial.fitted, trial.case.least

    def written(size: tuple[int, ...]) -> str:
        unit = {1: " samples", 2: " pixels", 3: ""}[len(size)]
        return (f"{size[0]}" if len(size) == 1 else " x ".join(map(str, size))) + unit

    assert len(stage.transform([np.zeros(case.shape(least), np.float32)])) == 1
    for axis in range(len(least)):
        size = tuple(length - (place == axis) for place, length in enumerate(least))
        small = np.zeros(size if len(size) == 3 else case.shape(size), np.float32)
        expected = (
            f"{case.name} needs at least {written(least)} with these parameters, "
            f"but {case.noun} {{}} is {written(size)}."
        )
        assert_equal(raised(case.stage.fit, [small]), expected.format(0))
        assert_equal(raised(stage.transform, [trial.batch[0], small]), expected.format(1))
        if stage.gives != "descriptors":  # an empty batch of descriptors has no shape
            none = expected.replace(f"{case.noun} {{}}", "an image of this empty batch")
            assert_equal(raised(stage.transform, small[np.newaxis][:0]), none)


@_listed
def check_values_that_are_not_finite(trial: Trial) -> None:
    """Check that NaN, infinity and values too large for float32 are rejected."""
    case = trial.case
    if case.kind == "paths":
        return
    which = {"descriptors": "the descriptor set of image"}.get(case.kind, case.noun)
    for value, problem in (
        (np.nan, "contains NaN or infinity."),
        (-np.inf, "contains NaN or infinity."),
        (1e39, "has values too large for single precision."),
    ):
        wrong = np.array(trial.batch[1], np.float64)
        wrong.flat[wrong.size // 2] = value
        for call, items, index in (
            (trial.fitted.transform, [trial.batch[0], wrong], 1),
            (case.stage.fit, [wrong, trial.batch[0]], 0),
        ):
            assert_equal(raised(call, items), f"{case.name}: {which} {index} {problem}")


@_listed
def check_other_types(trial: Trial) -> None:
    """Check that unsupported data types are rejected."""
    case, batch = trial.case, trial.batch
    if case.numeric:
        expected = (
            f"{case.name}: {case.noun} 1 is of type int64. Pixels must be uint8, uint16 or bool, "
            "which are scaled to [0, 1], or floating point."
        )
        wrong = [batch[0], np.ones(batch[1].shape, np.int64)]
        assert_equal(raised(trial.fitted.transform, wrong), expected)


# Names and data frames.


@_listed
def check_feature_names(trial: Trial) -> None:
    """Check that feature names are unique and match the number of features."""
    names = trial.fitted.get_feature_names_out()
    assert names.dtype == object
    assert all(isinstance(name, str) for name in names)
    assert len(set(names)) == len(names), "feature names are not unique"
    if trial.fitted.output_kind != "signals":  # samples of a signal are not features
        count = trial.fitted.transform(trial.batch)[0].shape[-1]
        assert len(names) == count, f"{len(names)} feature names for {count} features"


@_listed
def check_input_names(trial: Trial) -> None:
    """Check feature names for named input channels, and the error for a wrong number of names."""
    case, stage = trial.case, trial.fitted
    if case.kind not in ("pixels", "maps"):
        return
    known = {1: ["gray"], 3: ["red", "green", "blue"]}
    channels = known.get(case.channels, [f"channel{index}" for index in range(case.channels)])
    names = stage.get_feature_names_out()
    np.testing.assert_array_equal(stage.get_feature_names_out(channels), names)
    others = stage.get_feature_names_out([f"map{index}" for index in range(case.channels)])
    assert len(set(others)) == len(others) == len(names)
    more = [f"map{index}" for index in range(case.channels + 1)]
    expected = (
        f"{case.name} was fitted on images of {case.channels} channels, but input_features has "
        f"{case.channels + 1} names."
    )
    assert_equal(raised(stage.get_feature_names_out, more), expected)


@_listed
def check_data_frames(trial: Trial) -> None:
    """Check `set_output` with pandas and polars, if installed."""
    values, stage = trial.fitted.transform(trial.batch), deepcopy(trial.fitted)
    for library in filter(find_spec, ("pandas", "polars")):
        given = stage.set_output(transform=library).transform(trial.batch)
        if stage.gives == "vectors":
            assert type(given).__module__.split(".")[0] == library
            assert list(given.columns) == list(stage.get_feature_names_out())
            given = given.to_numpy()
        assert_same(given, values)


# Files and threads.


@_listed
def check_pickle(trial: Trial) -> None:
    """Check that an unpickled stage gives the same results."""
    _check_loaded(trial, pickle.loads(pickle.dumps(trial.fitted)))


@_listed
def check_skops(trial: Trial) -> None:
    """Check that a stage loaded by skops gives the same results and needs no other type."""
    # Imported here: skops imports torch if installed, which takes seconds.
    import skops.io

    content = skops.io.dumps(trial.fitted)
    untrusted = skops.io.get_untrusted_types(data=content)
    own = f"{type(trial.fitted).__module__}.{trial.case.name}"
    assert untrusted == [own], f"the file holds {untrusted}, not {own} only"
    _check_loaded(trial, skops.io.loads(content, trusted=untrusted))


def _check_loaded(trial: Trial, loaded: Any) -> None:
    fitted, batch = trial.fitted, trial.batch
    assert _equal(loaded.get_params(), fitted.get_params())
    assert_same(loaded.transform(batch), fitted.transform(batch))
    np.testing.assert_array_equal(loaded.get_feature_names_out(), fitted.get_feature_names_out())


@_listed
def check_threads(trial: Trial) -> None:
    """Check that several threads give the results of one, directly and in a `Stream`."""
    items = [item for seed in range(4) for item in trial.case.items(trial.folder, seed)]
    expected = _singles(trial.fitted, items)
    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(lambda item: trial.fitted.transform([item])[0], items))
    assert_same(given, expected)
    stream = Stream([trial.fitted], chunk_size=1, n_jobs=3)
    assert_same(stream.transform(items), _together(trial.fitted, expected))


# Comparisons.


def raised(call: Callable[..., Any], *arguments: Any, error: type[Exception] = ValueError) -> str:
    """Return the message of the error raised by a call; fail if none is raised."""
    try:
        call(*arguments)
    except error as caught:
        return str(caught)
    raise AssertionError(f"{getattr(call, '__qualname__', call)} did not raise {error.__name__}")


def assert_equal(actual: str, expected: str) -> None:
    """Fail unless two messages are equal."""
    assert actual == expected, f"the error reads\n    {actual}\nand should read\n    {expected}"


def assert_same(actual: Any, expected: Any, tolerance: float = 0) -> None:
    """Fail unless results, arrays or containers of arrays, are equal entry by entry."""
    assert type(actual) is type(expected), f"{type(actual)} is not {type(expected)}"
    if isinstance(expected, np.ndarray):
        assert actual.dtype == expected.dtype, f"{actual.dtype} is not {expected.dtype}"
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, strict=True)
    elif isinstance(expected, list):
        for one, other in zip(actual, expected, strict=True):
            assert_same(one, other, tolerance)
    elif is_dataclass(expected):
        for field in fields(expected):
            assert_same(getattr(actual, field.name), getattr(expected, field.name), tolerance)
    else:
        assert actual == expected, f"{actual!r} is not {expected!r}"


def _equal(first: Any, second: Any) -> bool:
    """Compare parameters, including arrays."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(
            _equal(value, second[key]) for key, value in first.items()
        )
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        return type(first) is type(second) and np.array_equal(first, second)
    return bool(first == second)


def _singles(stage: ImageStage, items: list[Any]) -> list[Any]:
    return [stage.transform([item])[0] for item in items]


def _together(stage: ImageStage, results: list[Any]) -> Any:
    """Combine results for single images as the stage does for a batch."""
    if stage.gives == "descriptors" or len({result.shape for result in results}) > 1:
        return results
    return np.stack(results)


def _parts(item: Any) -> list[NDArray[Any]]:
    """List the arrays of an item, or of a result for one."""
    if is_dataclass(item):
        return [part for field in fields(item) for part in _parts(getattr(item, field.name))]
    return [item] if isinstance(item, np.ndarray) else []


def _random_set(rng: np.random.Generator, count: int) -> DescriptorSet:
    """Generate random descriptors at random positions."""
    length, size = 8, (30, 40)
    values = rng.random((count, length), np.float32)
    positions = rng.random((count, 2), np.float32) * np.asarray(size, np.float32)
    return DescriptorSet(values, positions, 8 + rng.random(count, np.float32), size)


def _write(path: Path, values: NDArray[np.uint8]) -> Path:
    """Write pixels to a PNG file, or 8-bit samples to a WAV file."""
    from PIL import Image

    if values.ndim == 3:
        Image.fromarray(values.squeeze()).save(path, "PNG")
        return path
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 1, 8000, len(values), "NONE", ""))
        file.writeframes(values.tobytes())
    return path
