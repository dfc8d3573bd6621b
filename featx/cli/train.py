"""``featx train``."""

from typing import Annotated

import typer

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


def train(
    images: Images,
    recipe: Recipe,
    out: Annotated[str, typer.Option(help="The file to write: MODEL.skops.")],
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Keep a network's training in this file, and resume it from there."),
    ] = None,
    labels: Labels = [],  # noqa: B006 - typer copies it
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Fit a recipe on labelled images, and keep the model in a file."""
    load_plugins(plugin)
    # A wrong folder is reported before anything heavy is loaded.
    from featx.jobs.inputs import labelled_inputs

    found = labelled_inputs(images, labels=labels)
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
