"""``featx extract``."""

from typing import Annotated

import typer

from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Labels,
    Quiet,
    Recipe,
    Strict,
    listing,
    refused_as_data,
    show,
    show_refused,
)
from featx.cli.progress import Progress


def extract(
    images: Images,
    recipe: Recipe,
    out: Annotated[str, typer.Option(help="The folder to make.")],
    labels: Labels = [],  # noqa: B006 - typer copies it
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Write the features of images to a folder of Parquet files, one row for every image."""
    found = listing(images, labels)

    from featx.models import split
    from featx.recipes import read_recipe
    from featx.store import write_features

    known = read_recipe(recipe)
    stream, _ = split(known.pipeline)
    stream.n_jobs = jobs
    about = {"recipe": known.name, "digest": known.digest}
    with Progress(len(found.paths), quiet) as progress:
        written = write_features(out, found.paths, found.labels, stream, about, progress)
    result = {
        "out": out,
        "images": written.images,
        "dimensions": written.dimensions,
        "refused": refused_as_data(written.refused),
    }
    line = (
        f"{out}: {written.dimensions} features of {written.images - len(written.refused)} images, "
        f"{len(written.refused)} refused"
    )
    show(result, line, json)
    show_refused(written.refused, strict)
