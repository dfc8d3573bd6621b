"""``featx demo``."""

from contextlib import chdir
from pathlib import Path
from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.help import OUTPUT, RUN
from featx.cli.options import Json, Quiet, show
from featx.cli.progress import Progress

EXAMPLE = "featx demo --out featx-demo"
RECIPES = ("edges-alone", "vertical-lines", "vertical-line-ratio", "line-energies", "hog-svm")


def demo(
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder to write.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.folder),
        ),
    ] = "featx-demo",
    n: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Number of scenes, 20 or more.",
            rich_help_panel=RUN,
            callback=checked(checks.number(20)),
        ),
    ] = 400,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Compare five recipes on generated scenes; needs no data.

    The folder receives the scenes, cities and landscapes; the report of the comparison; and a
    picture of the stages of vertical-lines for one scene of each class.
    """
    from featx.io.writing import new_folder

    # In the folder, so that the report names the scenes by relative paths.
    with new_folder(out) as folder, chdir(folder):
        from featx.datasets.scenes import drawing
        from featx.pipeline import processes

        # The workers start while this process imports.
        if (workers := drawing.worker_count(n, processes.count(-1))) > 1:
            processes.start(workers, drawing.__name__)
        from featx.datasets.loading import load_dataset
        from featx.datasets.scenes.generation import write_scenes
        from featx.jobs.compare import compare
        from featx.jobs.explain import explain
        from featx.report.comparison import as_data, write_comparison

        with Progress(quiet) as progress:
            progress.begin("Drawing", n)
            write_scenes("scenes", n, (256, 256), 0, lambda _: progress(1), n_jobs=-1)
        scenes = load_dataset("scenes")
        compared = compare(scenes, recipe=RECIPES, n_jobs=-1, progress=Progress(quiet))
        write_comparison(compared, ".")
        for label in compared.classes:
            image = next(path for path, name in zip(*scenes, strict=True) if name == label)
            explain(image, recipe="vertical-lines", out=f"{label}.png")
    show(as_data(compared), f"{compared}\n{Path(out) / 'report.html'}", json)
