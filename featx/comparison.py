"""Recipes side by side: the same images, the same folds, one table."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, clone, make_pipeline

from featx.duplicates import are_pictures, content_hashes, find_copies, grouped, thumbnails
from featx.files import RefusedImage
from featx.models import balanced_accuracy, check_classes, in_threads, split
from featx.recipes import read_recipe
from featx.stream import Stream, gives, run_together
from featx.writing import as_text

BASELINE = "larger-class"
Labels = Sequence[str] | NDArray[Any]


class ComparisonError(ValueError):
    """Recipes that cannot be compared on these images: says why, and what would be right."""


@dataclass
class Result:
    """How one recipe did."""

    name: str
    title: str
    #: The predicted class of every image of the comparison.
    predictions: NDArray[Any]
    accuracy: float
    #: The 95 % interval of the accuracy, by Wilson's score method.
    accuracy_low: float
    accuracy_high: float
    balanced_accuracy: float
    #: The accuracy in each fold; none where there was a test set.
    folds: list[float]
    #: Processor time to read and to classify an image.
    milliseconds_per_image: float
    #: The length of the vector that the classifier takes.
    dimensions: int
    #: Rows are the true classes, columns the predictions.
    confusion: NDArray[np.int64]


@dataclass
class Comparison:
    """Recipes compared on the same images; prints as a table."""

    #: How the images were divided, in words.
    protocol: str
    classes: list[str]
    #: The images that were classified, their true classes and the folds that they were in.
    images: list[Any]
    labels: NDArray[Any]
    folds: NDArray[np.int64]
    #: The baseline, which always says the larger class, and then one a recipe, in their order.
    results: list[Result]
    refused: list[RefusedImage]
    #: Images of one picture, group by group; those of a group were never divided by folds.
    duplicates: list[list[str]]
    #: The pairs that led to the groups, and "same bytes", "same picture" or "mirrored picture".
    copies: list[tuple[str, str, str]]
    #: Images that were not tested on, since they, or copies of them, were fitted on.
    left_out: list[str]

    def __str__(self) -> str:
        width = max(len(result.name) for result in self.results)
        rows = [f"{'recipe':{width}}  accuracy  95 % interval  ms/image  dimensions"]
        rows += [
            f"{result.name:{width}}  {result.accuracy:7.1%}   "
            f"{result.accuracy_low:6.1%}-{result.accuracy_high:6.1%}  "
            f"{result.milliseconds_per_image:8.2f}  {result.dimensions:10d}"
            for result in self.results
        ]
        return "\n".join(rows)


class _Division(NamedTuple):
    """The positions of the images on which to fit, and on which to test."""

    train: NDArray[np.int64]
    test: NDArray[np.int64]


def compare(
    recipes: Sequence[str | Path] | Mapping[str, Pipeline],
    X: Sequence[Any],
    y: Labels,
    test: tuple[Sequence[Any], Labels] | None = None,
    folds: int = 5,
    seed: int = 0,
    n_jobs: int | None = 1,
    progress: Callable[[str, int], object] = lambda step, images: None,
) -> Comparison:
    """Compare recipes on the same images, by cross-validation or on a test set.

    What does not learn is computed once, for all recipes and folds; what learns is fitted inside
    each fold. Folds are stratified. Copies of a picture, be they the same file or re-encoded,
    resized or mirrored, are kept in one fold, or left out of the test set.

    Parameters
    ----------
    recipes : list of str or Path, or dict of str to Pipeline
        Names or files of recipes; or pipelines under names of your own, each a `Stream` of
        stages and then scikit-learn estimators.
    X : list of paths or batch of images
        The images. Those that cannot be read are left out, and are listed in the result.
    y : array-like of str of shape (n,)
        Their classes.
    test : (images, classes), optional
        Other images: recipes are fitted on all of ``X`` and tested on these.
    folds : int, default=5
        The number of folds, where there is no test set.
    seed : int, default=0
        What the folds are drawn from.
    n_jobs : int, default=1
        How many threads compute features; -1 for one a processor.
    progress : callable, optional
        Is told what is done now, and how many more images have gone through it.

    Returns
    -------
    Comparison
        One result a recipe, after that of always saying the larger class.

    Raises
    ------
    ComparisonError
        If no recipe is given, one has no classifier, a class is smaller than ``folds``, there are
        no images to fit on of a class to test on, or none to test on but copies of those.

    Examples
    --------
    >>> from featx import compare, make_scenes
    >>> scenes, labels = make_scenes(n=20, seed=0)
    >>> comparison = compare(["edges-alone", "vertical-lines"], scenes, labels, folds=2)
    >>> [result.name for result in comparison.results]
    ['larger-class', 'edges-alone', 'vertical-lines']
    """
    titles, pipelines = _titles_and_pipelines(recipes)
    parts = {name: _parts(pipeline, n_jobs) for name, pipeline in pipelines.items()}
    for name, (_, steps) in parts.items():
        if not steps or not hasattr(steps[-1], "predict"):
            raise ComparisonError(f"{name}: has no classifier. End it with one, such as LinearSVC.")
    check_classes(y)
    _check_lengths(X, y)
    images, labels = [*X], [*y]
    if test is not None:
        _check_lengths(*test)
        images, labels = [*X, *test[0]], [*y, *test[1]]
        _check_known(y, test[1])
    streams = [fixed for fixed, _ in parts.values()]
    look = are_pictures(images, [pipeline[0].stages[0] for pipeline in pipelines.values()])
    computed = run_together(
        [*streams, Stream([thumbnails()])] if look else streams,
        images,
        n_jobs,
        lambda count: progress("features", count),
        tried=[pipeline[0].stages for pipeline in pipelines.values()],
    )
    if not computed.kept:
        raise ComparisonError(
            f"All {len(images)} images are refused. The first: {computed.refused[0]}"
        )
    images = [images[index] for index in computed.kept]
    truth = np.asarray(labels, str)[computed.kept]
    small = computed.outputs.pop() if look else None
    hashes = content_hashes(images)
    copies = find_copies(images, hashes, small)
    groups = grouped(hashes, copies)
    names = [_name(image, index) for image, index in zip(images, computed.kept, strict=True)]
    left_out: list[str] = []
    if test is None:
        divisions = _fold_divisions(truth, groups, folds, seed)
        protocol = f"{folds} stratified folds, seed {seed}"
    else:
        count = int(np.searchsorted(computed.kept, len(X)))
        check_classes(truth[:count])
        known = np.isin(groups[count:], groups[:count])
        left_out = [names[count + index] for index in np.flatnonzero(known)]
        divisions = [_Division(np.arange(count), count + np.flatnonzero(~known))]
        protocol = f"fitted on {count} images, tested on {len(divisions[0].test)} others"
    tested = np.sort(np.concatenate([division.test for division in divisions]))
    if len(tested) == 0:
        why = f" The first refused: {computed.refused[0]}" if computed.refused else ""
        if left_out:
            why = f" {len(left_out)} are left out, since they are copies of images to fit on."
        raise ComparisonError(f"No image is left to test on.{why}")
    no_features = np.zeros((len(images), 0), np.float32)
    runs = [(BASELINE, [DummyClassifier(strategy="prior")], no_features, 0.0)]
    for (name, (_, steps)), features, seconds in zip(
        parts.items(), computed.outputs, computed.seconds[: len(parts)], strict=True
    ):
        runs.append((name, steps, features, seconds))
    results = []
    for name, steps, features, seconds in runs:
        progress(name, 0)
        results.append(_result(name, titles[name], steps, features, truth, divisions, seconds))
    fold_of = np.zeros(len(images), np.int64)
    for fold, division in enumerate(divisions):
        fold_of[division.test] = fold
    return Comparison(
        protocol=protocol,
        classes=sorted(set(truth.tolist())),
        images=[images[index] for index in tested],
        labels=truth[tested],
        folds=fold_of[tested],
        results=results,
        refused=computed.refused,
        duplicates=_duplicates(names, groups),
        copies=[(names[copy.first], names[copy.second], copy.kind) for copy in copies],
        left_out=left_out,
    )


def _parts(pipeline: Pipeline, n_jobs: int | None) -> tuple[Stream, list[Any]]:
    """Part a pipeline into what is computed once, and is kept, and what each fold does."""
    fixed, steps = split(pipeline)
    stages = list(pipeline[0].stages)
    count = len(fixed.stages)
    if count == len(stages) or (count and gives(stages[count - 1]) == "vectors"):
        return fixed, in_threads(steps, n_jobs)
    # Pixels are kept in place of maps and descriptor sets, which need many times their memory.
    count = 1 if getattr(stages[0], "takes", None) == "paths" else 0
    fold = Stream(stages[count:], fixed.chunk_size)
    steps = [fold, *(step for _, step in pipeline.steps[1:])]
    return Stream(stages[:count]), in_threads(steps, n_jobs)


def _titles_and_pipelines(
    recipes: Sequence[str | Path] | Mapping[str, Pipeline],
) -> tuple[dict[str, str], dict[str, Pipeline]]:
    if isinstance(recipes, str | Path) or not recipes:
        raise ComparisonError("Give a list of one recipe or more.")
    titles, pipelines = {BASELINE: "Always the larger class"}, dict[str, Pipeline]()
    if isinstance(recipes, Mapping):
        return titles | {name: name for name in recipes}, dict(recipes)
    for recipe in map(read_recipe, recipes):
        if recipe.name in titles:
            raise ComparisonError(f"{recipe.name}: there are two recipes of this name. Rename one.")
        titles[recipe.name], pipelines[recipe.name] = recipe.title, recipe.pipeline
    return titles, pipelines


def _check_lengths(images: Sequence[Any], classes: Labels) -> None:
    if len(images) != len(classes):
        raise ComparisonError(f"There are {len(images)} images, but {len(classes)} classes.")


def _check_known(trained: Labels, tested: Labels) -> None:
    known = sorted(set(map(str, trained)))
    if strange := sorted(set(map(str, tested)) - set(known)):
        raise ComparisonError(
            f"There are images of class {strange[0]!r} to test on, but none to fit on; the classes "
            f"to fit on are {', '.join(known)}."
        )


def _fold_divisions(
    labels: NDArray[Any], groups: NDArray[np.int64], folds: int, seed: int
) -> list[_Division]:
    check_classes(labels)
    # Copies go into one fold, so that they count as one.
    different = Counter(
        label for label, _ in set(zip(labels.tolist(), groups.tolist(), strict=True))
    )
    smallest, count = min(different.items(), key=lambda item: (item[1], item[0]))
    if count < folds:
        raise ComparisonError(
            f"Class {smallest!r} has {count} different images, fewer than the {folds} folds. Use "
            "fewer folds, or more images."
        )
    divider = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    return [_Division(*parts) for parts in divider.split(labels, labels, groups)]


def _result(
    name: str,
    title: str,
    steps: list[Any],
    features: Any,
    labels: NDArray[Any],
    divisions: list[_Division],
    seconds: float,
) -> Result:
    """Fit and test the steps that learn, on features that are there already."""
    predictions = np.full(len(labels), "", dtype=object)
    accuracies, classifying, dimensions = [], 0.0, 0
    for train, test in divisions:
        classifier = make_pipeline(*(clone(step) for step in steps))
        classifier.fit(_take(features, train), labels[train])
        started = time.process_time()
        predictions[test] = classifier.predict(_take(features, test))
        classifying += time.process_time() - started
        accuracies.append(float(np.mean(predictions[test] == labels[test])))
        dimensions = int(classifier[-1].n_features_in_) if name != BASELINE else 0
    tested = np.sort(np.concatenate([division.test for division in divisions]))
    truth, predicted = labels[tested], predictions[tested].astype(str)
    right = int(np.sum(truth == predicted))
    confusion = confusion_matrix(truth, predicted, labels=sorted(set(labels.tolist())))
    interval = binomtest(right, len(tested)).proportion_ci(0.95, method="wilson")
    return Result(
        name=name,
        title=title,
        predictions=predicted,
        accuracy=right / len(tested),
        accuracy_low=float(interval.low),
        accuracy_high=float(interval.high),
        balanced_accuracy=balanced_accuracy(confusion),
        folds=accuracies if len(divisions) > 1 else [],
        milliseconds_per_image=1000 * (seconds + classifying / len(tested)),
        dimensions=dimensions,
        confusion=confusion,
    )


def _name(image: Any, index: int) -> str:
    return f"image {index}" if isinstance(image, np.ndarray) else as_text(image)


def _take(batch: Any, index: NDArray[np.int64]) -> Any:
    return batch[index] if isinstance(batch, np.ndarray) else [batch[i] for i in index]


def _duplicates(images: list[str], groups: NDArray[np.int64]) -> list[list[str]]:
    members: defaultdict[int, list[str]] = defaultdict(list)
    for image, group in zip(images, groups, strict=True):
        members[int(group)].append(image)
    return [same for same in members.values() if len(same) > 1]
