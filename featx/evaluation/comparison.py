"""Comparison of recipes on the same images and the same splits."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.metrics import confusion_matrix
from sklearn.pipeline import Pipeline, clone

from featx.core.errors import ComparisonError, RefusedImage
from featx.evaluation.cache import Cache, kept, key
from featx.evaluation.cross_validation import LearningCurve, Trial, learning_curve, run_folds
from featx.evaluation.duplicates import are_pictures, find_copies, grouped
from featx.evaluation.metrics import Measure, measured
from featx.evaluation.results import BASELINE, PIXELS, Comparison, Cost, Result
from featx.evaluation.shared_features import Features, gather, is_vectors, parts
from featx.evaluation.significance import verdicts
from featx.evaluation.splits import Division, cross_validation, different, remarks
from featx.io.writing import image_name
from featx.pipeline.fitting import check_classes, in_threads, split
from featx.pipeline.recipes import read_recipe
from featx.pipeline.stream import run_together
from featx.store.stored_images import StoredImage

__all__ = ["BASELINE", "PIXELS", "Comparison", "ComparisonError", "Result", "compare"]

Labels = Sequence[str] | NDArray[Any]
Progress = Callable[[str, int], object]


def compare(
    recipes: Sequence[str | Path] | Mapping[str, Pipeline],
    X: Sequence[Any],
    y: Labels,
    test: tuple[Sequence[Any], Labels] | None = None,
    folds: int = 5,
    random_state: int = 0,
    n_jobs: int | None = 1,
    progress: Progress = lambda step, images: None,
    repeats: int = 1,
    learning_curves: bool = False,
    cache: str | Path | Cache | None = None,
) -> Comparison:
    """Compare recipes on lists of images and labels.

    `featx.compare` calls this function. See there for the parameters, result and errors that are
    not listed here.

    Parameters
    ----------
    X, y : sequences
        The images, or stored images, and their labels.
    test : (images, labels), optional
        A separate test set: recipes are fitted on all of ``X`` and tested on these images.
    progress : callable, optional
        Called with the name of each step and 0 when it begins, then with the name and the number
        of images completed since the last call.
    cache : str, Path or Cache, optional
        The folder of cached features and predictions.

    Examples
    --------
    >>> from featx import make_scenes
    >>> from featx.evaluation.comparison import compare
    >>> scenes, labels = make_scenes(n=20, random_state=0)
    >>> comparison = compare(["edges-alone", "vertical-lines"], scenes, labels, folds=2)
    >>> [result.name for result in comparison.results]
    ['larger-class', 'raw-pixels', 'edges-alone', 'vertical-lines']
    """
    titles, pipelines = _titles_and_pipelines(recipes)
    images, labels = _images_and_labels(X, y, test)
    pictures = are_pictures(images, [pipeline[0].stages[0] for pipeline in pipelines.values()])
    # Stored images are not read again to search for near-duplicates.
    look = pictures and not _any_stored(images)
    if look and PIXELS not in pipelines:
        titles, pipelines = _with_raw_pixels(titles, pipelines)
    store = Cache(cache) if isinstance(cache, str | Path) else cache
    found = gather(pipelines, images, look, n_jobs, partial(progress, "features"), store)
    if not found.kept:
        raise ComparisonError(
            f"All {len(images)} images were rejected. The first: {found.refused[0]}"
        )
    images = [images[index] for index in found.kept]
    names = [*map(image_name, images, found.kept)]
    truth = np.asarray(labels, str)[found.kept]
    copies = find_copies(images, found.hashes, found.small)
    groups = grouped(found.hashes, copies)
    left_out: list[int] = []
    if test is None:
        protocol, divisions = _divide(truth, groups, folds, repeats, random_state)
    else:
        count = int(np.searchsorted(found.kept, len(X)))
        protocol, divisions, left_out = _hold_out(truth, groups, count, found.refused)

    task = _Task(
        images, found.hashes, truth, divisions, random_state, n_jobs, store, learning_curves
    )
    results = _results(task, titles, pipelines, found.features, progress)
    tested = task.tested
    said = remarks(truth[tested], groups[tested], folds if test is None else None)
    return Comparison(
        protocol=protocol,
        classes=task.classes,
        images=[images[index] for index in tested],
        names=[names[index] for index in tested],
        labels=truth[tested],
        folds=task.folds[tested],
        results=results,
        verdicts=_verdicts(results, truth[tested], divisions),
        remarks=said + _failures(results),
        refused=found.refused,
        sources=images,
        source_names=names,
        copies=copies,
        left_out=left_out,
        pictures=pictures,
        cache=store,
    )


def _any_stored(images: list[Any]) -> bool:
    return any(isinstance(image, StoredImage) for image in images)


def _results(
    task: "_Task",
    titles: dict[str, str],
    pipelines: dict[str, Pipeline],
    features: dict[str, Features],
    progress: Progress,
) -> list[Result]:
    """Compute the result of each recipe and of the majority class."""
    none = Features(np.zeros((len(task.images), 0), np.float32))
    results = []
    for name in titles:
        progress(name, 0)
        given = features.get(name, none)
        results.append(task.result(name, titles[name], pipelines.get(name), given, progress))
    return results


def _failures(results: list[Result]) -> list[str]:
    return [f"{one.name} failed: {failure}" for one in results for failure in one.failures]


def _titles_and_pipelines(
    recipes: Sequence[str | Path] | Mapping[str, Pipeline],
) -> tuple[dict[str, str], dict[str, Pipeline]]:
    if isinstance(recipes, str | Path) or not recipes:
        raise ComparisonError(
            f"recipe={recipes!r} is not a list of recipes. Pass a list of at least one recipe."
        )
    titles, pipelines = {BASELINE: "Majority class"}, dict[str, Pipeline]()
    if isinstance(recipes, Mapping):
        titles, pipelines = titles | {name: name for name in recipes}, dict(recipes)
    else:
        for recipe in map(read_recipe, recipes):
            if recipe.name in titles:
                raise ComparisonError(
                    f"{recipe.name}: two recipes have this name. Rename one of them."
                )
            titles[recipe.name], pipelines[recipe.name] = recipe.title, recipe.pipeline
    for name, pipeline in pipelines.items():
        split(pipeline)  # raises if the pipeline does not begin with a Stream
        if len(pipeline) == 1 or not hasattr(pipeline[-1], "predict"):
            raise ComparisonError(
                f"{name}: the recipe has no classifier. Add one as its last step, such as "
                "LinearSVC."
            )
    return titles, pipelines


def _with_raw_pixels(
    titles: dict[str, str], pipelines: dict[str, Pipeline]
) -> tuple[dict[str, str], dict[str, Pipeline]]:
    recipe, (baseline, *others) = read_recipe(PIXELS), titles
    in_order = [baseline, PIXELS, *others]
    titles = titles | {PIXELS: recipe.title}
    return {name: titles[name] for name in in_order}, pipelines | {PIXELS: recipe.pipeline}


def _images_and_labels(
    X: Sequence[Any], y: Labels, test: tuple[Sequence[Any], Labels] | None
) -> tuple[list[Any], list[Any]]:
    """Concatenate the training and the test images, and their labels."""
    check_classes(y)
    _check_lengths(X, y)
    if test is None:
        return [*X], [*y]
    _check_lengths(*test)
    _check_known(y, test[1])
    return [*X, *test[0]], [*y, *test[1]]


def _check_lengths(images: Sequence[Any], classes: Labels) -> None:
    if len(images) != len(classes):
        raise ComparisonError(
            f"labels: got {len(classes)} for {len(images)} images. Pass one label per image."
        )


def _check_known(trained: Labels, tested: Labels) -> None:
    known = sorted(set(map(str, trained)))
    if strange := sorted(set(map(str, tested)) - set(known)):
        raise ComparisonError(
            f"test: class {strange[0]!r} has no training images. The training classes are "
            f"{', '.join(known)}."
        )


def _divide(
    labels: NDArray[Any], groups: NDArray[np.int64], folds: int, repeats: int, random_state: int
) -> tuple[str, list[Division]]:
    """Return a description of the protocol, and the splits into folds."""
    check_classes(labels)
    name, count = max(different(labels, groups).items(), key=lambda item: (item[1], item[0]))
    if count < folds:
        raise ComparisonError(
            f"folds={folds} needs a class of at least {folds} distinct images, but the largest, "
            f"{name!r}, has {count}. Use fewer folds or more images."
        )
    times = f", {repeats} repetitions" if repeats > 1 else ""
    protocol = f"{folds}-fold stratified cross-validation{times}, seed {random_state}"
    return protocol, cross_validation(labels, groups, folds, repeats, random_state)


def _hold_out(
    labels: NDArray[Any], groups: NDArray[np.int64], count: int, refused: list[RefusedImage]
) -> tuple[str, list[Division], list[int]]:
    """Train on the first `count` images and test on the others, without duplicates of the former.

    Returns a description of the protocol, the split, and the indices of the left-out duplicates.
    """
    check_classes(labels[:count])
    known = np.isin(groups[count:], groups[:count])
    test, left_out = count + np.flatnonzero(~known), (count + np.flatnonzero(known)).tolist()
    if len(test) == 0:
        why = f" The first rejected image: {refused[0]}" if refused else ""
        if left_out:
            why = f" Left out as duplicates of training images: {len(left_out)}."
        raise ComparisonError(f"test: no test image is left.{why}")
    protocol = f"{count} training images, {len(test)} test images"
    return protocol, [Division(0, np.arange(count), test)], left_out


def _verdicts(
    results: list[Result], truth: NDArray[Any], divisions: list[Division]
) -> dict[tuple[str, str], tuple[str, dict[str, float]]]:
    """Test all pairs of recipes without failures for significant differences."""
    whole = [result for result in results if not result.failures]
    return verdicts(
        [result.name for result in whole],
        [result.predictions == truth for result in whole],
        [result.folds for result in whole],
        float(np.mean([len(division.test) for division in divisions])),
        float(np.mean([len(division.train) for division in divisions])),
    )


@dataclass
class _Task:
    """The images, labels and splits that all recipes share."""

    images: list[Any]
    hashes: list[str]
    truth: NDArray[Any]
    divisions: list[Division]
    random_state: int
    n_jobs: int | None
    cache: Cache | None
    learning_curves: bool

    def __post_init__(self) -> None:
        self.classes = sorted(set(self.truth.tolist()))
        self.first = [one for one in self.divisions if one.repetition == 0]
        #: Indices of the test images, and the fold of each image.
        self.tested = np.sort(np.concatenate([division.test for division in self.first]))
        self.folds = np.zeros(len(self.images), np.int64)
        for fold, division in enumerate(self.first):
            self.folds[division.test] = fold

    def result(
        self,
        name: str,
        title: str,
        pipeline: Pipeline | None,
        features: Features,
        progress: Progress,
    ) -> Result:
        """Compute the result of a recipe; without a pipeline, that of the majority class."""
        recipe = None if pipeline is None else clone(pipeline)
        where = key(recipe, self.hashes, self.truth, self.divisions)

        def steps_and_vectors() -> tuple[list[Any], Any]:
            if pipeline is None:
                return [DummyClassifier(strategy="prior")], features.values
            fixed, steps = parts(pipeline, self.images)
            if features.values is None:
                features.values = run_together([fixed], self.images, self.n_jobs).outputs[0]
            return in_threads(steps, self.n_jobs), features.values

        def begin(fold: int) -> None:
            count = len(self.divisions)
            progress(f"{name}, fold {fold} of {count}" if count > 1 else name, 0)

        def run() -> Trial:
            steps, vectors = steps_and_vectors()
            return run_folds(
                steps, vectors, self.truth, self.classes, self.divisions, self.n_jobs, begin
            )

        def learn() -> LearningCurve:
            progress(f"{name}, learning curve", 0)
            return learning_curve(*steps_and_vectors(), self.truth, self.first, self.random_state)

        trial = kept(self.cache, f"trial-{where}", Trial, run)
        curve = None
        if self.learning_curves:
            curve = kept(self.cache, f"curve-{key(where, self.random_state)}", LearningCurve, learn)
        measures, confusion = self._measured(trial)
        vectors = features.values if pipeline is not None and is_vectors(features.values) else None
        return Result(
            name=name,
            title=title,
            predictions=np.array([*self.classes, ""])[trial.answers[0, self.tested]],
            scores=trial.scores[0, self.tested],
            kind=trial.kind,
            measures=measures,
            folds=trial.accuracies if len(self.divisions) > 1 else [],
            failures=trial.failures,
            cost=Cost(
                reading_milliseconds=1000 * features.reading,
                features_milliseconds=1000 * (features.computing + trial.features),
                classifier_milliseconds=1000 * trial.classifying,
                training_seconds=trial.fitting,
                model_bytes=trial.model_bytes or None,
                peak_bytes=trial.peak_bytes or None,
            ),
            dimensions=trial.dimensions,
            confusion=confusion,
            features=None if vectors is None else vectors[self.tested],
            feature_names=[] if vectors is None else _feature_names(pipeline, self.images),
            weights=trial.weights,
            offsets=trial.offsets,
            learning_curve=curve,
            attributed=np.searchsorted(self.tested, trial.attributed),
            attributions=trial.attributions,
            unattributed=trial.unattributed,
            mapped=np.searchsorted(self.tested, trial.mapped),
            components=trial.components,
            pipeline=pipeline,
            key=where,
        )

    def _measured(self, trial: Trial) -> tuple[dict[str, Measure], NDArray[np.int64]]:
        """Compute metrics and the confusion matrix on the images of folds that did not fail."""
        count = len(self.classes)
        answered = self.tested[(trial.answers[:, self.tested] >= 0).all(axis=0)]
        if len(answered) == 0:
            return {}, np.zeros((count, count), np.int64)
        truth = np.searchsorted(self.classes, self.truth[answered])
        answers, scores = trial.answers[:, answered], trial.scores[:, answered]
        known = None if np.isnan(scores).any() else scores
        confusion = confusion_matrix(truth, answers[0], labels=np.arange(count))
        return measured(truth, answers, known, trial.kind, self.random_state), confusion


def _feature_names(pipeline: Pipeline, images: list[Any]) -> list[str]:
    fixed, _ = parts(clone(pipeline), images)
    return [str(name) for name in fixed.fit(images[:1]).get_feature_names_out()]
