"""Extraction of features to a store."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from threading import Timer
from typing import Any

import numpy as np

from featx.core.errors import DatasetError, RefusedImage
from featx.datasets.listing import iterate_images
from featx.datasets.loading import Listing
from featx.io.writing import image_name, refused_as_data
from featx.jobs.inputs import Labels, iterate_inputs, pipeline_of
from featx.jobs.progress import Progress, Report, report_to

# Larger chunks than for threads, because each is sent to another process.
_CHUNK = 32
_SOON = 5.0  # seconds before the files are counted; a shorter run needs no forecast


@dataclass
class Extraction:
    """Result of `extract`. It prints as one line."""

    #: The store: a folder that `read_features` reads.
    out: str | Path
    #: Number of images, and number of those finished by an earlier run.
    images: int
    earlier: int
    #: Number of images of earlier runs whose files no longer exist.
    removed: int
    dimensions: int
    #: Number of rejected images for each reason.
    reasons: Counter[str]
    #: CSV file that lists the rejected images of the store; None if no image was rejected.
    ledger: Path | None
    #: Whether all images are finished; False if the run was stopped.
    complete: bool

    @property
    def refused(self) -> list[RefusedImage]:
        """The rejected images, read from the store."""
        from featx.store.store import read_refused

        return read_refused(self.out) if self.reasons else []

    def __str__(self) -> str:
        refused = self.reasons.total()
        line = (
            f"{self.out}: {self.dimensions} features of {self.images - refused} images, "
            f"{refused} rejected"
        )
        line += f", {self.earlier} finished earlier" if self.earlier else ""
        return line + (f"; {self.removed} missing files are marked" if self.removed else "")

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data, for JSON."""
        return {
            "out": str(self.out),
            "images": self.images,
            "earlier": self.earlier,
            "removed": self.removed,
            "dimensions": self.dimensions,
            "refused": refused_as_data(self.refused),
            "complete": self.complete,
        }


def extract(
    images: Any,
    *,
    y: Any = None,
    recipe: Any,
    out: str | Path,
    labels: Labels = (),
    n_jobs: int | None = 1,
    scheduler: str | None = None,
    timeout: float = 60.0,
    progress: Progress = False,
    stopped: Callable[[], bool] = lambda: False,
) -> Extraction:
    """Compute features of images and write them as Parquet files, one row per image.

    A folder with features of the same stages is resumed: finished images are not read again
    unless their size or modification time changed, and missing files are marked. Arrays are
    always computed again.

    Parameters
    ----------
    images : str, Path, or sequence of paths or arrays
        A folder, whose subfolders are the classes; a glob; a CSV or Parquet manifest; an archive;
        a URL; or a sequence of images.
    y : array-like of shape (n,), optional
        The classes, if ``images`` is a sequence.
    recipe : str, Path, Pipeline or Stream
        The name or file of a recipe, or a pipeline that begins with a `Stream`. Only its stages
        before the first trainable one are used.
    out : str or Path
        The folder to write, or to resume.
    labels : dict or list of str, default=()
        Classes to merge and select: ``{"city": ["street", "tower"]}``, or
        ``["city=street,tower"]``.
    n_jobs : int, default=1
        Number of processes (for arrays: threads); -1 for one per processor.
    scheduler : str, optional
        Address of a Dask scheduler; its workers run the job.
    timeout : float, default=60.0
        Time limit per file, in seconds; a slower file is rejected.
    progress : bool or callable, default=False
        True prints plain lines on standard error. A callable receives (done, refused): the numbers
        of finished and of rejected images since its last call.
    stopped : callable, optional
        Called regularly; if it returns True, the current images are finished and the run stops.

    Returns
    -------
    Extraction
        Counts of the written and the rejected images.

    Raises
    ------
    DatasetError, InputError
        If the images cannot be found.
    RecipeError, ModelError
        If the recipe cannot be used.
    StoreError
        If the recipe returns neither vectors of one length nor descriptor sets, all images are
        rejected, or the folder holds other features.
    OutputError
        If the folder cannot be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from featx import extract, make_scenes, read_features
    >>> scenes, classes = make_scenes(n=4, size=(64, 64))
    >>> with TemporaryDirectory() as place:
    ...     extraction = extract(scenes, y=classes, recipe="edges-alone", out=f"{place}/features")
    ...     found = read_features(extraction.out)
    >>> extraction.images, found.vectors.shape
    (4, (4, 1))
    """
    inputs = iterate_inputs(images, y, labels)
    first = next(inputs)
    in_memory = isinstance(first[0], np.ndarray)
    new = not os.path.lexists(out)
    if (
        new
        and not in_memory
        and scheduler is None
        and (n_jobs is None or n_jobs == -1 or n_jobs > 0)
    ):
        # Processes start while the libraries below are imported.
        from featx.pipeline import processes

        processes.start(n_jobs, "featx.pipeline.workers")

    from featx.pipeline.fitting import split
    from featx.store.extraction import ArrayImage, write_features

    name, pipeline = pipeline_of(recipe)
    stream, _ = split(pipeline)
    stream.n_jobs = n_jobs
    stream.chunk_size = stream.chunk_size if in_memory else _CHUNK
    found: Iterable[tuple[Any, str | None]] = chain([first], inputs)
    if in_memory:
        found = (
            (ArrayImage(image_name(image, index), pixels=image), label)
            for index, (image, label) in enumerate(found)
        )
    with report_to(progress) as report, _counted(images, report):
        report.begin("Features", len(images.paths) if isinstance(images, Listing) else None)
        written = write_features(out, found, stream, name, timeout, scheduler, report, stopped)
        if written.complete:
            report.expect(written.images)
    return Extraction(out, *written)


@contextmanager
def _counted(images: Any, report: Report) -> Iterator[None]:
    """Count the files of a folder, for the time left, while they are processed."""
    counting = Timer(_SOON, _count, (images, report))
    counting.daemon = True
    counting.start()
    try:
        yield
    finally:
        counting.cancel()


def _count(images: Any, report: Report) -> None:
    if isinstance(images, str | Path) and os.path.isdir(images):
        with suppress(DatasetError):
            report.expect(sum(1 for _ in iterate_images(images)))
