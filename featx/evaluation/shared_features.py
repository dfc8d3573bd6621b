"""Compute stateless features once for all recipes of a comparison."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline, clone, make_pipeline

from featx.core.errors import RefusedImage
from featx.evaluation.cache import Cache, key
from featx.evaluation.duplicates import content_hashes, thumbnails
from featx.pipeline.fitting import split
from featx.pipeline.graph import gives
from featx.pipeline.stream import Stream, run_together
from featx.store.stored_images import begin_with_store

_SMALL = "\0thumbnails"  # task name that cannot collide with a recipe
#: Rejection reasons that depend on the recipe: other recipes may accept the image.
_OF_RECIPES = ("unsuitable", "too-large", "too-many-bytes")


@dataclass
class Features:
    """Output of a recipe's stateless stages for the images that were not rejected."""

    #: The output; None if the cache stores its cost only.
    values: Any
    #: CPU seconds per image for reading, and for the stages after it.
    reading: float = 0.0
    computing: float = 0.0


@dataclass
class Gathered:
    """Stateless features of all recipes, and the images they were computed for."""

    #: Indices of the images that were not rejected, and the hashes of their content.
    kept: list[int]
    hashes: list[str]
    refused: list[RefusedImage]
    #: Features of each recipe.
    features: dict[str, Features]
    #: Thumbnails; None unless the images are pictures.
    small: Any


def gather(
    pipelines: Mapping[str, Pipeline],
    images: list[Any],
    pictures: bool,
    n_jobs: int | None,
    progress: Callable[[int], object],
    cache: Cache | None,
) -> Gathered:
    """Compute the stateless features of all recipes, except those in the cache.

    Each image is read once for all recipes with equal reading parameters. Stages that recipes share
    are computed once.
    """
    tasks = _tasks(pipelines, images, pictures)
    hashes = content_hashes(images)
    keys = {name: task.key(hashes) for name, task in tasks.items()}
    stored = _look_up(cache, keys, images)
    new = {name: task for name, task in tasks.items() if name not in stored}
    computed = _compute(new, images, n_jobs, progress)
    outputs = computed | stored
    refused = _refused_by_any(outputs.values())
    left = [place for place in range(len(images)) if place not in refused]
    found = {name: outputs[name].features(left) for name in tasks}
    if cache and left:
        for name in new:
            _keep(cache, keys[name], found[name], refused, always=name == _SMALL)
    return Gathered(
        kept=left,
        hashes=[hashes[place] for place in left],
        refused=[*refused.values()],
        small=found.pop(_SMALL).values if pictures else None,
        features=found,
    )


class _Task(NamedTuple):
    """Stateless stages to compute for a recipe, or for thumbnails."""

    stream: Stream
    #: Stages that can reject an image. Includes stages before a trainable stage, which are computed
    #: in the folds.
    tried: Sequence[Any]
    #: The recipe's own stages, before a store replaces any of them.
    stages: Sequence[Any]

    def key(self, hashes: list[str]) -> str:
        """Return the cache key for images with these hashes."""
        return "features-" + key([clone(stage, safe=False) for stage in self.stages], hashes)


def _tasks(
    pipelines: Mapping[str, Pipeline], images: list[Any], pictures: bool
) -> dict[str, _Task]:
    """Return a task per recipe, and one for thumbnails if the images are pictures."""
    tasks = {}
    for name, pipeline in pipelines.items():
        stream, _ = parts(pipeline, images)
        tried = begin_with_store(pipeline[0], images).stages
        tasks[name] = _Task(stream, tried, pipeline[0].stages)
    if pictures:
        small = [thumbnails()]
        tasks[_SMALL] = _Task(Stream(small), small, small)
    return tasks


@dataclass
class _Output:
    """Output of one task, computed or cached."""

    #: One row per image that was not rejected; None if the cache stores the cost only.
    values: Any
    #: Indices of these images, and the rejected images by index.
    kept: NDArray[np.int64]
    refused: dict[int, RefusedImage]
    #: CPU seconds per image for reading, and for the stages after it.
    reading: float
    computing: float

    def features(self, left: list[int]) -> Features:
        """Return the features of the images with these indices."""
        values = self.values
        if values is not None:
            values = take(values, np.flatnonzero(np.isin(self.kept, left)))
        return Features(values, self.reading, self.computing)


def _look_up(cache: Cache | None, keys: Mapping[str, str], images: list[Any]) -> dict[str, _Output]:
    """Return the cached outputs."""
    found = {}
    for name, where in keys.items():
        if cache and (entry := cache.get(where)):
            refused = {
                int(place): RefusedImage(images[place], str(reason), str(detail))
                for place, (reason, detail) in zip(entry["places"], entry["refused"], strict=True)
            }
            kept = np.setdiff1d(np.arange(len(images)), entry["places"])
            found[name] = _Output(entry.get("values"), kept, refused, *entry["seconds"].tolist())
    return found


def _compute(
    tasks: Mapping[str, _Task],
    images: list[Any],
    n_jobs: int | None,
    progress: Callable[[int], object],
) -> dict[str, _Output]:
    """Compute all tasks in one pass over the images."""
    if not tasks:
        progress(len(images))
        return {}
    computed = run_together(
        [task.stream for task in tasks.values()],
        images,
        n_jobs,
        progress,
        [task.tried for task in tasks.values()],
    )
    places = np.setdiff1d(np.arange(len(images)), computed.kept).tolist()
    refused = dict(zip(places, computed.refused, strict=True))
    kept = np.array(computed.kept, np.int64)
    columns = zip(tasks, computed.outputs, computed.reading, computed.seconds, strict=True)
    return {
        name: _Output(values, kept, refused, reading, total - reading)
        for name, values, reading, total in columns
    }


def _refused_by_any(outputs: Iterable[_Output]) -> dict[int, RefusedImage]:
    """Return the images that any task rejected, by index, each with the reason of the last task."""
    refused: dict[int, RefusedImage] = {}
    for output in outputs:
        refused |= output.refused
    return {place: refused[place] for place in sorted(refused)}


def _keep(
    cache: Cache, where: str, features: Features, refused: dict[int, RefusedImage], always: bool
) -> None:
    """Cache the costs, the rejected images and the vectors.

    Pixels and maps are not cached: they are large and fast to compute.
    """
    if any(image.reason in _OF_RECIPES for image in refused.values()):
        return
    entry = {
        "places": np.array([*refused], np.int64),
        "refused": np.array([(one.reason, one.detail) for one in refused.values()], str).reshape(
            -1, 2
        ),
        "seconds": np.array([features.reading, features.computing]),
    }
    if is_vectors(features.values) or (always and isinstance(features.values, np.ndarray)):
        entry["values"] = features.values
    cache.put(where, entry)


def take(batch: Any, index: NDArray[np.int64]) -> Any:
    """Select the images or vectors with these indices."""
    return batch[index] if isinstance(batch, np.ndarray) else [batch[i] for i in index]


def is_vectors(values: Any) -> bool:
    """Return whether the values are vectors, as opposed to pixels, maps or descriptor sets."""
    return isinstance(values, np.ndarray) and values.ndim == 2


def parts(pipeline: Pipeline, images: Sequence[Any]) -> tuple[Stream, list[Any]]:
    """Split a pipeline into a stream that is computed once, and the steps of each fold.

    For stored images, the stream begins with the stored features.
    """
    stream, *steps = (step for _, step in pipeline.steps)
    pipeline = make_pipeline(begin_with_store(stream, images), *steps)
    fixed, steps = split(pipeline)
    stages = list(pipeline[0].stages)
    count = len(fixed.stages)
    if count == len(stages) or (count and gives(stages[count - 1]) == "vectors"):
        return fixed, steps
    # Keep pixels: maps and descriptor sets need many times their memory.
    count = 1 if getattr(stages[0], "takes", None) == "paths" else 0
    fold = Stream(stages[count:], fixed.chunk_size)
    return Stream(stages[:count]), [fold, *(step for _, step in pipeline.steps[1:])]
