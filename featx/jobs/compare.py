"""Comparison of recipes on the same labeled images."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

from featx.datasets.loading import Dataset
from featx.evaluation import comparison
from featx.evaluation.cache import Cache, default_folder
from featx.evaluation.results import Comparison
from featx.io.writing import new_folder
from featx.jobs.inputs import Labels, labelled_inputs
from featx.jobs.progress import Progress, report_to
from featx.report.comparison import write_comparison

Recipes = str | Path | Sequence[str | Path] | Mapping[str, Pipeline]


def compare(
    images: Any,
    *,
    y: Any = None,
    recipe: Recipes,
    out: str | Path | None = None,
    test: Any = None,
    labels: Labels = (),
    folds: int = 5,
    random_state: int = 0,
    repeats: int = 1,
    learning_curves: bool = False,
    cache: str | Path | Cache | bool | None = None,
    n_jobs: int | None = 1,
    progress: Progress = False,
) -> Comparison:
    """Compare recipes on the same images, by cross-validation or on a test set.

    Stateless features are computed once for all recipes and folds; trainable stages are fitted
    inside each fold. Folds are stratified. Duplicates and near-duplicates (re-encoded, resized or
    mirrored) share a fold, or are left out of the test set. Two baselines are added: the majority
    class and, for images, raw pixels.

    Parameters
    ----------
    images : str, Path, or sequence of paths or arrays
        A folder, whose subfolders are the classes; a glob; a CSV or Parquet manifest; an archive;
        a URL; a folder written by `extract`; or a sequence of images.
    y : array-like of shape (n,), optional
        The classes, if ``images`` is a sequence.
    recipe : list of str or Path, or dict of str to Pipeline
        Names or files of recipes; or a dict of names and pipelines, each a `Stream` of stages
        followed by scikit-learn estimators.
    out : str or Path, optional
        The folder to write: ``report.html``, ``results.json`` and ``predictions.parquet``.
    test : str, Path, or (images, classes), optional
        Test images: recipes are fitted on all of ``images`` and tested on these.
    labels : dict or list of str, default=()
        Classes to merge and select: ``{"city": ["street", "tower"]}``, or
        ``["city=street,tower"]``.
    folds : int, default=5
        Number of folds; ignored with a test set.
    random_state : int, default=0
        Random seed for the folds.
    repeats : int, default=1
        Number of times that cross-validation is repeated; accuracies are means.
    learning_curves : bool, default=False
        Whether to fit also on 10, 20, 40 and 70 % of the training images, which doubles the time.
    cache : str, Path, Cache or bool, optional
        Folder that keeps features and predictions for the next run; True for the user's cache
        folder, which is the default of the command line.
    n_jobs : int, default=1
        Number of threads; -1 for one per processor.
    progress : bool or callable, default=False
        True prints plain lines on standard error. A callable receives (done, refused): the numbers
        of finished and of rejected images since its last call.

    Returns
    -------
    Comparison
        The results of the baselines and of each recipe. A recipe that fails on a fold is scored
        on the other folds, and its failures are listed.

    Raises
    ------
    DatasetError, InputError
        If the images cannot be found, or have no classes.
    RecipeError
        If a recipe cannot be read.
    ComparisonError
        If no recipe is given, a recipe has no classifier, or every class has fewer images than
        ``folds``; or if a class of the test set has no training images, or the test set contains
        only duplicates of them.
    OutputError
        If the folder cannot be written.

    Examples
    --------
    >>> from featx import compare, make_scenes
    >>> scenes, classes = make_scenes(n=20, random_state=0)
    >>> comparison = compare(
    ...     scenes, y=classes, recipe=["edges-alone", "vertical-lines"], folds=2
    ... )
    >>> [result.name for result in comparison.results]
    ['larger-class', 'raw-pixels', 'edges-alone', 'vertical-lines']
    """
    found = labelled_inputs(images, y, labels)
    tested = None if test is None else _test_set(test, labels)
    with nullcontext() if out is None else new_folder(out) as folder:
        with report_to(progress) as report:
            count = len(found.paths) + (0 if tested is None else len(tested.paths))
            report.begin("Features", count)

            def advance(step: str, images: int) -> None:
                if images:
                    report(images)
                else:
                    report.begin(f"Fitting {step}")

            compared = comparison.compare(
                [recipe] if isinstance(recipe, str | Path) else recipe,
                found.paths,
                found.labels,
                tested,
                folds,
                random_state,
                n_jobs,
                advance,
                repeats=repeats,
                learning_curves=learning_curves,
                cache=default_folder() if cache is True else cache or None,
            )
        if folder is not None:
            write_comparison(compared, folder)
    return compared


def _test_set(test: Any, labels: Labels) -> Dataset:
    if isinstance(test, tuple) and not isinstance(test, Dataset):
        images, classes = test
        return labelled_inputs(images, classes, labels)
    return labelled_inputs(test, labels=labels)
