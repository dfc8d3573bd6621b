"""``featx find``."""

from typing import Annotated

import typer

from featx.cli import checks
from featx.cli.checks import checked
from featx.cli.help import INPUT, OUTPUT, RUN
from featx.cli.listing import source_of
from featx.cli.options import Images, Jobs, Json, Quiet, Strict, Table, show, show_refused
from featx.cli.progress import Progress

EXAMPLE = "featx find stop-sign photos --out hits.csv --pictures hits"


def find(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="Image file, whose transparent parts are ignored; or stop-sign.",
            rich_help_panel=INPUT,
            callback=checked(checks.pattern),
        ),
    ],
    images: Images,
    out: Table,
    pictures: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder to write, with a picture of each image that has a hit.",
            rich_help_panel=OUTPUT,
            callback=checked(checks.folder),
        ),
    ] = None,
    threshold: Annotated[
        float,
        typer.Option(
            metavar="NUMBER",
            help="Minimum strength of a hit, from 0 to 1.",
            rich_help_panel=RUN,
            callback=checked(checks.number(0, 1)),
        ),
    ] = 0.5,
    size: Annotated[
        int,
        typer.Option(
            metavar="PIXELS",
            help="Height of the smallest pattern to find.",
            rich_help_panel=RUN,
            callback=checked(checks.number(1)),
        ),
    ] = 24,
    side: Annotated[
        int,
        typer.Option(
            metavar="PIXELS",
            help="Shrink larger images to this longer side before the search.",
            rich_help_panel=RUN,
            callback=checked(checks.number(1)),
        ),
    ] = 640,
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Find a pattern in images: position, size and strength."""
    from featx.jobs.inputs import list_inputs

    found = list_inputs(source_of(images, []))
    from featx.jobs.find import find

    hits = find(
        pattern,
        found,
        out=out,
        pictures=pictures,
        threshold=threshold,
        size=size,
        side=side,
        n_jobs=jobs,
        progress=Progress(quiet),
    )
    show(hits.as_data(), str(hits), json)
    show_refused(hits.refused, strict)
