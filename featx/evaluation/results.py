"""What a comparison found: figures, answers, and how they are printed and tabulated."""

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
    """What a recipe costs, in the run itself. Milliseconds are of one processor, an image."""

    reading_milliseconds: float
    features_milliseconds: float
    classifier_milliseconds: float
    #: To fit what learns, in the mean of the folds.
    training_seconds: float
    #: The fitted steps, pickled; None where they cannot be.
    model_bytes: int | None
    #: The process's most resident memory while its folds ran; None where it is not known.
    peak_bytes: int | None


@dataclass
class Result:
    """How one recipe did."""

    name: str
    title: str
    #: The predicted class of every tested image, in the first repetition; "" where a fold failed.
    predictions: NDArray[Any]
    #: A probability or score for every tested image and class, in the first repetition.
    scores: NDArray[np.float64]
    #: What the scores are: "probability" or "score".
    kind: str
    #: Means over the repetitions, with their intervals; see `featx.evaluation.metrics.measured`.
    #: Empty where all folds failed.
    measures: dict[str, Measure]
    #: The accuracy in each fold, one repetition after the other, NaN where it failed; none where
    #: there was a test set.
    folds: list[float]
    #: What went wrong, fold by fold. Such a recipe is measured on the other folds.
    failures: list[str]
    cost: Cost
    #: The length of the vector that the classifier takes.
    dimensions: int
    #: Rows are the true classes, columns the predictions, in the first repetition.
    confusion: NDArray[np.int64]
    #: The vectors of the tested images, and the names of their entries, where nothing within a
    #: fold made them.
    features: NDArray[Any] | None
    feature_names: list[str]
    #: A linear model's weights (folds, classes or 1, d) and offsets; of no folds for others.
    weights: NDArray[np.float32]
    offsets: NDArray[np.float32]
    learning_curve: LearningCurve | None
    #: Where features are learned: positions of tested images, and maps of the parts that spoke for
    #: and against the answer (n, side, side); else why there are none. See
    #: `featx.explanation.attribution`.
    attributed: NDArray[np.int64]
    attributions: NDArray[np.float32]
    unattributed: str
    #: Positions of tested images of the first fold, and principal components of what was learned
    #: of them (n, 30 or fewer).
    mapped: NDArray[np.int64]
    components: NDArray[np.float32]
    #: As it was given, not fitted; None for the larger class.
    pipeline: Pipeline | None
    #: A hash of all that the answers come from: the recipe, the images' content, the folds.
    key: str

    @property
    def accuracy(self) -> float:
        """The share of images whose class was predicted; NaN where all folds failed."""
        return self._measure("accuracy").value

    @property
    def accuracy_low(self) -> float:
        """The lower end of its 95 % interval, by Wilson's score method."""
        return self._measure("accuracy").low

    @property
    def accuracy_high(self) -> float:
        """The upper end."""
        return self._measure("accuracy").high

    @property
    def balanced_accuracy(self) -> float:
        """The mean of the classes' accuracies."""
        return self._measure("balanced_accuracy").value

    @property
    def milliseconds_per_image(self) -> float:
        """Processor time to read and to classify an image."""
        cost = self.cost
        return cost.reading_milliseconds + cost.features_milliseconds + cost.classifier_milliseconds

    def _measure(self, name: str) -> Measure:
        nothing = float("nan")
        return self.measures.get(name, Measure(nothing, nothing, nothing))


@dataclass
class Comparison:
    """Recipes compared on the same images; prints as a table.

    In a notebook it shows its table. ``table``, ``costs``, ``pairs`` and ``answers`` give data
    frames of pandas; ``plot`` draws on matplotlib's axes; ``to_html`` gives the report.
    """

    #: How the images were divided, in words.
    protocol: str
    classes: list[str]
    #: The images that were classified, their names, true classes, and folds in the first
    #: repetition.
    images: list[Any]
    names: list[str]
    labels: NDArray[Any]
    folds: NDArray[np.int64]
    #: The baselines, which say the larger class and look at raw pixels, and then one a recipe.
    results: list[Result]
    #: For each pair of recipes "better", "worse" or "no difference shown", and p values; see
    #: `featx.evaluation.significance.verdicts`.
    verdicts: dict[tuple[str, str], tuple[str, dict[str, float]]]
    #: What is to be kept in mind: classes that are too small, recipes that failed.
    remarks: list[str]
    refused: list[RefusedImage]
    #: All images that were not refused, and the pairs among them that show one picture, by their
    #: positions. They were not divided by folds.
    sources: list[Any]
    source_names: list[str]
    copies: list[Copy]
    #: Positions of images that were not tested on, since they, or copies, were fitted on.
    left_out: list[int]
    #: Whether the images are pictures, which can be shown.
    pictures: bool
    #: Where what is drawn of them is kept.
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
        """Give the result of the recipe of this name."""
        for result in self.results:
            if result.name == name:
                return result
        raise KeyError(name)

    @property
    def duplicates(self) -> list[list[str]]:
        """Names of images of one picture, group by group."""
        groups: list[set[int]] = []
        for first, second, _ in self.copies:
            joined = {first, second}.union(*(one for one in groups if one & {first, second}))
            groups = [one for one in groups if not one & joined] + [joined]
        return [[self.source_names[i] for i in sorted(one)] for one in sorted(groups, key=min)]

    def verdict(self, name: str, other: str) -> str:
        """Say whether the one recipe is better or worse than the other; "" if not compared."""
        opposite = {"better": "worse", "worse": "better"}
        if (name, other) in self.verdicts:
            return self.verdicts[name, other][0]
        said = self.verdicts.get((other, name), ("", {}))[0]
        return opposite.get(said, said)

    @property
    def table(self) -> "pandas.DataFrame":
        """The measures of each recipe, with their intervals."""
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
        """What each recipe costs."""
        import pandas

        rows = {
            result.name: vars(result.cost) | {"dimensions": result.dimensions}
            for result in self.results
        }
        return pandas.DataFrame.from_dict(rows, orient="index").rename_axis("recipe")

    @property
    def pairs(self) -> "pandas.DataFrame":
        """Which recipes are better than which, with the tests' p values, adjusted by Holm."""
        import pandas

        rows = [
            {"recipe": name, "other": other, "verdict": said, **p_values}
            for (name, other), (said, p_values) in self.verdicts.items()
        ]
        return pandas.DataFrame(rows)

    @property
    def answers(self) -> "pandas.DataFrame":
        """What each recipe says of each image, in the first repetition."""
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
    """Import the functions that draw a comparison: the one door to a package below this one."""
    from featx.report import view

    return view
