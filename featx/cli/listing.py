"""Images of a command, listed and checked before anything heavy is imported."""

from collections import Counter
from typing import TYPE_CHECKING, Any

from featx.cli.checks import known_classes
from featx.cli.errors import ArgumentError

if TYPE_CHECKING:
    from featx.datasets.loading import Dataset


def source_of(places: list[str], labels: list[str]) -> Any:
    """Return one place as it is; list the images of several, or of one with rules for labels."""
    if "-" in places and len(places) > 1:
        raise ArgumentError("-: cannot be combined with other IMAGES. Put all paths in the list.")
    if len(places) == 1 and not labels:
        return places[0]
    from featx.jobs.inputs import list_places

    found = list_places(places)
    known_classes(labels, found.labels)
    return found


def labelled_images(places: list[str], labels: list[str]) -> "Dataset":
    """List the images that have a class."""
    from featx.jobs.inputs import labelled_inputs

    return labelled_inputs(source_of(places, labels), labels=labels)


def check_test(place: str, test: "Dataset", images: "Dataset") -> None:
    """Check that test images have classes of the images to fit on."""
    known = sorted(set(map(str, images.labels)))
    if strange := sorted(set(map(str, test.labels)) - set(known)):
        raise ArgumentError(
            f"--test {place}: has images of class {strange[0]!r}, but IMAGES has only "
            f"{', '.join(map(repr, known))}. Merge or select classes with --labels."
        )


def check_classes(places: list[str], images: "Dataset", folds: int = 1) -> None:
    """Check that images to fit on have two classes or more, one with an image for each fold."""
    counts = Counter(map(str, images.labels))
    where = ", ".join(places[:3]) + (", ..." if len(places) > 3 else "")
    if len(counts) < 2:
        (name,) = counts
        raise ArgumentError(
            f"{where}: all {counts.total()} images are of one class, {name!r}. Put the images of "
            "each class into a subfolder of its own."
        )
    ((name, most),) = counts.most_common(1)
    if most < folds:
        raise ArgumentError(
            f"--folds {folds}: no class has this many images. The largest, {name!r}, has {most}: "
            f"choose at most {most}."
        )
