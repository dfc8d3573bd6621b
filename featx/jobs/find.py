"""Images searched for a pattern: a table of the places where it is, and pictures of them."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
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
from featx.io.writing import as_text, new_file, new_folder
from featx.pipeline.graph import Chunk
from featx.pipeline.stream import Stream

Progress = Callable[[int, int], object]
# Whole photographs are in memory, this many a thread and as many waiting.
_CHUNK = 4


def read_pattern(name: str | Path) -> tuple[Image, NDArray[np.float32]]:
    """Read a pattern and its mask, which is 0 where the picture is transparent.

    Parameters
    ----------
    name : str or Path
        An image file, or ``"stop-sign"``.

    Raises
    ------
    PatternError
        If all that counts of it is one colour.
    RefusedImage
        If the file cannot be read.
    """
    if str(name) == "stop-sign":
        return stop_sign(96)
    on_white = read_image(name, background=(255, 255, 255)).astype(np.float32) / 255
    on_black = read_image(name, background=(0, 0, 0)).astype(np.float32) / 255
    mask = 1 - (on_white - on_black).mean(axis=2)
    pattern = on_black / np.maximum(mask, 1e-3)[..., np.newaxis]
    shown = pattern[mask > 0.5]
    if len(shown) == 0 or np.ptp(shown, axis=0).max() == 0:
        raise PatternError(f"{name}: a pattern must vary, but all that is seen is one colour.")
    return pattern, mask


def write_hits(
    pattern: tuple[Image, NDArray[np.float32]],
    paths: Sequence[Any],
    file: str | Path,
    pictures: str | Path | None = None,
    threshold: float = 0.5,
    size: int = 24,
    side: int = 640,
    n_jobs: int | None = 1,
    progress: Progress = lambda done, refused: None,
) -> tuple[list[list[Hit]], list[RefusedImage]]:
    """Search images, and write a CSV or Parquet table and, where asked, pictures of the hits.

    The table has a row for every hit, the strongest of an image first: ``path``, ``strength``,
    the box ``row``, ``column``, ``height``, ``width`` in pixels of the file, ``scale``, which is
    its height over the pattern's, ``status`` and ``reason``. An image without a hit has one row
    without numbers.

    Parameters
    ----------
    pattern : (ndarray, ndarray)
        The pattern and its mask, as `read_pattern` gives them.
    paths : list of str
        The images.
    file : str or Path
        The table.
    pictures : str or Path, optional
        A folder to make, with a picture of each image that has a hit.
    threshold : float
        The least strength of a hit.
    size : int
        The height of the smallest pattern that is found, in an image of which the longer side is
        ``side``.
    side : int
        To which the longer side of larger images is shrunk before they are searched.

    Returns
    -------
    list of list of Hit
        For each image, its hits.
    list of RefusedImage
        The images that could not be read.
    """
    check_table_name(file)
    search = _Find(*small_pattern(*pattern, size), threshold, side)
    found: list[list[Hit]] = []
    refused: list[RefusedImage] = []
    rows: list[dict[str, Any]] = []
    with new_file(file) as unfinished, _folder(pictures) as folder:
        for chunk in Stream([ReadImages(), search], _CHUNK, n_jobs).iterate(paths):
            for path, hits, refusal in _by_image(chunk):
                rows += _rows(path, hits, refusal, pattern[0].shape[0])
                if folder is not None and hits:
                    picture = folder / f"{len(found):06d} {Path(as_text(path)).stem[:80]}.jpg"
                    draw_hits(path, hits).save(picture, "JPEG", quality=90)
                found.append(hits)
            refused += chunk.refused.values()
            progress(len(chunk.items), len(chunk.refused))
        if len(refused) == len(found):
            raise PatternError(f"All {len(found)} images are refused. The first: {refused[0]}")
        write_table(pyarrow.Table.from_pylist(rows, _SCHEMA), unfinished)
    return found, refused


def _folder(pictures: str | Path | None) -> AbstractContextManager[Path | None]:
    return nullcontext() if pictures is None else new_folder(pictures)


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
    path: Any, hits: list[Hit], refusal: RefusedImage | None, height: int
) -> list[dict[str, Any]]:
    common = {
        "path": as_text(path),
        "status": "ok" if refusal is None else "refused",
        "reason": None if refusal is None else refusal.reason,
    }
    return [{**common, **hit._asdict(), "scale": hit.height / height} for hit in hits] or [common]


def draw_hits(path: Any, hits: list[Hit]) -> Pictures.Image:
    """Draw the boxes of the hits, and their strengths, into the image."""
    picture = Pictures.fromarray(_bytes(read_image(path)))
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
    """The hits of an image as rows: strength and box."""

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
