"""Accuracy of the recipes on photographs of scenes, next to published results.

    python benchmarks/accuracy.py [RECIPE …] [--task NAME …] [--data FOLDER]

Cross-validation uses five stratified folds (seed 0), keeps duplicates in one fold and fits all
trainable stages inside each fold. The results update docs/accuracy.json, which keeps those of
other runs; docs/accuracy.md and docs/accuracy.png are rendered from it. Without recipes or without
a data folder (--data or FEATX_DATA), the command only renders.
"""

import argparse
import json
import os
from pathlib import Path

from matplotlib.figure import Figure

from featx import compare, load_dataset
from featx.io.bundled import names
from featx.pipeline.recipes import read_recipe

DOCS = Path(__file__).parents[1] / "docs"
#: Each task: the card of a data set, and one of its targets.
TASKS = {
    "eight scenes": ("scenes8", None),
    "city or landscape": ("scenes8", "city-landscape"),
    "fifteen scenes": ("scenes15", None),
}
#: Published accuracies on fifteen scenes, with 100 training images per class.
OTHERS = {
    "best published combination of hand-crafted features": 88.1,
    "network trained on 2.5 million images of scenes, 2014": 90.2,
    "best network, 2014": 91.6,
}

INTRO = """\
# Accuracy

Cross-validated accuracy of the recipes in percent, with 95 % Wilson intervals.
The table is written by `python benchmarks/accuracy.py`.

- Data: the training parts of [scenes8](../datasets/scenes8.yaml) and
  [scenes15](../datasets/scenes15.yaml).
- Cross-validation: five stratified folds (seed 0).
  Duplicates stay in one fold, and trainable stages are fitted inside each fold.
- *Published*: the accuracy that the source of the recipe reports for a task, on other splits of
  the same images.
- *ms/image*: reading, features and classifier on one core of a shared machine.
- `larger-class` is the baseline that always predicts the majority class.

![Accuracy of each recipe on the three tasks](accuracy.png)
"""


def measure(recipes: list[str], task: str, data: str) -> dict:
    """Cross-validate the recipes on a task and return their figures."""
    source, target = TASKS[task]
    paths, labels = load_dataset(source, target, root=data)
    comparison = compare(paths, y=labels, recipe=recipes, n_jobs=-1)
    return {
        result.name: {
            "accuracy": result.accuracy,
            "low": result.accuracy_low,
            "high": result.accuracy_high,
            "balanced": result.balanced_accuracy,
            "milliseconds": result.milliseconds_per_image,
            "dimensions": result.dimensions,
        }
        for result in comparison.results
    }


def table(figures: dict) -> str:
    """Render the figures as a page of Markdown."""
    head = ["recipe", *TASKS, "published", "ms/image", "dimensions"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name in ordered(figures):
        cells = [f"`{name}`"]
        of_recipe = [figures[task].get(name) for task in TASKS]
        cells += ["-" if one is None else interval(one) for one in of_recipe]
        one = next(one for one in of_recipe if one is not None)
        published = read_recipe(name).published if name in names("pipelines") else {}
        cells.append(", ".join(f"{task}: {value:g}" for task, value in published.items()) or "-")
        cells += [f"{one['milliseconds']:.1f}", str(one["dimensions"])]
        rows.append("| " + " | ".join(cells) + " |")
    others = "\n".join(f"- {name}: {value:g}" for name, value in OTHERS.items())
    published = (
        f"Published accuracies on fifteen scenes, 100 training images per class:\n\n{others}"
    )
    return "\n".join([INTRO, *rows]) + f"\n\n{published}\n"


def interval(one: dict) -> str:
    accuracy, low, high = (100 * one[key] for key in ("accuracy", "low", "high"))
    return f"{accuracy:.1f} ({low:.1f} to {high:.1f})"


def ordered(figures: dict) -> list[str]:
    """Sort the recipes by accuracy."""
    known = {name for task in TASKS for name in figures[task]}
    return sorted(
        known,
        key=lambda name: [
            figures[task].get(name, {"accuracy": 0})["accuracy"]
            for task in ("eight scenes", "city or landscape")
        ],
    )


def picture(figures: dict, file: Path) -> None:
    """Plot the accuracies, one panel per task, with the published results as markers."""
    recipes = ordered(figures)
    figure = Figure(figsize=(12, 0.32 * len(recipes) + 1.2), layout="constrained")
    axes = figure.subplots(1, len(TASKS), sharey=True)
    for axis, task in zip(axes, TASKS, strict=True):
        for row, name in enumerate(recipes):
            one = figures[task].get(name)
            if one is None:
                continue
            low, accuracy, high = (100 * one[key] for key in ("low", "accuracy", "high"))
            axis.barh(row, accuracy, color="#3b77b7")
            axis.plot([low, high], [row, row], color="#0d2c4d")
            axis.text(2, row, f"{accuracy:.1f}", va="center", color="white", fontsize=9)
            published = read_recipe(name).published if name in names("pipelines") else {}
            if task in published:
                axis.plot(published[task], row, "D", color="#e07b00", markersize=5)
        axis.set(xlim=(0, 100), title=task)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(recipes)), recipes)
    axes[1].set_xlabel("accuracy (%); line: 95 % interval; diamond: published accuracy")
    figure.savefig(file, dpi=80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--task", action="append", choices=TASKS)
    parser.add_argument("--data", default=os.environ.get("FEATX_DATA"))
    given = parser.parse_args()
    file = DOCS / "accuracy.json"
    figures = json.loads(file.read_text()) if file.exists() else {task: {} for task in TASKS}
    for task in (given.task or TASKS) if given.data and given.recipes else []:
        for (
            recipe
        ) in given.recipes:  # one by one, so that an interrupted run keeps the finished recipes
            figures[task] |= measure([recipe], task, given.data)
            print(task, recipe, interval(figures[task][recipe]), flush=True)
            file.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    (DOCS / "accuracy.md").write_text(table(figures), encoding="utf-8")
    picture(figures, DOCS / "accuracy.png")


if __name__ == "__main__":
    main()
