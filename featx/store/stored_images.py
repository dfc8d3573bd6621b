"""Stored features as the input of pipelines, instead of images."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyarrow import compute
from sklearn.base import BaseEstimator, TransformerMixin

from featx.core.batches import join
from featx.core.errors import StoreError
from featx.io.file_state import FileState, file_state
from featx.pipeline.stream import Stream
from featx.store.identity import as_steps, check_same
from featx.store.store import Features, part_files, read_about, read_part, read_table


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image whose features are in a store; a path-like object.

    Raises
    ------
    StoreError
        If the store has changed since its images were listed.
    """

    #: State of the store's file when it was listed.
    part: FileState
    #: Index of the image among those of the file that are not rejected.
    place: int

    def __fspath__(self) -> str:
        return _read(self.part).paths[self.place]

    def __str__(self) -> str:
        return self.__fspath__()

    @property
    def store(self) -> str:
        """Folder of the store."""
        return os.path.dirname(self.part.file)

    @property
    def sha256(self) -> str:
        """SHA-256 of the image file in hexadecimal digits."""
        _check_unchanged(self.part)
        return _digests(self.part)[self.place]


def stored_images(folder: str | Path) -> tuple[list[StoredImage], list[str | None]]:
    """Return the images of a store that are not rejected, and their classes."""
    read_about(folder)
    images, labels = list[StoredImage](), list[str | None]()
    for file in part_files(folder):
        part = file_state(file)
        found = _column(part, "label").dictionary_encode()
        classes = [*found.dictionary.to_pylist(), None]
        # Images of one class share one string.
        labels += [classes[number] for number in found.indices.fill_null(-1).to_pylist()]
        images += [StoredImage(part, place) for place in range(len(found))]
    return images, labels


class StoredFeatures(TransformerMixin, BaseEstimator):
    """Read features from a store, instead of computing them by the stages that wrote it."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @property
    def gives(self) -> str:
        """Kind of the stored features."""
        return "descriptors" if read_about(self.folder)["sets"] else "vectors"

    def fit(self, X: Sequence[StoredImage], y: Any = None) -> "StoredFeatures":
        """Do nothing, and return the stage."""
        return self

    def transform(self, X: Sequence[StoredImage]) -> Any:
        """Return the stored features of the images."""
        pieces = []
        for part, images in groupby(X, lambda image: image.part):
            vectors = _read(part).vectors
            places = [image.place for image in images]
            one = isinstance(vectors, np.ndarray)
            pieces.append(vectors[places] if one else [vectors[place] for place in places])
        return join(pieces)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the feature names in the store."""
        return np.asarray(read_about(self.folder)["names"], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def begin_with_store(stream: Stream, images: Sequence[Any]) -> Stream:
    """Replace the first stages of a stream by `StoredFeatures` if the images are stored.

    Raises
    ------
    StoreError
        If the first stages differ from those that wrote the store, or only some images are stored.
    """
    if not any(isinstance(image, StoredImage) for image in images):
        return stream
    if not all(isinstance(image, StoredImage) for image in images):
        raise StoreError("images: some are stored and some are not. Pass only one kind.")
    folders = sorted({image.store for image in images})
    counts = {_count_held(stream, folder) for folder in folders}
    first = StoredFeatures(folders[0])
    return Stream([first, *stream.stages[counts.pop() :]], stream.chunk_size, stream.n_jobs)


def put_back(fitted: Stream, stream: Stream) -> Stream:
    """Replace the `StoredFeatures` of a fitted stream by its original stages."""
    if not isinstance(fitted.stages[0], StoredFeatures):
        return fitted
    count = len(stream.stages) - len(fitted.stages) + 1
    whole = Stream([*stream.stages[:count], *fitted.stages[1:]], stream.chunk_size, stream.n_jobs)
    whole.feature_names_out_ = fitted.feature_names_out_
    return whole


def _count_held(stream: Stream, folder: str) -> int:
    """Return the number of stages that wrote a store; check that the stream begins with them."""
    about = read_about(folder)
    steps = as_steps(stream.stages)
    count = len(about["steps"])
    other, again = "Extract the features of this recipe", "Extract the features again"
    check_same(folder, about, steps[:count], other, again)
    return count


def _read(part: FileState) -> Features:
    """Read a part, cached; check that it has not changed since it was listed.

    Raises
    ------
    StoreError
        If the part has changed.
    """
    _check_unchanged(part)
    return _features(part)


def _check_unchanged(part: FileState) -> None:
    try:
        changed = file_state(part.file) != part
    except FileNotFoundError:
        changed = True
    if changed:
        raise StoreError(
            f"{part.file}: has changed since its images were listed. List them again with "
            "load_dataset."
        )


# Keyed by the file's state, since another run may write another file of the same name.
@lru_cache(maxsize=4)
def _features(part: FileState) -> Features:
    features = read_part(part.file)
    _check_unchanged(part)
    return features


@lru_cache(maxsize=4)
def _digests(part: FileState) -> list[str]:
    digests: list[str] = _column(part, "sha256").to_pylist()
    return digests


def _column(part: FileState, name: str) -> Any:
    """Read a column for the images that are not rejected."""
    table = read_table(part.file, [name, "status"])
    # Parts are replaced atomically: the column is of this state if the state is still the same.
    _check_unchanged(part)
    kept = table.filter(compute.equal(table["status"], "ok"))
    return kept[name].combine_chunks()
