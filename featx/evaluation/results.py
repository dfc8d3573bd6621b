"""Results of a comparison: metrics, costs, predictions and their tables."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from featx.core.errors import RefusedImage
from featx.evaluation.cache import Cache
from featx.evaluation.cross_validation import LearningCurve
from featx.evaluation.duplicates import Copy
from featx.evaluation.metrics import Measure

if TYPE_CHECKING:
    import pandas

    from featx.report.plots import Plots

BASELINE, PIXELS = "larger-class", "raw-pixels"


@dataclass
class Cost:
    """Measured cost of a recipe. Milliseconds are CPU time per image."""

    reading_milliseconds: float
    features_milliseconds: float
    classifier_milliseconds: float
    #: CPU time to fit the trainable steps, mean over the folds.
    training_seconds: float
    #: Size of the pickled fitted steps; None if they cannot be pickled.
    model_bytes: int | None
    #: Peak resident memory of the process while the folds ran; None if unknown.
    peak_bytes: int | None


@dataclass
class Result:
    """Results of one recipe."""

    name: str
    title: str
    #: Predicted class of each test image in the first repetition; "" for a failed fold.
    predictions: NDArray[Any]
    #: Probability or score per test image and class, in the first repetition.
    scores: NDArray[np.float64]
    #: Kind of the scores: "probability" or "score".
    kind: str
    #: Metrics averaged over the repetitions, with 95 % intervals; see
    #: `featx.evaluation.metrics.measured`. Empty if all folds failed.
    measures: dict[str, Measure]
    #: Accuracy per fold, repetition by repetition; NaN for a failed fold. Empty for a test set.
    folds: list[float]
    #: Error messages of failed folds. The metrics then cover the other folds.
    failures: list[str]
    cost: Cost
    #: Number of features of the classifier.
    dimensions: int
    #: Confusion matrix of the first repetition: rows are true, columns are predicted classes.
    confusion: NDArray[np.int64]
    #: Features of the test images and their names, unless the features are learned in each fold.
    features: NDArray[Any] | None
    feature_names: list[str]
    #: Weights of shape (folds, classes or 1, d) and offsets of a linear model; else zero folds.
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    learning_curve: LearningCurve | None
    #: For learned features: indices of test images, and their attribution maps of shape
    #: (n, side, side). If there are none, ``unattributed`` holds the reason. See
    #: `featx.explanation.attribution`.
    attributed: NDArray[np.int64]
    attributions: NDArray[np.float32]
    unattributed: str
    #: For learned features: indices of test images of the first fold, and the principal
    #: components of their features (n, 30 or fewer).
    mapped: NDArray[np.int64]
    components: NDArray[np.float32]
    #: The unfitted pipeline; None for the majority class.
    pipeline: Pipeline | None
    #: Hash of the inputs of the predictions: the recipe, the images' content and the folds.
    key: str

    @property
    def accuracy(self) -> float:
        """Share of correct predictions; NaN if all folds failed."""
        return self._measure("accuracy").value

    @property
    def accuracy_low(self) -> float:
        """Lower end of the accuracy's 95 % Wilson interval."""
        return self._measure("accuracy").low

    @property
    def accuracy_high(self) -> float:
        """Upper end of the accuracy's 95 % Wilson interval."""
        return self._measure("accuracy").high

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes."""
        return self._measure("balanced_accuracy").value

    @property
    def milliseconds_per_image(self) -> float:
        """CPU time per image: reading, features and classification."""
        cost = self.cost
        return cost.reading_milliseconds + cost.features_milliseconds + cost.classifier_milliseconds

    def _measure(self, name: str) -> Measure:
        nothing = float("nan")
        return self.measures.get(name, Measure(nothing, nothing, nothing))


@dataclass
class Comparison:
    """Results of recipes on the same images and splits.

    Printing shows a table, and so does a notebook. ``table``, ``costs``, ``pairs`` and ``answers``
    return pandas data frames. ``plot`` draws on matplotlib axes. ``to_html`` returns the report.
    """

    #: Description of the splits.
    protocol: str
    classes: list[str]
    #: The test images, their names, true classes, and folds in the first repetition.
    images: list[Any]
    names: list[str]
    labels: NDArray[Any]
    folds: NDArray[np.int64]
    #: Results of the two baselines (majority class and raw pixels), then one per recipe.
    results: list[Result]
    #: For each pair of recipes: "better", "worse" or "no difference shown", and p-values; see
    #: `featx.evaluation.significance.verdicts`.
    verdicts: dict[tuple[str, str], tuple[str, dict[str, float]]]
    #: Warnings: small classes and failed recipes.
    remarks: list[str]
    refused: list[RefusedImage]
    #: All images that were not rejected, and the pairs of duplicates by index. Duplicates share a
    #: fold.
    sources: list[Any]
    source_names: list[str]
    copies: list[Copy]
    #: Indices of test images that were left out as duplicates of training images.
    left_out: list[int]
    #: Whether the images are pictures, which can be shown.
    pictures: bool
    #: Cache of the report's drawings.
    cache: Cache | None = field(default=None, repr=False)

    def __str__(self) -> str:
        width = max(len(result.name) for result in self.results)
        rows = [f"{'recipe':{width}}  accuracy  95 % interval  ms/image  dimensions"]
        rows += [
            f"{result.name:{width}}  {result.accuracy:7.1%}   "
            f"{result.accuracy_low:6.1%}-{result.accuracy_high:6.1%}  "
            f"{result.milliseconds_per_image:8.2f}  {result.dimensions:10d}"
            if result.measures
            else f"{result.name:{width}}  failed"
            for result in self.results
        ]
        return "\n".join(rows)

    def __getitem__(self, name: str) -> Result:
        """Return the result of a recipe by name."""
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(name)

    @property
    def duplicates(self) -> list[list[str]]:
        """Groups of duplicates, as lists of image names."""
        groups: list[set[int]] = []
        for first, second, _ in self.copies:
            joined = {first, second}.union(*(one for one in groups if one & {first, second}))
            groups = [one for one in groups if not one & joined] + [joined]
        return [[self.source_names[i] for i in sorted(one)] for one in sorted(groups, key=min)]

    def verdict(self, name: str, other: str) -> str:
        """Return "better", "worse" or "no difference shown"; "" if the pair was not compared."""
        opposite = {"better": "worse", "worse": "better"}
        if (name, other) in self.verdicts:
            return self.verdicts[name, other][0]
        said = self.verdicts.get((other, name), ("", {}))[0]
        return opposite.get(said, said)

    @property
    def table(self) -> "pandas.DataFrame":
        """Metrics of each recipe, with 95 % intervals."""
        import pandas

        rows = {
            result.name: {
                f"{name}{end}": getattr(measure, field)
                for name, measure in result.measures.items()
                for end, field in (("", "value"), ("_low", "low"), ("_high", "high"))
            }
            for result in self.results
        }
        return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("recipe")

    @property
    def costs(self) -> "pandas.DataFrame":
        """Cost and number of features of each recipe."""
        import pandas

        rows = {
            result.name: vars(result.cost) | {"dimensions": result.dimensions}
            for result in self.results
        }
        return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("recipe")

    @property
    def pairs(self) -> "pandas.DataFrame":
        """Verdict and p-values of each pair of recipes, raw and with Holm's correction."""
        import pandas

        rows = [
            {"recipe": name, "other": other, "verdict": said, **p_values}
            for (name, other), (said, p_values) in self.verdicts.items()
        ]
        return pandas.DataFrame(rows)

    @property
    def answers(self) -> "pandas.DataFrame":
        """Prediction of each recipe for each test image, in the first repetition."""
        import pandas

        known = {"image": self.names, "label": self.labels, "fold": self.folds}
        return pandas.DataFrame(
            known | {result.name: result.predictions for result in self.results}
        )

    @property
    def plot(self) -> "Plots":
        """Plots of the comparison on matplotlib axes."""
        return cast("Plots", _view().Plots(self))

    def to_html(self) -> str:
        """Return the report as one self-contained HTML page."""
        return str(_view().page(self))

    def _repr_html_(self) -> str:
        return str(_view().summary(self))


def _view() -> Any:
    """Import the drawing functions of `featx.report`, which depends on this package."""
    from featx.report import view

    return view
