"""What the stages that do not learn give for the images of a comparison, all recipes together."""

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

_SMALL = "\0thumbnails"  # no recipe has this name
#: Refused for these reasons, an image may be good for other recipes.
_OF_RECIPES = ("unsuitable", "too-large", "too-many-bytes")


@dataclass
class Features:
    """What a recipe's stages that do not learn give for the images that were not refused."""

    #: None where the cache has it that nobody will need them.
    values: Any
    #: Processor seconds an image, to read it, and for the stages after that.
    reading: float = 0.0
    computing: float = 0.0


@dataclass
class Gathered:
    """What is known of the images once the stages that do not learn are done with them."""

    #: The positions of the images that were not refused, and the hashes of their content.
    kept: list[int]
    hashes: list[str]
    refused: list[RefusedImage]
    #: For each recipe.
    features: dict[str, Features]
    #: Thumbnails, where the images are pictures.
    small: Any


def gather(
    pipelines: Mapping[str, Pipeline],
    images: list[Any],
    pictures: bool,
    n_jobs: int | None,
    progress: Callable[[int], object],
    cache: Cache | None,
) -> Gathered:
    """Compute together all that does not learn, and that the cache has not.

    Each image is read once for all recipes that read it alike, and stages that several recipes
    have in common are computed once.
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
    """What is to be computed for a recipe, or for thumbnails."""

    stream: Stream
    #: The stages that an image must suit, or is refused: also those that stand before a stage that
    #: learns, and are computed in the folds.
    tried: Sequence[Any]
    #: The recipe's own stages, which do not begin with a store.
    stages: Sequence[Any]

    def key(self, hashes: list[str]) -> str:
        """Return the key in the cache, for images with these hashes."""
        return "features-" + key([clone(stage, safe=False) for stage in self.stages], hashes)


def _tasks(
    pipelines: Mapping[str, Pipeline], images: list[Any], pictures: bool
) -> dict[str, _Task]:
    """Return what is to be computed for each recipe, and thumbnails if images are pictures."""
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
    """What a stream gives, by itself, for some of the images."""

    #: A row for each image that is not refused; None where the cache left them out.
    values: Any
    #: The positions of these images, and of the refused.
    kept: NDArray[np.int64]
    refused: dict[int, RefusedImage]
    #: Processor seconds an image, to read it, and for the stages after that.
    reading: float
    computing: float

    def features(self, left: list[int]) -> Features:
        """Return the features of the images at these positions."""
        values = self.values
        if values is not None:
            values = take(values, np.flatnonzero(np.isin(self.kept, left)))
        return Features(values, self.reading, self.computing)


def _look_up(cache: Cache | None, keys: Mapping[str, str], images: list[Any]) -> dict[str, _Output]:
    """Return the outputs that the cache has."""
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
    """Compute tasks together; if there are none, all images are done."""
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
    """Return the images that any stream refuses, in their order; the last one's reason counts."""
    refused: dict[int, RefusedImage] = {}
    for output in outputs:
        refused |= output.refused
    return {place: refused[place] for place in sorted(refused)}


def _keep(
    cache: Cache, where: str, features: Features, refused: dict[int, RefusedImage], always: bool
) -> None:
    """Put features into the cache; pixels and maps are too large for it, and soon computed."""
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
    """Give the images, or vectors, at these positions."""
    return batch[index] if isinstance(batch, np.ndarray) else [batch[i] for i in index]


def is_vectors(values: Any) -> bool:
    """Tell whether these are vectors, and not pixels, maps or descriptor sets."""
    return isinstance(values, np.ndarray) and values.ndim == 2


def parts(pipeline: Pipeline, images: Sequence[Any]) -> tuple[Stream, list[Any]]:
    """Part a pipeline into what is computed once, and is kept, and what each fold does.

    For images of a store, it begins with what that has.
    """
    stream, *steps = (step for _, step in pipeline.steps)
    pipeline = make_pipeline(begin_with_store(stream, images), *steps)
    fixed, steps = split(pipeline)
    stages = list(pipeline[0].stages)
    count = len(fixed.stages)
    if count == len(stages) or (count and gives(stages[count - 1]) == "vectors"):
        return fixed, steps
    # Pixels are kept in place of maps and descriptor sets, which need many times their memory.
    count = 1 if getattr(stages[0], "takes", None) == "paths" else 0
    fold = Stream(stages[count:], fixed.chunk_size)
    return Stream(stages[:count]), [fold, *(step for _, step in pipeline.steps[1:])]
