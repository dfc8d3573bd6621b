"""``featx demo``."""

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from featx.cli.options import Json, Quiet, show
from featx.cli.progress import Progress

RECIPES = ("edges-alone", "vertical-lines", "vertical-line-ratio", "line-energies", "hog-svm")


def demo(
    out: Annotated[str, typer.Option(help="The folder to make.")] = "featx-demo",
    n: Annotated[int, typer.Option(min=20, help="How many scenes are drawn.")] = 400,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run the main job on generated scenes: no data needed.

    Cities and landscapes are drawn; recipes from edges alone to histograms of oriented gradients
    are compared on them; and what the stages of vertical-lines make of a scene is drawn.
    """
    from featx.datasets.loading import load_dataset
    from featx.datasets.scenes.generation import write_scenes
    from featx.io.writing import new_folder
    from featx.jobs.compare import compare
    from featx.jobs.explain import explain
    from featx.report.comparison import as_data, write_comparison
    from featx.report.requirements import require

    require("jinja2", "matplotlib")
    # In the folder itself: what is written names the scenes by their paths from there.
    with new_folder(out) as folder, chdir(folder):
        with Progress(quiet, n) as progress:
            write_scenes("scenes", n, (256, 256), 0, lambda _: progress(1), n_jobs=-1)
        scenes = load_dataset("scenes")
        compared = compare(scenes, recipe=RECIPES, n_jobs=-1, progress=Progress(quiet))
        write_comparison(compared, ".")
        for label in compared.classes:
            image = next(path for path, name in zip(*scenes, strict=True) if name == label)
            explain(image, recipe="vertical-lines", out=f"{label}.png")
    show(as_data(compared), f"{compared}\n{Path(out) / 'report.html'}", json)
