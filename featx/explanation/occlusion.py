"""Occlusion maps: decrease of a score when parts of an image are hidden."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 16  # images scored per batch


def occlusion(
    score: Callable[[Sequence[NDArray[Any]]], NDArray[Any]],
    image: NDArray[Any],
    side: int,
    step: int,
    hidden: Any = 0,
) -> NDArray[np.float32]:
    """Compute the decrease of a score when a square of an image is occluded.

    Parameters
    ----------
    score : function
        Maps a list of images to their scores.
    image : ndarray of shape (height, width, channels)
        The image.
    side : int
        Side of the square, in pixels.
    step : int
        Stride of the square, in pixels. The last square of a row or column touches the border.
    hidden : number or array of shape (channels,), default=0
        Fill value of the square.

    Returns
    -------
    ndarray of float32, (height, width)
        For each pixel, the mean decrease over the squares that cover it; zero if none does.

    References
    ----------
    .. [1] M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV
       2014.

    Examples
    --------
    >>> import numpy as np
    >>> from featx.explanation.occlusion import occlusion
    >>> image = np.array([[[1], [0], [0], [5]]])
    >>> occlusion(lambda images: np.array([one.sum() for one in images]), image, side=1, step=1)
    array([[1., 0., 0., 5.]], dtype=float32)
    """
    height, width = image.shape[:2]
    squares = [
        (slice(row, row + side), slice(column, column + side))
        for row in _starts(height, side, step)
        for column in _starts(width, side, step)
    ]

    def covered() -> Iterator[NDArray[Any]]:
        for square in squares:
            copy = image.copy()
            copy[square] = hidden
            yield copy

    whole, scores, images = float(score([image])[0]), list[float](), covered()
    while some := list(islice(images, _TOGETHER)):
        scores += map(float, score(some))
    falls, count = np.zeros((height, width)), np.zeros((height, width))
    for square, left in zip(squares, scores, strict=True):
        falls[square] += whole - left
        count[square] += 1
    return (falls / np.maximum(count, 1)).astype(np.float32)


def _starts(length: int, side: int, step: int) -> list[int]:
    last = max(length - side, 0)
    return sorted({*range(0, last, step), last})
