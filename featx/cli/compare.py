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
    repeats: Annotated[
        int, typer.Option(min=1, help="Repeat cross-validation this many times.")
    ] = 1,
    learning_curves: Annotated[
        bool, typer.Option("--learning-curves", help="Fit on fewer images, too: twice the time.")
    ] = False,
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER", help="Where features and predictions are kept for next time."
        ),
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
    # A wrong folder is reported before anything heavy is loaded.
    from featx.jobs.inputs import labelled_inputs

    found = labelled_inputs(images, labels=labels)
    tested = None if test is None else labelled_inputs(test, labels=labels)
    from featx.jobs.compare import compare
    from featx.report.comparison import as_data

    compared = compare(
        found,
        recipe=recipe,
        out=out,
        test=tested,
        folds=folds,
        random_state=random_state,
        repeats=repeats,
        learning_curves=learning_curves,
        cache=None if no_cache else cache or True,
        n_jobs=jobs,
        progress=Progress(quiet),
    )
    show(as_data(compared), f"{compared}\n{out}/report.html", json)
    for remark in compared.remarks:
        print(printable(remark), file=sys.stderr)
    show_refused(compared.refused, strict)
