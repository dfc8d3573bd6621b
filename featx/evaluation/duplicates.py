"""Detection of duplicate and near-duplicate images."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from featx.core.errors import RefusedImage
from featx.io.files import read_file
from featx.io.images import ReadImages
from featx.io.resizing import PIXELS
from featx.store.stored_images import StoredImage

SAME_BYTES, SAME_PICTURE, MIRRORED = "same bytes", "same picture", "mirrored picture"
_SIDE = 64  # of thumbnails, in pixels
_WAVES = 8  # frequencies of the perceptual hash along each axis
_SIGMA = 2.0  # standard deviation of the high-pass filter's Gaussian blur
#: Minimum cosine similarity of two near-duplicates: of perceptual hashes, and of details.
_WAVES_ALIKE, _DETAILS_ALIKE = 0.98, 0.7
#: Minimum shorter side in pixels: smaller images, such as digits, look alike by chance.
_LEAST_SIDE = 32
#: Minimum standard deviation of gray levels in [0, 255]: constant images match everything.
_FLAT = 2.0
_ROWS = 1024  # rows per block of the similarity matrix


class Copy(NamedTuple):
    """A pair of duplicates, by their indices, the smaller first."""

    first: int
    second: int
    #: ``SAME_BYTES``, ``SAME_PICTURE`` or ``MIRRORED``.
    kind: str


def thumbnails() -> ReadImages:
    """Return the stage that computes the input of `similar_pictures`."""
    return ReadImages(size=(_SIDE, _SIDE), mode="gray", reduced_decoding=True)


def are_pictures(images: Sequence[Any], first_stages: Iterable[Any]) -> bool:
    """Return whether all images are pictures: files for `ReadImages`, or arrays of pixels."""
    reads = all(type(stage) is ReadImages for stage in first_stages)
    return all(
        image.ndim == 3 and image.shape[2] in (1, 3) and image.dtype in PIXELS
        if isinstance(image, np.ndarray)
        else reads
        for image in images
    )


def content_hashes(images: Sequence[Any]) -> list[str]:
    """Return the SHA-256 of each file's bytes, or of each array's shape, type and pixels.

    For an unreadable file, return the rejection reason instead.
    """
    return [_content_hash(image) for image in images]


def _content_hash(image: Any) -> str:
    if isinstance(image, np.ndarray):
        return hashlib.sha256(
            str((image.shape, image.dtype)).encode() + image.tobytes()
        ).hexdigest()
    if isinstance(image, StoredImage):
        return image.sha256
    try:
        return hashlib.sha256(read_file(image)).hexdigest()
    except RefusedImage as error:
        return error.reason


def find_copies(
    images: Sequence[Any], hashes: Sequence[str], small: Sequence[Any] | NDArray[Any] | None = None
) -> list[Copy]:
    """Find pairs of exact duplicates and near-duplicates.

    Parameters
    ----------
    images : sequence of paths or arrays of shape (n,)
        The images.
    hashes : sequence of str of shape (n,)
        Their `content_hashes`.
    small : ndarray of shape (n, 64, 64, 1) or list of such arrays, optional
        Output of `thumbnails`. If None, only exact duplicates are found.

    Returns
    -------
    list of Copy
        Pairs sorted by index. Each exact duplicate is paired with the first image of its content.

    Notes
    -----
    Images whose shorter side is below 32 pixels are compared by their bytes only. Small images,
    such as handwritten digits, look alike by chance.
    """
    first = dict[str, int]()
    copies = [
        Copy(first[content], position, SAME_BYTES)
        for position, content in enumerate(hashes)
        if first.setdefault(content, position) != position
    ]
    if small is not None:
        likely = [pair for pair in similar_pictures(small) if hashes[pair[0]] != hashes[pair[1]]]
        seen = {position for copy in likely for position in copy[:2]}
        large = {position for position in seen if _shorter_side(images[position]) >= _LEAST_SIDE}
        copies += [copy for copy in likely if large.issuperset(copy[:2])]
    return sorted(copies)


def grouped(hashes: Sequence[str], copies: Sequence[Copy]) -> NDArray[np.int64]:
    """Return a group index per image: the connected components of the graph of duplicates.

    Groups are sorted by hash, so that they do not depend on the order of the images.
    """
    links = np.array([copy[:2] for copy in copies], int).reshape(-1, 2)
    shape = (len(hashes), len(hashes))
    graph = coo_array((np.ones(len(links)), (links[:, 0], links[:, 1])), shape)
    group_of = connected_components(graph, directed=False)[1].tolist()
    least: dict[int, str] = {}
    for group, content in zip(group_of, hashes, strict=True):
        least[group] = min(content, least.get(group, content))
    names = [least[group] for group in group_of]
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _shorter_side(image: Any) -> int:
    if isinstance(image, np.ndarray):
        return int(min(image.shape[:2]))
    with Image.open(BytesIO(read_file(image))) as opened:
        return int(min(opened.size))


def similar_pictures(small: Sequence[Any] | NDArray[Any]) -> list[Copy]:
    r"""Find pairs that show the same picture, re-encoded, resized or mirrored.

    The perceptual hash consists of the 63 lowest non-constant coefficients of the discrete cosine
    transform, scaled to unit norm. For the mirror image, the coefficients of odd horizontal
    frequencies change their sign. Pairs with similar hashes are verified: the cosine similarity of
    their high-pass filtered pixels (pixels minus a Gaussian blur) must exceed 0.7.

    Parameters
    ----------
    small : ndarray of shape (n, 64, 64, 1) or list of such arrays
        Output of `thumbnails`.

    Returns
    -------
    list of Copy
        Pairs sorted by index. Constant images are skipped.

    Notes
    -----
    The threshold 0.7 was chosen on 1,881 outdoor photographs. Near-duplicates (re-encoded at
    quality 10 to 85, scaled to 1/2, 1/3 or 1/4, stretched, mirrored, converted to gray) have
    similarities of at least 0.75. All other pairs have at most 0.61.

    Examples
    --------
    >>> import numpy as np
    >>> from featx.evaluation.duplicates import similar_pictures
    >>> small = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1), dtype=np.uint8)
    >>> small[2] = small[0, :, ::-1]
    >>> similar_pictures(small)
    [Copy(first=0, second=2, kind='mirrored picture')]
    """
    pixels = np.array([_gray_levels(one) for one in small], np.float32).reshape(-1, _SIDE, _SIDE)
    shown = np.flatnonzero(pixels.std(axis=(1, 2)) > _FLAT)
    pixels = pixels[shown]
    waves = dctn(pixels, axes=(1, 2), norm="ortho")[:, :_WAVES, :_WAVES].copy()
    waves[:, 0, 0] = 0
    waves /= np.maximum(np.linalg.norm(waves, axis=(1, 2), keepdims=True), 1e-6)
    mirrored = waves * np.where(np.arange(_WAVES) % 2, -1, 1).astype(np.float32)
    waves, mirrored = waves.reshape(-1, _WAVES**2), mirrored.reshape(-1, _WAVES**2)
    found = {}
    for kind, others in ((MIRRORED, mirrored), (SAME_PICTURE, waves)):
        for pairs in _alike(waves, others):
            one, other = pixels[pairs[:, 0]], pixels[pairs[:, 1]]
            cosines = _detail_cosines(one, other[..., ::-1] if kind == MIRRORED else other)
            for first, second in shown[pairs[cosines > _DETAILS_ALIKE]].tolist():
                found[first, second] = kind
    return [Copy(*pair, kind) for pair, kind in sorted(found.items())]


def _gray_levels(pixels: NDArray[Any]) -> NDArray[np.float32]:
    """Scale pixels to [0, 255]."""
    whole = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    return pixels.astype(np.float32) * np.float32(255 / whole)


def _alike(waves: NDArray[np.float32], others: NDArray[np.float32]) -> Iterator[NDArray[np.int64]]:
    """Yield blocks of index pairs, the smaller first, with similar perceptual hashes."""
    for start in range(0, len(waves), _ROWS):
        cosines = waves[start : start + _ROWS] @ others[start:].T
        pairs = start + np.argwhere(np.triu(cosines, 1) > _WAVES_ALIKE)
        for part in range(0, len(pairs), _ROWS):
            yield pairs[part : part + _ROWS]


def _detail_cosines(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    a, b = (pixels - gaussian_filter(pixels, (0, _SIGMA, _SIGMA)) for pixels in (one, other))
    lengths = np.linalg.norm(a, axis=(1, 2)) * np.linalg.norm(b, axis=(1, 2))
    products = np.einsum("ijk,ijk->i", a, b)
    cosines: NDArray[np.float32] = products / np.maximum(lengths, np.float32(1e-6))
    return cosines
