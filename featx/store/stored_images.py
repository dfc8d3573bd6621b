"""Stores in place of images: pipelines that begin with the features that ``extract`` wrote."""

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
    """An image of which a store has the features; it stands wherever a path may.

    Raises
    ------
    StoreError
        If the store has changed since its images were listed: features, paths and hashes are
        those of the run that was listed, or none.
    """

    #: The file of the store in which it is, as it was when it was listed.
    part: FileState
    #: The index among the images there that are not refused.
    place: int

    def __fspath__(self) -> str:
        return _read(self.part).paths[self.place]

    def __str__(self) -> str:
        return self.__fspath__()

    @property
    def store(self) -> str:
        """The store's folder."""
        return os.path.dirname(self.part.file)

    @property
    def sha256(self) -> str:
        """The hash of the file's content, in hexadecimal digits."""
        _check_unchanged(self.part)
        return _digests(self.part)[self.place]


def stored_images(folder: str | Path) -> tuple[list[StoredImage], list[str | None]]:
    """List the images in a store that are not refused, and their classes."""
    read_about(folder)
    images, labels = list[StoredImage](), list[str | None]()
    for file in part_files(folder):
        part = file_state(file)
        found = _column(part, "label").dictionary_encode()
        classes = [*found.dictionary.to_pylist(), None]
        # Each class is one object, however many images have it.
        labels += [classes[number] for number in found.indices.fill_null(-1).to_pylist()]
        images += [StoredImage(part, place) for place in range(len(found))]
    return images, labels


class StoredFeatures(TransformerMixin, BaseEstimator):
    """The stages whose features a store has, as one: it gives them, and computes nothing."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    @property
    def gives(self) -> str:
        """What the store has."""
        return "descriptors" if read_about(self.folder)["sets"] else "vectors"

    def fit(self, X: Sequence[StoredImage], y: Any = None) -> "StoredFeatures":
        """Do nothing."""
        return self

    def transform(self, X: Sequence[StoredImage]) -> Any:
        """Read the features of these images."""
        pieces = []
        for part, images in groupby(X, lambda image: image.part):
            vectors = _read(part).vectors
            places = [image.place for image in images]
            one = isinstance(vectors, np.ndarray)
            pieces.append(vectors[places] if one else [vectors[place] for place in places])
        return join(pieces)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name them, as they were named when they were computed."""
        return np.asarray(read_about(self.folder)["names"], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags


def begin_with_store(stream: Stream, images: Sequence[Any]) -> Stream:
    """Let a stream of stages begin with what a store has, if that is what it is given.

    Raises
    ------
    StoreError
        If its first stages are not those that the store was made with.
    """
    if not any(isinstance(image, StoredImage) for image in images):
        return stream
    if not all(isinstance(image, StoredImage) for image in images):
        raise StoreError("Some of the images are of a store, and some are not. Give one kind.")
    folders = sorted({image.store for image in images})
    counts = {_count_held(stream, folder) for folder in folders}
    first = StoredFeatures(folders[0])
    return Stream([first, *stream.stages[counts.pop() :]], stream.chunk_size, stream.n_jobs)


def put_back(fitted: Stream, stream: Stream) -> Stream:
    """Let a stream that was fitted on a store begin with its own stages again."""
    if not isinstance(fitted.stages[0], StoredFeatures):
        return fitted
    count = len(stream.stages) - len(fitted.stages) + 1
    whole = Stream([*stream.stages[:count], *fitted.stages[1:]], stream.chunk_size, stream.n_jobs)
    whole.feature_names_out_ = fitted.feature_names_out_
    return whole


def _count_held(stream: Stream, folder: str) -> int:
    """Count the first stages of a stream whose features a store has."""
    about = read_about(folder)
    steps = as_steps(stream.stages)
    count = len(about["steps"])
    other, again = "Extract those of this one", "Extract them again"
    check_same(folder, about, steps[:count], other, again)
    return count


def _read(part: FileState) -> Features:
    """Read a part in the state in which it was listed, and keep the last few.

    Raises
    ------
    StoreError
        If it is in another state now.
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
            f"{part.file}: it has changed since its images were listed. List them again, with "
            "load_dataset."
        )


# Keyed by the state: a file of the same name that another run wrote is another part.
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
    """Read a column of the images that are not refused."""
    table = read_table(part.file, [name, "status"])
    # It may be replaced at any time, whole: what was read is of this state if it is so afterwards.
    _check_unchanged(part)
    kept = table.filter(compute.equal(table["status"], "ok"))
    return kept[name].combine_chunks()
