"""``featx extract``."""

import os
import sys
from contextlib import suppress
from itertools import chain
from threading import Timer
from typing import TYPE_CHECKING, Annotated, Any

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
    listing,
    load_plugins,
    refused_as_data,
    show,
    show_refused,
)
from featx.cli.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Iterable

# More refused images than these are told apart in the ledger only.
_MOST_LINES = 20
_SOON = 5.0  # seconds


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
    # Before the processes start, so that they too search where the plugins are.
    load_plugins(plugin)
    inputs = _inputs(images, labels)
    if scheduler is None and (jobs == -1 or jobs > 0) and not os.path.lexists(out):
        # There is something to do: processes start while what follows is loaded.
        from featx.pipeline import processes

        processes.start(jobs, "featx.pipeline.workers")

    from featx.jobs.extract import write_features
    from featx.pipeline.fitting import split
    from featx.pipeline.recipes import read_recipe
    from featx.store.store import read_refused

    known = read_recipe(recipe)
    stream, _ = split(known.pipeline)
    # Larger chunks than for threads: each goes to another process and back.
    stream.n_jobs, stream.chunk_size = jobs, 32
    with Interruption() as interruption, Progress(None, quiet) as progress:
        # A short run, such as one with nothing to do, needs no forecast.
        counting = Timer(_SOON, _count, (images, progress))
        counting.daemon = True
        counting.start()
        try:
            written = write_features(
                out, inputs, stream, known.name, seconds, scheduler, progress, interruption
            )
        finally:
            counting.cancel()
        if written.complete:
            progress.expect(written.images)
    refused = written.refused.total()
    few = refused <= _MOST_LINES
    listed = read_refused(out) if refused and (json or few) else []
    result = {
        "out": out,
        "images": written.images,
        "earlier": written.earlier,
        "removed": written.removed,
        "dimensions": written.dimensions,
        "refused": refused_as_data(listed),
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
        if few:
            show_refused(listed, strict=False)
        reasons = ", ".join(f"{count} {reason}" for reason, count in written.refused.most_common())
        where = f"; listed in {written.ledger}" if written.ledger else ""
        print(f"refused: {reasons}{where}", file=sys.stderr)
    if not written.complete:
        print("featx: stopped. To go on, run the same command again.", file=sys.stderr)
        raise typer.Exit(interruption.status)
    if refused and strict:
        raise typer.Exit(1)


def _inputs(images: str, labels: list[str]) -> "Iterable[tuple[Any, str | None]]":
    """Give the images as they are found; which classes there are, only a list of all tells."""
    if labels:
        return zip(*listing(images, labels), strict=True)
    from featx.datasets.listing import iterate_images

    inputs = iterate_images(images)
    return chain([next(inputs)], inputs)  # the first at once: what is wrong is said at once


def _count(folder: str, progress: Progress) -> None:
    """Find how many images there are in a folder, while work on them goes on."""
    from featx.core.errors import DatasetError
    from featx.datasets.listing import iterate_images

    if not os.path.isdir(folder):
        return
    with suppress(DatasetError):
        progress.expect(sum(1 for _ in iterate_images(folder)))
