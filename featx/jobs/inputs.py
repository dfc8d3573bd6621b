"""What jobs work on, in each form that users have it: images, classes, recipes and models."""

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
    labelled,
    list_images,
    merge_labels,
    parse_target,
)

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

#: How classes are merged and selected: ``{"city": ["street", "tower"]}``, or as on the command
#: line, ``["city=street,tower"]``.
Labels = Target | Sequence[str]


def list_inputs(images: Any, y: Any = None, labels: Labels = ()) -> Listing:
    """List images with their classes.

    Parameters
    ----------
    images : str, Path, sequence of paths or arrays, ndarray, Dataset or Listing
        A place, as in `featx.datasets.loading.list_images`, or the images themselves.
    y : array-like, optional
        The class of each image that is given itself.
    labels : dict or list of str
        How classes are merged and selected.

    Raises
    ------
    InputError
        If there are no images, or ``y`` does not fit them.
    DatasetError
        If there is nothing at the place, or it has no such class.
    """
    if isinstance(images, str | Path | Dataset | Listing):
        if y is not None:
            raise InputError(
                "y: is for arrays and lists of paths only. The classes of a folder are the names "
                "of its sub-folders; labels merges and selects them."
            )
        if isinstance(images, str | Path):
            found = list_images(images)
        else:
            found = Listing(images.paths, [*images.labels])
        return merge_labels(found, _target(labels))
    # A batch stays one array.
    items: Any = images if isinstance(images, np.ndarray) else [*images]
    if len(items) == 0:
        raise InputError("images: is empty. Give one image at least.")
    if y is not None and len(y) != len(items):
        raise InputError(f"y: has {len(y)} classes for {len(items)} images. Give one for each.")
    _check_kind(items)
    classes = [None] * len(items) if y is None else [*y]
    target = _target(labels)
    if target is None:
        return Listing(items, classes)
    texts = [None if name is None else str(name) for name in classes]
    return merge_labels(Listing([*items], texts), target)


def iterate_inputs(
    images: Any, y: Any = None, labels: Labels = ()
) -> Iterator[tuple[Any, str | None]]:
    """Yield images with their classes; those of a place as they are found.

    The first is looked for at once, so that a place that does not exist raises here.
    """
    if not isinstance(images, str | Path) or y is not None or labels:
        paths, classes = list_inputs(images, y, labels)
        return zip(paths, (None if name is None else str(name) for name in classes), strict=True)
    inputs = iterate_images(images)
    return chain([next(inputs)], inputs)


def labelled_inputs(images: Any, y: Any = None, labels: Labels = ()) -> Dataset:
    """List images that have a class, with a warning if others are left out.

    Raises
    ------
    InputError
        If no image that is given itself has a class.
    DatasetError
        If no image of a place has a class.
    """
    found = list_inputs(images, y, labels)
    if isinstance(images, str | Path):
        return labelled(found, images)
    if all(name is None for name in found.labels):
        raise InputError("y: is missing. Give the class of each image.")
    if None in found.labels:
        return labelled(found, "y")
    return Dataset(found.paths, np.asarray(found.labels))


def _target(labels: Labels) -> Target | None:
    if isinstance(labels, Mapping):
        return labels or None
    return parse_target([labels] if isinstance(labels, str) else labels)


def pipeline_of(recipe: Any) -> tuple[str, "Pipeline"]:
    """Return the name and the pipeline of a recipe; a copy, if it is a pipeline.

    Raises
    ------
    RecipeError
        If there is no such recipe, or anything in it is wrong.
    ModelError
        If it is a pipeline that does not begin with a `Stream`.
    """
    # scikit-learn takes long to load, and a wrong folder needs none of it.
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
    """Return a fitted pipeline, loaded if it is a file; ``trusted`` is as in `load_model`.

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
        raise InputError("images: some are arrays and some are not. Give one kind.")
