"""Images and their classes, and the cards of known data sets."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from warnings import warn

import numpy as np
import yaml
from numpy.typing import NDArray

from featx.core.errors import DatasetError
from featx.core.suggestions import nearest
from featx.datasets.listing import iterate_images
from featx.io import bundled

#: Where data sets with a card are looked for.
ROOT_VARIABLE = "FEATX_DATA"
#: Which classes make up each new one, for example ``{"city": ["street", "tallbuilding"]}``.
Target = Mapping[str, Sequence[str]]


class Dataset(NamedTuple):
    """Images and their classes; unpacks as ``paths, labels``."""

    #: The files, in the order of their names or of the manifest's rows; or a store's images.
    paths: list[Any]
    #: The class of each, an array of str.
    labels: NDArray[Any]


class Listing(NamedTuple):
    """Files, or images in a store, as they are found: some may have no label."""

    paths: list[Any]
    labels: list[str | None]


@dataclass(frozen=True)
class Card:
    """What is known of a data set."""

    name: str
    title: str
    citation: str
    terms: str
    #: Where the archive is, and its SHA-256; None where the data set is generated.
    archive: Mapping[str, str] | None
    #: Its folder of class sub-folders, from the root of all data sets.
    folder: str
    targets: Mapping[str, Target]
    known_faults: Sequence[str]


def load_dataset(
    source: str | Path, target: str | Target | None = None, root: str | Path | None = None
) -> Dataset:
    """List the images of a data set, and their classes.

    Parameters
    ----------
    source : str or Path
        A folder, whose sub-folders are the classes; a glob, such as ``"photos/*/*.jpg"``, the
        folder of each file being its class; a CSV or Parquet manifest with the columns ``path``
        and ``label``; a folder that ``featx extract`` wrote, whose features then stand for the
        images; or the name of a data set with a card.
    target : str or dict, optional
        Which classes are merged to what, ``{"city": ["street", "tallbuilding"], ...}``; others
        are left out. For a data set with a card also the name of one of its targets.
    root : str or Path, optional
        Where data sets with a card are; by default what the environment variable ``FEATX_DATA``
        says.

    Returns
    -------
    Dataset
        ``paths``, a list of str (or of `featx.store.stored_images.StoredImage`), and
        ``labels``, an array of str.

    Raises
    ------
    DatasetError
        If there is no such data set or class, or no image has a class.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from featx import load_dataset
    >>> with TemporaryDirectory() as photos:
    ...     for name in ["sea/1.jpg", "street/2.jpg", "tower/3.jpg"]:
    ...         (Path(photos) / name).parent.mkdir()
    ...         _ = (Path(photos) / name).write_bytes(b"...")
    ...     paths, labels = load_dataset(photos, target={"city": ["street", "tower"]})
    >>> labels.tolist()
    ['city', 'city']
    """
    name = str(source)
    if name in bundled.names("datasets") and not os.path.exists(name):
        card = read_card(name)
        source = _folder_of(card, root)
        if isinstance(target, str):
            target = _named_target(card, target)
    elif isinstance(target, str):
        raise DatasetError(
            f"target {target!r}: only data sets with a card have named targets. For {name}, give "
            "{'new class': ['old class', ...]}."
        )
    return labelled(merge_labels(list_images(source), target), name)


def list_images(source: str | Path) -> Listing:
    """List the files at a place, whether or not they are images; see `iterate_images`.

    Of what ``featx extract`` wrote, the images that were not refused are listed.
    """
    if os.path.isdir(source) and any(name.startswith("part-") for name in os.listdir(source)):
        # pyarrow takes long to load, and folders of images do not need it.
        from featx.store.store import is_store
        from featx.store.stored_images import stored_images

        if is_store(source):
            return Listing(*stored_images(source))
    return Listing(*_columns(iterate_images(source)))


def merge_labels(listing: Listing, target: Target | None) -> Listing:
    """Keep the images of the classes in ``target``, under their new names."""
    if target is None:
        return listing
    found = sorted({label for label in listing.labels if label is not None})
    new_names: dict[str, str] = {}
    for new, olds in target.items():
        if isinstance(olds, str):
            raise DatasetError(f"target: {new!r} must be a list of classes, not {olds!r} alone.")
        for old in olds:
            if old not in found:
                raise DatasetError(f"There is no class {old!r}. {nearest(old, found)}")
            if new_names.setdefault(old, new) != new:
                raise DatasetError(
                    f"Class {old!r} goes to {new_names[old]!r} and to {new!r}. Choose one."
                )
    kept = [
        (path, new_names[label]) for path, label in zip(*listing, strict=True) if label in new_names
    ]
    return Listing(*_columns(kept))


def labelled(listing: Listing, source: str | Path) -> Dataset:
    """Give paths and labels; images without a class are left out with a warning.

    Raises
    ------
    DatasetError
        If no image has a class.
    """
    kept = [(path, label) for path, label in zip(*listing, strict=True) if label is not None]
    missing = [path for path, label in zip(*listing, strict=True) if label is None]
    if not kept:
        raise DatasetError(
            f"{source}: none of the {len(missing)} images has a class. Put the images of each "
            "class into a sub-folder of its own."
        )
    if missing:
        warn(
            f"{source}: {len(missing)} of {len(listing.paths)} files are in no class folder and "
            f"are left out, for example {missing[0]}.",
            stacklevel=3,
        )
    paths, labels = _columns(kept)
    return Dataset(paths, np.asarray(labels, dtype=str))


def parse_target(options: Sequence[str]) -> Target | None:
    """Read options such as ``city=street,tallbuilding``; None where there are none."""
    target: dict[str, list[str]] = {}
    for option in options:
        new, equals, olds = option.partition("=")
        names = [name.strip() for name in olds.split(",")]
        if not (new.strip() and equals and all(names)):
            raise DatasetError(f"labels {option!r}: wanted is NEW=old,old, as city=street,tower.")
        target.setdefault(new.strip(), []).extend(names)
    return target or None


def class_counts(labels: Iterable[Any]) -> str:
    """Say how many images each class has, in one line."""
    counts = sorted(Counter(map(str, labels)).items())
    return ", ".join(f"{label} {count}" for label, count in counts)


def read_card(name: str) -> Card:
    """Read the card of a data set."""
    return Card(name=name, **yaml.safe_load(card_file(name).read_text(encoding="utf-8")))


def card_file(name: str) -> Path:
    """Find the card of a data set."""
    path = bundled.find("datasets", name)
    if path is None:
        hint = nearest(name, bundled.names("datasets"))
        raise DatasetError(f"{name}: no data set of this name has a card. {hint}")
    return path


def _folder_of(card: Card, root: str | Path | None) -> Path:
    root = root or os.environ.get(ROOT_VARIABLE)
    if root is None:
        raise DatasetError(
            f"{card.name}: it is not known where the data are. Set {ROOT_VARIABLE} to the folder "
            f"that holds {card.folder}, or give root=."
        )
    folder = Path(root) / card.folder
    if not folder.is_dir():
        how = card.archive["url"] if card.archive else f"featx datasets make --out {folder}"
        raise DatasetError(f"{card.name}: there is no folder {folder}. To get the data: {how}")
    return folder


def _named_target(card: Card, name: str) -> Target:
    if name not in card.targets:
        hint = nearest(name, list(card.targets))
        raise DatasetError(f"{card.name} has no target {name!r}. {hint}")
    return card.targets[name]


def _columns(rows: Any) -> tuple[list[Any], list[Any]]:
    rows = list(rows)
    return [path for path, _ in rows], [label for _, label in rows]
