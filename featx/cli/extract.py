"""``featx extract``."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.help import OUTPUT, RUN
from featx.cli.interruption import Interruption
from featx.cli.listing import source_of
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

EXAMPLE = "featx extract photos --recipe hog-svm --out features"
# Above this number, rejected images are listed in the ledger only.
_MOST_LINES = 20


def extract(
    images: Images,
    recipe: Recipe,
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Folder to write, or to resume.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.store),
        ),
    ],
    labels: Labels = [],  # noqa: B006 - typer copies it
    plugin: Plugins = [],  # noqa: B006 - typer copies it
    jobs: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            help="Number of processes; -1 for one per processor.",
            rich_help_panel=RUN,
            callback=checked(checks.jobs),
        ),
    ] = -1,
    scheduler: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Address of a Dask scheduler; its workers run the job.",
            rich_help_panel=RUN,
        ),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            "--seconds",
            metavar="SECONDS",
            help="Reject a file after this time.",
            rich_help_panel=RUN,
            callback=checked(checks.number(0.001, 1_000_000)),
        ),
    ] = 60.0,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Compute features of images and write them as Parquet files.

    The table has one row per image. Run the same command again to resume: finished files are not
    read again unless they changed.
    """
    source = source_of(images, labels)
    # Before processes start, so that they find the modules of the plugins.
    load_plugins(plugin)
    from featx.jobs.extract import extract

    with Interruption() as interruption:
        extraction = extract(
            source,
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
        print("featx: stopped. To resume, run the same command again.", file=sys.stderr)
        raise typer.Exit(interruption.status)
    if extraction.reasons and strict:
        raise typer.Exit(1)


def _show_reasons(extraction: "Extraction") -> None:
    """Print the rejected images, if they are few, and the number for each reason."""
    reasons = extraction.reasons
    if not reasons:
        return
    if reasons.total() <= _MOST_LINES:
        show_refused(extraction.refused, strict=False)
    counts = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    where = f"; listed in {extraction.ledger}" if extraction.ledger else ""
    print(f"rejected: {counts}{where}", file=sys.stderr)
