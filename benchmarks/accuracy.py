"""How well the recipes tell real scenes apart, beside the figures that their sources published.

    python benchmarks/accuracy.py [RECIPE …] [--task NAME …] [--data FOLDER]

Five stratified folds with seed 0, copies of a picture in one fold, all that learns fitted inside
each fold. The figures are added to docs/accuracy.json, which keeps those of other runs, and
docs/accuracy.md and docs/accuracy.png are drawn from it; with no data folder (FEATX_DATA) they
are only drawn. Recipes that take long are named one by one.
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
#: What is told apart: a data set's card, and one of its targets.
TASKS = {
    "eight scenes": ("scenes8", None),
    "city or landscape": ("scenes8", "city-landscape"),
    "fifteen scenes": ("scenes15", None),
}
#: Other figures for fifteen scenes, with 100 training pictures a class.
OTHERS = {
    "best published mixture of hand-made features": 88.1,
    "network trained on 2.5 million scenes, 2014": 90.2,
    "best network of 2014": 91.6,
}


def measure(recipes: list[str], task: str, data: str) -> dict:
    """Compare the recipes on a task, and give their figures."""
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
    """Draw up the figures as Markdown."""
    head = ["recipe", *TASKS, "published", "ms an image", "numbers an image"]
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
    intro = (
        "# How well the recipes do\n\nMade by `python benchmarks/accuracy.py`: accuracy in per "
        "cent by five stratified folds (seed 0, copies of a picture in one fold) on the training "
        "parts of [scenes8](../datasets/scenes8.yaml) and [scenes15](../datasets/scenes15.yaml), "
        "with its 95 % interval (Wilson). The published figures are of other divisions of the same "
        "sets of pictures, where they name one of these tasks. Milliseconds are of one processor, "
        "for reading, features and classifier, on a shared machine.\n"
    )
    others = "\n".join(f"- {what}: {value:g}" for what, value in OTHERS.items())
    return "\n".join([intro, *rows]) + f"\n\nFor comparison, on fifteen scenes:\n\n{others}\n"


def interval(one: dict) -> str:
    accuracy, low, high = (100 * one[key] for key in ("accuracy", "low", "high"))
    return f"{accuracy:.1f} ({low:.1f} to {high:.1f})"


def ordered(figures: dict) -> list[str]:
    """List the recipes from the weakest to the strongest."""
    known = {name for task in TASKS for name in figures[task]}
    return sorted(
        known,
        key=lambda name: [
            figures[task].get(name, {"accuracy": 0})["accuracy"]
            for task in ("eight scenes", "city or landscape")
        ],
    )


def picture(figures: dict, file: Path) -> None:
    """Draw the accuracies, a panel a task, with the published figures as marks."""
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
    axes[1].set_xlabel("accuracy, %; a line: 95 % interval; a diamond: the published figure")
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
        for recipe in given.recipes:  # one by one: what is done stays if the next is interrupted
            figures[task] |= measure([recipe], task, given.data)
            print(task, recipe, interval(figures[task][recipe]), flush=True)
            file.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    (DOCS / "accuracy.md").write_text(table(figures), encoding="utf-8")
    picture(figures, DOCS / "accuracy.png")


if __name__ == "__main__":
    main()
