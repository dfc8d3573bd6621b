"""``featx extract``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from featx.cli.interruption import Interruption
from featx.cli.options import (
    Images,
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

if TYPE_CHECKING:
    from featx.jobs.extract import Extraction

# More rejected images than these are listed in the ledger only.
_MOST_LINES = 20


def extract(
    images: Images,
    recipe: Recipe,
    out: Annotated[str, typer.Option(help="The folder to make, or to go on with.")],
    labels: Labels = [],  # noqa: B006 - typer copies it
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Annotated[int, typer.Option(help="Processes; -1 for one a processor.")] = -1,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, whose workers work.")
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", "--seconds", min=0.001, help="Seconds after which a file is refused."
        ),
    ] = 60.0,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Write the features of images to a folder of Parquet files, one row for every image.

    Run again, it goes on: files that are done are not read again, unless they changed.
    """
    # Before processes start, so that they search for modules where the plugins are.
    load_plugins(plugin)
    from featx.jobs.extract import extract

    with Interruption() as interruption:
        extraction = extract(
            images,
            recipe=recipe,
            out=out,
            labels=labels,
            n_jobs=jobs,
            scheduler=scheduler,
            timeout=timeout,
            progress=Progress(quiet),
            stopped=interruption,
        )
    show(extraction.as_data() if json else {}, str(extraction), json)
    _show_reasons(extraction)
    if not extraction.complete:
        print("featx: stopped. To go on, run the same command again.", file=sys.stderr)
        raise typer.Exit(interruption.status)
    if extraction.reasons and strict:
        raise typer.Exit(1)


def _show_reasons(extraction: "Extraction") -> None:
    """Print the rejected images, if they are few, and how many have each reason."""
    reasons = extraction.reasons
    if not reasons:
        return
    if reasons.total() <= _MOST_LINES:
        show_refused(extraction.refused, strict=False)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    where = f"; listed in {extraction.ledger}" if extraction.ledger else ""
    print(f"refused: {counts}{where}", file=sys.stderr)
