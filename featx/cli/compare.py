"""``featx compare``."""

import sys
from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.completion import complete_recipe
from featx.cli.help import INPUT, OUTPUT, RUN
from featx.cli.listing import check_classes, check_test, labelled_images
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

EXAMPLE = "featx compare photos --recipe hog-svm --recipe gist-svm --out report"


def compare(
    images: Images,
    recipe: Annotated[
        list[str],
        typer.Option(
            metavar="RECIPE",
            help="Name of a recipe, or a YAML file. Repeat it to compare several.",
            rich_help_panel=INPUT,
            callback=checked(checks.recipe),
            autocompletion=complete_recipe,
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder to write.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.folder),
        ),
    ],
    test: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGES",
            help="Test on these images instead of cross-validation.",
            rich_help_panel=INPUT,
            callback=checked(checks.place),
        ),
    ] = None,
    labels: Labels = [],  # noqa: B006 - typer copies it
    folds: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Number of folds of the cross-validation, 2 or more.",
            rich_help_panel=RUN,
            callback=checked(checks.number(2)),
        ),
    ] = 5,
    random_state: RandomState = 0,
    repeats: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Repeat cross-validation this many times.",
            rich_help_panel=RUN,
            callback=checked(checks.number(1)),
        ),
    ] = 1,
    learning_curves: Annotated[
        bool,
        typer.Option(
            "--learning-curves",
            help="Also fit on fewer images; doubles the time.",
            rich_help_panel=RUN,
        ),
    ] = False,
    cache: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder that keeps features and predictions for the next run; by default, the "
            "user's cache folder.",
            rich_help_panel=RUN,
            callback=checked(checks.cache),
        ),
    ] = None,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-cache",
            help="Compute everything, and keep nothing for the next run.",
            rich_help_panel=RUN,
        ),
    ] = False,
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Compare recipes on labeled images and write a report."""
    checks.recipes_differ(recipe)
    found = labelled_images(images, labels)
    check_classes(images, found, 1 if test else folds)
    tested = None if test is None else labelled_images([test], labels)
    if test is not None and tested is not None:
        check_test(test, tested, found)
    load_plugins(plugin)
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
