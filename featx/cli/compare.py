"""``featx compare``."""

import sys
from typing import Annotated

import typer

from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Labels,
    Plugins,
    Quiet,
    RandomState,
    Strict,
    listing,
    load_plugins,
    printable,
    show,
    show_refused,
)
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
    random_state: RandomState = 0,
    repeats: Annotated[int, typer.Option(min=1, help="Divide into folds so many times.")] = 1,
    learning_curves: Annotated[
        bool, typer.Option("--learning-curves", help="Fit on fewer images, too: twice the time.")
    ] = False,
    cache: Annotated[
        str | None,
        typer.Option(metavar="FOLDER", help="Where features and answers are kept for next time."),
    ] = None,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Compute everything, and keep nothing.")
    ] = False,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Compare recipes on the same labelled images, and write a report."""
    load_plugins(plugin)
    found = listing(images, labels)
    found_test = None if test is None else listing(test, labels)

    from featx.datasets.loading import labelled
    from featx.evaluation import comparison
    from featx.evaluation.cache import default_folder
    from featx.io.writing import new_folder
    from featx.report.comparison import as_data, write_comparison
    from featx.report.requirements import require

    require("jinja2")
    paths, classes = labelled(found, images)
    tested = None if found_test is None else labelled(found_test, str(test))
    total = len(paths) + (0 if tested is None else len(tested.paths))
    with new_folder(out) as folder:
        with Progress(total, quiet) as progress:
            compared = comparison.compare(
                recipe,
                paths,
                classes,
                tested,
                folds,
                random_state,
                jobs,
                progress.step,
                repeats=repeats,
                learning_curves=learning_curves,
                cache=None if no_cache else cache or default_folder(),
            )
        write_comparison(compared, folder)
    show(as_data(compared), f"{compared}\n{out}/report.html", json)
    for remark in compared.remarks:
        print(printable(remark), file=sys.stderr)
    show_refused(compared.refused, strict)
