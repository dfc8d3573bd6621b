"""What the stages that do not learn give for the images of a comparison, all recipes together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

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
    streams = {name: parts(pipeline, images)[0] for name, pipeline in pipelines.items()}
    # What stands before stages that learn is tried, so that unsuitable images are refused.
    tried = {
        name: begin_with_store(pipeline[0], images).stages for name, pipeline in pipelines.items()
    }
    computed_by = {name: pipeline[0].stages for name, pipeline in pipelines.items()}
    if pictures:
        streams[_SMALL] = Stream([thumbnails()])
        tried[_SMALL] = computed_by[_SMALL] = streams[_SMALL].stages
    hashes = content_hashes(images)
    keys = {
        name: "features-" + key([clone(stage, safe=False) for stage in stages], hashes)
        for name, stages in computed_by.items()
    }
    stored = {name: entry for name in streams if cache and (entry := cache.get(keys[name]))}
    new = [name for name in streams if name not in stored]
    refused: dict[int, RefusedImage] = {}
    if new:
        computed = run_together(
            [streams[name] for name in new], images, n_jobs, progress, [tried[name] for name in new]
        )
        places = np.setdiff1d(np.arange(len(images)), computed.kept).tolist()
        refused = dict(zip(places, computed.refused, strict=True))
    else:
        progress(len(images))
    for entry in stored.values():
        for place, (reason, detail) in zip(entry["places"], entry["refused"], strict=True):
            refused[int(place)] = RefusedImage(images[place], str(reason), str(detail))
    left = [place for place in range(len(images)) if place not in refused]
    found = {}
    for name, entry in stored.items():
        there = np.setdiff1d(np.arange(len(images)), entry["places"])
        values = entry["values"][np.isin(there, left)] if "values" in entry else None
        found[name] = Features(values, *entry["seconds"].tolist())
    for position, name in enumerate(new):
        reading = computed.reading[position]
        seconds = reading, computed.seconds[position] - reading
        values = take(computed.outputs[position], np.flatnonzero(np.isin(computed.kept, left)))
        found[name] = Features(values, *seconds)
        if cache and left:
            _keep(cache, keys[name], found[name], refused, always=name == _SMALL)
    small = found.pop(_SMALL).values if pictures else None
    in_order = [refused[place] for place in sorted(refused)]
    return Gathered(left, [hashes[place] for place in left], in_order, found, small)


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
