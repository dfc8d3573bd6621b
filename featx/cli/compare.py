"""``featx compare``."""

from typing import Annotated

import typer

from featx.cli.options import Images, Jobs, Json, Labels, Quiet, Strict, listing, show, show_refused
from featx.cli.progress import Progress


def compare(
    images: Images,
    recipe: Annotated[list[str], typer.Option(help="A recipe's name or file. Repeat it.")],
    out: Annotated[str, typer.Option(help="The folder to make.")],
    test: Annotated[
        str | None, typer.Option(metavar="IMAGES", help="Test on these, not by cross-validation.")
    ] = None,
    labels: Labels = [],  # noqa: B006 - typer copies it
    folds: Annotated[int, typer.Option(min=2, help="Folds of the cross-validation.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="What the folds are drawn from.")] = 0,
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Compare recipes on the same labelled images, and write a report."""
    found = listing(images, labels)
    found_test = None if test is None else listing(test, labels)

    from featx import comparison, report
    from featx.datasets import labelled
    from featx.writing import new_folder

    report.require("jinja2")
    paths, classes = labelled(found, images)
    tested = None if found_test is None else labelled(found_test, str(test))
    total = len(paths) + (0 if tested is None else len(tested.paths))
    with new_folder(out) as folder:
        with Progress(total, quiet) as progress:
            compared = comparison.compare(
                recipe, paths, classes, tested, folds, seed, jobs, progress.step
            )
        report.write_comparison(compared, folder)
    show(report.as_data(compared), f"{compared}\n{out}/report.html", json)
    show_refused(compared.refused, strict)
