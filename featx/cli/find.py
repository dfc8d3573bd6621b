"""``featx find``."""

from typing import Annotated

import typer

from featx.cli.options import (
    Images,
    Jobs,
    Json,
    Quiet,
    Strict,
    Table,
    listing,
    refused_as_data,
    show,
    show_refused,
)
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
    found = listing(images, [])

    from featx.jobs.find import read_pattern, write_hits

    wanted = read_pattern(pattern)
    with Progress(len(found.paths), quiet) as progress:
        hits, refused = write_hits(
            wanted, found.paths, out, pictures, threshold, size, side, jobs, progress
        )
    result = {
        "out": out,
        "images": len(hits) - len(refused),
        "found_in": sum(map(bool, hits)),
        "hits": sum(map(len, hits)),
        "refused": refused_as_data(refused),
    }
    line = f"{out}: {result['hits']} hits in {result['found_in']} of {result['images']} images"
    show(result, line, json)
    show_refused(refused, strict)
