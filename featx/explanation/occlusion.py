"""Which parts of an image a score rests on: it falls where they are hidden."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

_TOGETHER = 16  # images that are scored at a time


def occlusion(
    score: Callable[[Sequence[NDArray[Any]]], NDArray[Any]],
    image: NDArray[Any],
    side: int,
    step: int,
    hidden: Any = 0,
) -> NDArray[np.float32]:
    """Map by how much a score falls where a square of an image is hidden.

    Parameters
    ----------
    score : function
        From a list of images to the score of each.
    image : ndarray of shape (height, width, channels)
        The image.
    side : int
        The side of a square, in pixels.
    step : int
        Pixels from one square to the next; the last of a row or column touches the border.
    hidden : number or array of shape (channels,), default=0
        What stands in place of the pixels of a square.

    Returns
    -------
    ndarray of float32, (height, width)
        For each pixel, the mean fall for the squares that hid it; zero where none did.

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
