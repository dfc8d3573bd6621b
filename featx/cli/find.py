"""``featx find``."""

from typing import Annotated

import typer

from featx.cli.options import Images, Jobs, Json, Quiet, Strict, Table, show, show_refused
from featx.cli.progress import Progress


def find(
    pattern: Annotated[
        str,
        typer.Argument(
            metavar="PATTERN",
            help="An image file, of which transparent parts do not count; or stop-sign.",
        ),
    ],
    images: Images,
    out: Table,
    pictures: Annotated[
        str | None, typer.Option(help="A folder to make, with pictures of the hits.")
    ] = None,
    threshold: Annotated[float, typer.Option(help="The least strength of a hit, 0 to 1.")] = 0.5,
    size: Annotated[int, typer.Option(help="Height of the smallest pattern, in pixels.")] = 24,
    side: Annotated[
        int, typer.Option(help="Larger images are shrunk to this longer side, and then searched.")
    ] = 640,
    jobs: Jobs = -1,
    json: Json = False,
    quiet: Quiet = False,
    strict: Strict = False,
) -> None:
    """Find a pattern in images: where it is, how large and how strongly."""
    # A wrong folder is reported before anything heavy is loaded.
    from featx.jobs.inputs import list_inputs

    found = list_inputs(images)
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
