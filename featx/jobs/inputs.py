"""Inputs of jobs: images, classes, recipes and models in any accepted form."""

import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from featx.core.errors import InputError, ModelError
from featx.datasets.listing import iterate_images
from featx.datasets.loading import (
    Dataset,
    Listing,
    Target,
    labeled,
    list_images,
    merge_labels,
    parse_target,
)

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: Classes to merge and select: ``{"city": ["street", "tower"]}``, or as on the command line,
#: ``["city=street,tower"]``.
Labels = Target | Sequence[str]


def list_inputs(images: Any, y: Any = None, labels: Labels = ()) -> Listing:
    """List images with their classes.

    Parameters
    ----------
    images : str, Path, sequence of paths or arrays, ndarray, Dataset or Listing
        A source, as in `featx.datasets.loading.list_images`, or a sequence of images.
    y : array-like, optional
        The class of each image of a sequence.
    labels : dict or list of str
        Classes to merge and select.

    Raises
    ------
    InputError
        If a sequence is empty, or ``y`` has another length.
    DatasetError
        If a source has no images, or lacks a class of ``labels``.
    """
    if isinstance(images, str | Path | Dataset | Listing):
        if y is not None:
            raise InputError(
                "y: applies to arrays and lists of paths only. The classes of a folder are the "
                "names of its subfolders; labels merges and selects them."
            )
        if isinstance(images, str | Path):
            found = list_images(images)
        else:
            found = Listing(images.paths, [*images.labels])
        return merge_labels(found, _target(labels))
    # A batch stays one array.
    items: Any = images if isinstance(images, np.ndarray) else [*images]
    if len(items) == 0:
        raise InputError("images: is empty. Pass at least one image.")
    if y is not None and len(y) != len(items):
        raise InputError(f"y: has {len(y)} classes for {len(items)} images. Pass one per image.")
    _check_kind(items)
    classes = [None] * len(items) if y is None else [*y]
    target = _target(labels)
    if target is None:
        return Listing(items, classes)
    texts = [None if name is None else str(name) for name in classes]
    return merge_labels(Listing([*items], texts), target)


def list_places(places: Sequence[str]) -> Listing:
    """List the images of one or more folders, files, globs or other sources, each image once.

    Of several sources, a file directly in a folder has the folder's name as its class.
    """
    if len(places) == 1:
        return list_images(places[0])
    rows: dict[str, tuple[Any, str | None]] = {}
    for place in places:
        own = os.path.basename(os.path.abspath(place)) if os.path.isdir(place) else None
        for path, label in zip(*list_images(place), strict=True):
            rows.setdefault(os.fsdecode(path), (path, own if label is None else label))
    return Listing([path for path, _ in rows.values()], [label for _, label in rows.values()])


def iterate_inputs(
    images: Any, y: Any = None, labels: Labels = ()
) -> Iterator[tuple[Any, str | None]]:
    """Yield images with their classes; those of a source as they are found.

    The first is found at once, so that a missing source raises here.
    """
    if not isinstance(images, str | Path) or y is not None or labels:
        paths, classes = list_inputs(images, y, labels)
        return zip(paths, (None if name is None else str(name) for name in classes), strict=True)
    inputs = iterate_images(images)
    return chain([next(inputs)], inputs)


def labelled_inputs(images: Any, y: Any = None, labels: Labels = ()) -> Dataset:
    """List images that have a class; warn if others are left out.

    Raises
    ------
    InputError
        If no image of a sequence has a class.
    DatasetError
        If no image of a source has a class.
    """
    found = list_inputs(images, y, labels)
    if isinstance(images, str | Path | Listing):
        return labeled(found, "images" if isinstance(images, Listing) else images)
    if all(name is None for name in found.labels):
        raise InputError("y: is missing. Pass the class of each image.")
    if None in found.labels:
        return labeled(found, "y")
    return Dataset(found.paths, np.asarray(found.labels))


def _target(labels: Labels) -> Target | None:
    if isinstance(labels, Mapping):
        return labels or None
    return parse_target([labels] if isinstance(labels, str) else labels)


def pipeline_of(recipe: Any) -> tuple[str, "Pipeline"]:
    """Return the name and the pipeline of a recipe; a pipeline is copied.

    Raises
    ------
    RecipeError
        If the recipe does not exist or is not valid.
    ModelError
        If a pipeline does not begin with a `Stream`.
    """
    # scikit-learn is slow to import; a missing folder is reported without it.
    from sklearn.base import clone
    from sklearn.pipeline import Pipeline, make_pipeline

    from featx.pipeline.fitting import split
    from featx.pipeline.recipes import read_recipe
    from featx.pipeline.stream import Stream

    if isinstance(recipe, str | Path):
        known = read_recipe(recipe)
        return known.name, known.pipeline
    if isinstance(recipe, Stream):
        recipe = make_pipeline(recipe)
    if not isinstance(recipe, Pipeline):
        raise InputError(f"recipe: must be a name, a file, a Pipeline or a Stream, got {recipe!r}.")
    split(recipe)  # raises ModelError if it does not begin with a Stream
    return "", clone(recipe)


def model_of(model: Any, trusted: Sequence[str] = ()) -> "Pipeline":
    """Return a fitted pipeline, loaded from its file if necessary; see `load_model`.

    Raises
    ------
    ModelError
        If it is not fitted, or cannot be loaded.
    """
    from sklearn.pipeline import Pipeline

    from featx.jobs.model_files import load_model
    from featx.pipeline.fitting import split

    if isinstance(model, str | Path):
        return load_model(model, trusted)
    if not isinstance(model, Pipeline):
        raise InputError(f"model: must be a fitted Pipeline or a file, got {model!r}.")
    split(model)
    if not hasattr(model, "classes_"):
        raise ModelError("model: is not fitted. Fit it with featx.train, or with its method fit.")
    return model


def _check_kind(images: Sequence[Any]) -> None:
    kinds = {isinstance(image, np.ndarray) for image in images}
    if len(kinds) > 1:
        raise InputError("images: mixes arrays and paths. Pass one kind.")
