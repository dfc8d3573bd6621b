"""``featx train``."""

from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.help import OUTPUT
from featx.cli.listing import check_classes, labelled_images
from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Labels,
    Plugins,
    Quiet,
    Recipe,
    Strict,
    load_plugins,
    show,
    show_refused,
)
from featx.cli.progress import Progress

EXAMPLE = "featx train photos --recipe hog-svm --out model.skops"


def train(
    images: Images,
    recipe: Recipe,
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE",
            help="Model to write: FILE.skops.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.new_model),
        ),
    ],
    checkpoint: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Save the training of a network to this file, and resume it from there.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.checkpoint),
        ),
    ] = None,
    labels: Labels = [],  # noqa: B006 - typer copies it
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Fit a recipe on labeled images and save the model."""
    found = labelled_images(images, labels)
    check_classes(images, found)
    load_plugins(plugin)
    from featx.jobs.train import train

    training = train(
        found,
        recipe=recipe,
        out=out,
        checkpoint=checkpoint,
        n_jobs=jobs,
        progress=Progress(quiet),
    )
    show(training.as_data(), str(training), json)
    show_refused(training.refused, strict)
