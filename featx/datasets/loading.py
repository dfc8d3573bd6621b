"""Loading of labeled images, and cards of known data sets."""

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

#: Environment variable with the root folder of data sets that have a card.
ROOT_VARIABLE = "FEATX_DATA"
#: The merged classes of each new class, for example ``{"city": ["street", "tallbuilding"]}``.
Target = Mapping[str, Sequence[str]]


class Dataset(NamedTuple):
    """Images and their class labels; unpacks as ``paths, labels``."""

    #: The files, sorted by name or in the order of the manifest; or the images of a store.
    paths: list[Any]
    #: The class label of each image, an array of str.
    labels: NDArray[Any]


class Listing(NamedTuple):
    """Files, or images of a store, as found; labels may be None."""

    paths: list[Any]
    labels: list[str | None]


@dataclass(frozen=True)
class Card:
    """Metadata of a data set."""

    name: str
    title: str
    citation: str
    terms: str
    #: URL and SHA-256 of the archive; None if the data set is generated.
    archive: Mapping[str, str] | None
    #: Folder with one subfolder per class, relative to the root of all data sets.
    folder: str
    targets: Mapping[str, Target]
    known_faults: Sequence[str]


def load_dataset(
    source: str | Path, target: str | Target | None = None, root: str | Path | None = None
) -> Dataset:
    """List the images of a data set and their class labels.

    Parameters
    ----------
    source : str or Path
        One of:

        - a folder with one subfolder per class,
        - a glob, such as ``"photos/*/*.jpg"``: the folder of each file is its class,
        - a CSV or Parquet manifest with the columns ``path`` and ``label``,
        - a folder written by ``featx extract``: its features are used instead of images,
        - the name of a data set with a card.
    target : str or dict, optional
        Mapping of new classes to lists of the classes merged into them, such as
        ``{"city": ["street", "tallbuilding"], ...}``. Images of other classes are excluded. For
        a data set with a card also the name of one of its targets.
    root : str or Path, optional
        Root folder of data sets with a card. Defaults to the environment variable ``FEATX_DATA``.

    Returns
    -------
    Dataset
        ``paths``, a list of str (or of `featx.store.stored_images.StoredImage`), and ``labels``,
        an array of str.

    Raises
    ------
    DatasetError
        If the data set or a class does not exist, or no image has a label.

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
            f"target={target!r}: only data sets with a card have named targets. For {name}, pass "
            "{'new class': ['old class', ...]}."
        )
    return labeled(merge_labels(list_images(source), target), name)


def list_images(source: str | Path) -> Listing:
    """List all files of a source, whether or not they are images; see `iterate_images`.

    For a folder written by ``featx extract``, list the images that were not rejected.
    """
    if os.path.isdir(source) and any(name.startswith("part-") for name in os.listdir(source)):
        # Imported here: pyarrow loads slowly, and folders of images do not need it.
        from featx.store.store import is_store
        from featx.store.stored_images import stored_images

        if is_store(source):
            return Listing(*stored_images(source))
    return Listing(*_columns(iterate_images(source)))


def merge_labels(listing: Listing, target: Target | None) -> Listing:
    """Select the images of the classes in ``target``, and rename their classes."""
    if target is None:
        return listing
    found = sorted({label for label in listing.labels if label is not None})
    new_names: dict[str, str] = {}
    for new, olds in target.items():
        if isinstance(olds, str):
            raise DatasetError(f"target: {new!r} must map to a list of classes, got {olds!r}.")
        for old in olds:
            if old not in found:
                raise DatasetError(f"target: unknown class {old!r}. {nearest(old, found)}")
            if new_names.setdefault(old, new) != new:
                raise DatasetError(
                    f"target: class {old!r} is mapped to both {new_names[old]!r} and {new!r}. "
                    "Choose one."
                )
    kept = [
        (path, new_names[label]) for path, label in zip(*listing, strict=True) if label in new_names
    ]
    return Listing(*_columns(kept))


def labeled(listing: Listing, source: str | Path) -> Dataset:
    """Return the labeled images; warn if images without a label are skipped.

    Raises
    ------
    DatasetError
        If no image has a label.
    """
    kept = [(path, label) for path, label in zip(*listing, strict=True) if label is not None]
    missing = [path for path, label in zip(*listing, strict=True) if label is None]
    if not kept:
        raise DatasetError(
            f"{source}: none of the {len(missing)} images has a label. Put the images of each "
            "class into its own subfolder."
        )
    if missing:
        warn(
            f"{source}: {len(missing)} of {len(listing.paths)} files have no label and are "
            f"skipped, for example {missing[0]}.",
            stacklevel=3,
        )
    paths, labels = _columns(kept)
    return Dataset(paths, np.asarray(labels, dtype=str))


def parse_target(options: Sequence[str]) -> Target | None:
    """Parse options such as ``city=street,tallbuilding``; return None without options."""
    target: dict[str, list[str]] = {}
    for option in options:
        new, equals, olds = option.partition("=")
        names = [name.strip() for name in olds.split(",")]
        if not (new.strip() and equals and all(names)):
            raise DatasetError(
                f"labels: invalid value {option!r}. Use NEW=OLD,OLD, such as city=street,tower."
            )
        target.setdefault(new.strip(), []).extend(names)
    return target or None


def class_counts(labels: Iterable[Any]) -> str:
    """Format the number of images of each class in one line."""
    counts = sorted(Counter(map(str, labels)).items())
    return ", ".join(f"{label} {count}" for label, count in counts)


def read_card(name: str) -> Card:
    """Read the card of a data set."""
    return Card(name=name, **yaml.safe_load(card_file(name).read_text(encoding="utf-8")))


def card_file(name: str) -> Path:
    """Return the file of a data set's card."""
    path = bundled.find("datasets", name)
    if path is None:
        hint = nearest(name, bundled.names("datasets"))
        raise DatasetError(f"{name}: unknown data set. {hint}")
    return path


def _folder_of(card: Card, root: str | Path | None) -> Path:
    root = root or os.environ.get(ROOT_VARIABLE)
    if root is None:
        raise DatasetError(
            f"{card.name}: the location of the data is unknown. Set {ROOT_VARIABLE} to the folder "
            f"that contains {card.folder}, or pass root."
        )
    folder = Path(root) / card.folder
    if not folder.is_dir():
        how = card.archive["url"] if card.archive else f"featx datasets make --out {folder}"
        raise DatasetError(f"{card.name}: folder {folder} not found. To get the data: {how}")
    return folder


def _named_target(card: Card, name: str) -> Target:
    if name not in card.targets:
        hint = nearest(name, list(card.targets))
        raise DatasetError(f"{card.name}: unknown target {name!r}. {hint}")
    return card.targets[name]


def _columns(rows: Any) -> tuple[list[Any], list[Any]]:
    rows = list(rows)
    return [path for path, _ in rows], [label for _, label in rows]
