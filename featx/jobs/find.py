"""Search of images for a pattern."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow
from numpy.typing import NDArray
from PIL import Image as Pictures
from PIL import ImageDraw

from featx.core.constraints import Array, fraction, natural
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import PatternError, RefusedImage
from featx.core.stage import Image, ImageStage
from featx.descriptors.pattern_search import Hit, find_pattern, small_pattern, stop_sign
from featx.io.decoding import read_image
from featx.io.images import ReadImages
from featx.io.resizing import resize_image
from featx.io.tables import check_table_name, write_table
from featx.io.writing import image_name, new_file, new_folder, refused_as_data
from featx.jobs.inputs import list_inputs
from featx.jobs.progress import Progress, report_to
from featx.pipeline.graph import Chunk
from featx.pipeline.stream import Stream

# Images per thread; as many wait in memory, in full size.
_CHUNK = 4


def read_pattern(pattern: Any) -> tuple[Image, NDArray[np.float32]]:
    """Return a pattern and its mask, which is 0 for transparent pixels.

    Parameters
    ----------
    pattern : str, Path, ndarray or (ndarray, ndarray)
        An image file, ``"stop-sign"``, an array, or an array and its mask.

    Raises
    ------
    PatternError
        If the visible part is constant.
    RefusedImage
        If the file cannot be read.
    """
    if isinstance(pattern, str | Path):
        return _read_pattern(pattern)
    pixels, mask = pattern if isinstance(pattern, tuple) else (pattern, None)
    pixels = _unit(np.asarray(pixels))
    mask = np.ones(pixels.shape[:2], np.float32) if mask is None else np.asarray(mask, np.float32)
    _check_varies("pattern", pixels, mask)
    return pixels, mask


def _read_pattern(name: str | Path) -> tuple[Image, NDArray[np.float32]]:
    if str(name) == "stop-sign":
        return stop_sign(96)
    on_white = read_image(name, background=(255, 255, 255)).astype(np.float32) / 255
    on_black = read_image(name, background=(0, 0, 0)).astype(np.float32) / 255
    mask = 1 - (on_white - on_black).mean(axis=2)
    pattern = on_black / np.maximum(mask, 1e-3)[..., np.newaxis]
    _check_varies(str(name), pattern, mask)
    return pattern, mask


def _check_varies(where: str, pattern: Image, mask: NDArray[np.float32]) -> None:
    shown = pattern[mask > 0.5]
    if len(shown) == 0 or np.ptp(shown, axis=0).max() == 0:
        raise PatternError(f"{where}: the visible part has one color. Use a pattern with edges.")


def _unit(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Return pixels as RGB of float32 in [0, 1]."""
    pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    full = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    unit = pixels.astype(np.float32) / np.float32(full)
    return np.ascontiguousarray(np.broadcast_to(unit, (*unit.shape[:2], 3)))


@dataclass
class Hits:
    """Result of `find`. It prints as one line."""

    #: The hits of each image, the strongest first; empty for a rejected image.
    hits: list[list[Hit]]
    #: One row per hit, and one row of nulls for an image without a hit: path, strength, box,
    #: scale, status, reason.
    table: pyarrow.Table
    refused: list[RefusedImage]
    #: The written table, if any.
    out: str | Path | None = None

    @property
    def images(self) -> int:
        """Number of searched images."""
        return len(self.hits) - len(self.refused)

    def __str__(self) -> str:
        data = self.as_data()
        line = f"{data['hits']} hits in {data['found_in']} of {self.images} images"
        return line if self.out is None else f"{self.out}: {line}"

    def as_data(self) -> dict[str, Any]:
        """Return the result as plain data, for JSON."""
        return {
            "out": None if self.out is None else str(self.out),
            "images": self.images,
            "found_in": sum(map(bool, self.hits)),
            "hits": sum(map(len, self.hits)),
            "refused": refused_as_data(self.refused),
        }


def find(
    pattern: Any,
    images: Any,
    *,
    out: str | Path | None = None,
    pictures: str | Path | None = None,
    threshold: float = 0.5,
    size: int = 24,
    side: int = 640,
    n_jobs: int | None = 1,
    progress: Progress = False,
) -> Hits:
    """Search images for a pattern and write a table and pictures of the hits.

    The table has one row per hit, the strongest of each image first. Its columns are ``path``;
    ``strength``; the box ``row``, ``column``, ``height``, ``width`` in pixels of the file;
    ``scale``, the height relative to the pattern's; ``status`` and ``reason``. An image without
    a hit has one row of nulls.

    Parameters
    ----------
    pattern : str, Path, ndarray or (ndarray, ndarray)
        An image file, whose transparent parts are ignored; ``"stop-sign"``; an RGB array; or an
        array and its mask in [0, 1].
    images : str, Path, or sequence of paths or arrays
        A folder; a glob; a CSV or Parquet manifest; an archive; a URL; or a sequence of images.
    out : str or Path, optional
        The table to write: ``FILE.csv`` or ``FILE.parquet``.
    pictures : str or Path, optional
        Folder to write, with a picture of each image that has a hit.
    threshold : float, default=0.5
        Minimum strength of a hit, from 0 to 1.
    size : int, default=24
        Height of the smallest pattern to find, in an image whose longer side is ``side``.
    side : int, default=640
        Larger images are shrunk to this longer side before the search.
    n_jobs : int, default=1
        Number of threads; -1 for one per processor.
    progress : bool or callable, default=False
        True prints plain lines on standard error. A callable receives (done, refused): the numbers
        of finished and of rejected images since its last call.

    Returns
    -------
    Hits
        The hits of each image, and the rejected images.

    Raises
    ------
    DatasetError, InputError
        If the images cannot be found.
    RefusedImage
        If the file of the pattern cannot be read.
    PatternError
        If the pattern is constant, or all images are rejected.
    OutputError
        If the table or the pictures cannot be written.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import find
    >>> scene = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    >>> found = find(scene[20:50, 40:80], [scene], size=30)
    >>> found.hits[0][0].row, found.hits[0][0].column
    (20.0, 40.0)
    """
    paths = list_inputs(images).paths
    masked = read_pattern(pattern)
    if out is not None:
        check_table_name(out)
    search = _Find(*small_pattern(*masked, size), threshold, side)
    found: list[list[Hit]] = []
    refused: list[RefusedImage] = []
    rows: list[dict[str, Any]] = []
    writing = nullcontext() if out is None else new_file(out)
    drawing = nullcontext() if pictures is None else new_folder(pictures)
    with report_to(progress) as report, writing as unfinished, drawing as folder:
        report.begin("Searching", len(paths))
        for chunk in Stream([ReadImages(), search], _CHUNK, n_jobs).iterate(paths):
            for image, hits, refusal in _by_image(chunk):
                name = image_name(image, len(found))
                rows += _rows(name, hits, refusal, masked[0].shape[0])
                if folder is not None and hits:
                    picture = folder / f"{len(found):06d} {Path(name).stem[:80]}.jpg"
                    draw_hits(image, hits).save(picture, "JPEG", quality=90)
                found.append(hits)
            refused += chunk.refused.values()
            report(len(chunk.items), len(chunk.refused))
        if len(refused) == len(found):
            raise PatternError(f"All {len(found)} images were rejected. The first: {refused[0]}")
        table = pyarrow.Table.from_pylist(rows, _SCHEMA)
        if unfinished is not None:
            write_table(table, unfinished)
    return Hits(found, table, refused, out)


_SCHEMA = pyarrow.schema(
    {
        "path": pyarrow.string(),
        **dict.fromkeys([*Hit._fields, "scale"], pyarrow.float64()),
        "status": pyarrow.string(),
        "reason": pyarrow.string(),
    }
)


def _by_image(chunk: Chunk) -> list[tuple[Any, list[Hit], RefusedImage | None]]:
    hits = iter(chunk.outputs[0])
    return [
        (path, [], chunk.refused[index])
        if index in chunk.refused
        else (path, [Hit(*map(float, row)) for row in next(hits).values], None)
        for index, path in enumerate(chunk.items)
    ]


def _rows(
    name: str, hits: list[Hit], refusal: RefusedImage | None, height: int
) -> list[dict[str, Any]]:
    common = {
        "path": name,
        "status": "ok" if refusal is None else "refused",
        "reason": None if refusal is None else refusal.reason,
    }
    return [{**common, **hit._asdict(), "scale": hit.height / height} for hit in hits] or [common]


def draw_hits(path: Any, hits: list[Hit]) -> Pictures.Image:
    """Draw the boxes and strengths of the hits into the image."""
    pixels = path if isinstance(path, np.ndarray) else read_image(path)
    picture = Pictures.fromarray(_bytes(pixels))
    draw = ImageDraw.Draw(picture)
    line = max(2, max(picture.size) // 300)
    for hit in hits:
        box = (hit.column, hit.row, hit.column + hit.width, hit.row + hit.height)
        draw.rectangle(box, outline=(255, 255, 0), width=line)
        text = (hit.column, max(0, hit.row - 7 * line))
        draw.text(text, f"{hit.strength:.2f}", (255, 255, 0), font_size=6 * line)
    return picture


def _bytes(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype != np.uint8:
        whole = 1 if pixels.dtype.kind == "f" else 65_535
        pixels = np.rint(pixels.astype(np.float32) / whole * 255).clip(0, 255)
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3)).astype(np.uint8)


class _Find(ImageStage):
    """Find the hits of an image; each row is a strength and a box."""

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "pattern": [Array(3)],
        "mask": [Array(2)],
        "threshold": [fraction],
        "side": [natural],
    }

    def __init__(
        self,
        pattern: Image,
        mask: NDArray[np.float32],
        threshold: float,
        side: int,
    ) -> None:
        self.pattern = pattern
        self.mask = mask
        self.threshold = threshold
        self.side = side

    def _transform_one(self, image: Image) -> Any:
        shrunk = resize_image(image, (self.side, self.side), "shrink", (0, 0, 0))
        down, across = image.shape[0] / shrunk.shape[0], image.shape[1] / shrunk.shape[1]
        shrunk = np.broadcast_to(shrunk, (*shrunk.shape[:2], 3))
        hits = find_pattern(shrunk, self.pattern, self.mask, threshold=self.threshold)
        scale = np.array([1, down, across, down, across], np.float32)
        return DescriptorSet(np.array(hits, np.float32).reshape(-1, 5) * scale)
