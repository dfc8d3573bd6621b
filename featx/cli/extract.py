"""``featx extract``."""

import sys
from typing import Annotated

import typer

from featx.cli.interruption import Interruption
from featx.cli.options import (
    Images,
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

# More refused images than these are told apart in the ledger only.
_MOST_LINES = 20


def extract(
    images: Images,
    recipe: Recipe,
    out: Annotated[str, typer.Option(help="The folder to make, or to go on with.")],
    labels: Labels = [],  # noqa: B006 - typer copies it
    jobs: Annotated[int, typer.Option(help="Processes; -1 for one a processor.")] = -1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, whose workers work.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0.001, help="Refuse a file that takes longer.")
    ] = 60.0,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Write the features of images to a folder of Parquet files, one row for every image.

    Run again, it goes on: files that are done are not read again, unless they changed.
    """
    found = listing(images, labels)

    from featx.extraction import write_features
    from featx.models import split
    from featx.recipes import read_recipe
    from featx.store import read_refused

    known = read_recipe(recipe)
    stream, _ = split(known.pipeline)
    stream.n_jobs = jobs
    inputs = zip(found.paths, found.labels, strict=True)
    with Interruption() as interruption, Progress(len(found.paths), quiet) as progress:
        written = write_features(
            out, inputs, stream, known.name, seconds, scheduler, progress, interruption
        )
    refused = written.refused.total()
    result = {
        "out": out,
        "images": written.images,
        "earlier": written.earlier,
        "removed": written.removed,
        "dimensions": written.dimensions,
        "refused": refused_as_data(read_refused(out)) if json and refused else [],
        "complete": written.complete,
    }
    line = (
        f"{out}: {written.dimensions} features of {written.images - refused} images, "
        f"{refused} refused"
    )
    line += f", {written.earlier} done before" if written.earlier else ""
    line += f"; {written.removed} that are gone are marked" if written.removed else ""
    show(result, line, json)
    if refused:
        if refused <= _MOST_LINES:
            show_refused(read_refused(out), strict=False)
        reasons = ", ".join(f"{count} {reason}" for reason, count in written.refused.most_common())
        where = f"; listed in {written.ledger}" if written.ledger else ""
        print(f"refused: {reasons}{where}", file=sys.stderr)
    if not written.complete:
        print("featx: stopped. To go on, run the same command again.", file=sys.stderr)
        raise typer.Exit(interruption.status)
    if refused and strict:
        raise typer.Exit(1)
