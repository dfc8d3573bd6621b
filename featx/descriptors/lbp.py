"""Histograms of local binary and ternary patterns of the whole image."""

from collections.abc import Sequence
from functools import lru_cache
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, Interval, StrOptions, pair, positive
from featx.core.errors import InputError
from featx.core.stage import ImageStage, Pixels, Requirements
from featx.descriptors.binary_patterns import (
    FEW_POINTS,
    METHODS,
    borders,
    boxes_between,
    circle,
    pattern_bins,
    pattern_histograms,
)

NORMS = ("L1", "L1-sqrt", "L2")
#: Beyond this number of points, the table of patterns would be larger than an image.
_MOST_POINTS = 24
number_of_points = Interval(Integral, 2, _MOST_POINTS, closed="both")


class LBP(ImageStage):
    r"""Histograms of local binary or ternary patterns.

    The pattern of a pixel :math:`x_c` has one bit for each of :math:`P` points :math:`p` on a
    circle of radius :math:`R`, counter-clockwise from the right:

    .. math:: \sum_{p=0}^{P-1} 2^p \, [x_p \ge x_c]

    where :math:`x_p` is bilinearly interpolated. The histogram of a cell counts the patterns of
    its pixels, in bins that ``method`` defines. A threshold :math:`t` replaces the pattern by two
    ternary patterns [3]_ with the bits :math:`[x_p \ge x_c + t]` and :math:`[x_p \le x_c - t]`,
    each with its own histogram.

    Parameters
    ----------
    points : int or list of int, default=8
        Number of points :math:`P`, at most 24. A list sets one number per radius.
    radius : float or list of float, default=1
        Radius :math:`R` in pixels. For a list, the histograms of all radii are concatenated.
    method : {"default", "ror", "uniform", "nri_uniform"}, default="uniform"
        Binning of the patterns:

        - ``"default"``: one bin per pattern, :math:`2^P` bins; at most 16 points;
        - ``"ror"``: one bin per class of patterns that are rotations of one another, 36 bins for 8
          points; at most 16 points;
        - ``"uniform"``: one bin per number of ones for uniform patterns, whose bits change at most
          twice around the circle, and one bin for all other patterns: :math:`P + 2` bins [1]_;
        - ``"nri_uniform"``: one bin per uniform pattern, and one bin for all other patterns:
          :math:`P(P - 1) + 3` bins [2]_.
    threshold : float, optional
        Threshold :math:`t` of ternary patterns, in units of the image. If None, patterns are
        binary. [3]_ uses 5 gray levels: 0.02.
    grid : (int, int), default=(1, 1)
        Rows and columns of cells, equal up to rounding: along an axis of :math:`d` pixels with
        patterns, the boundaries of :math:`n` cells are at :math:`\lfloor i d / n \rfloor`.
    norm : {"L1", "L1-sqrt", "L2"} or None, default="L1"
        Normalization of each histogram :math:`h`: :math:`h / \|h\|_1`, its square root, or
        :math:`h / \|h\|_2`. None returns counts.

    Raises
    ------
    ValueError
        If an image has fewer rows or columns of patterns than the grid has cells, or if
        parameters are incompatible.

    Notes
    -----
    Accepts maps (height, width, c). Returns vectors ordered by radius, channel, upper and lower
    pattern, cell row, cell column and bin.

    Pixels closer to the border than :math:`\lceil R \rceil` have no pattern. For 8-bit pixels, all
    other patterns equal those of `skimage.feature.local_binary_pattern`, including ties decided by
    rounding. Bins have the same numbers; those of ``"ror"`` are in the order of its values.
    scikit-image also counts border pixels, and treats points outside the image as zero.

    See Also
    --------
    DenseLBP : The same histograms in windows, as local descriptors.
    CENTRIST : Patterns of the eight neighbors over a spatial pyramid.

    References
    ----------
    .. [1] T. Ojala, M. Pietikäinen and T. Mäenpää, "Multiresolution Gray-Scale and Rotation
       Invariant Texture Classification with Local Binary Patterns", IEEE TPAMI 24(7), 2002.
    .. [2] T. Ahonen, A. Hadid and M. Pietikäinen, "Face Description with Local Binary Patterns:
       Application to Face Recognition", IEEE TPAMI 28(12), 2006.
    .. [3] X. Tan and B. Triggs, "Enhanced Local Texture Feature Sets for Face Recognition Under
       Difficult Lighting Conditions", IEEE TIP 19(6), 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import LBP
    >>> image = np.zeros((5, 5), dtype=np.uint8)
    >>> image[:, 2] = 255  # on the bright line, two of four neighbors are as bright as the pixel
    >>> LBP(points=4, norm=None).fit_transform([image])
    array([[0., 0., 0., 0., 6., 3.]], dtype=float32)
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "points": [number_of_points, Each(number_of_points)],
        "radius": [positive, Each(positive)],
        "method": [StrOptions(set(METHODS))],
        "threshold": [positive, None],
        "grid": [pair],
        "norm": [StrOptions(set(NORMS)), None],
    }

    def __init__(
        self,
        points: int | Sequence[int] = 8,
        radius: float | Sequence[float] = 1,
        method: str = "uniform",
        threshold: float | None = None,
        grid: Sequence[int] = (1, 1),
        norm: str | None = "L1",
    ) -> None:
        self.points = points
        self.radius = radius
        self.method = method
        self.threshold = threshold
        self.grid = grid
        self.norm = norm

    def _circles(self) -> list[tuple[int, float]]:
        """Return pairs of a number of points and a radius."""
        radii = self.radius if isinstance(self.radius, Sequence) else [self.radius]
        numbers = self.points if isinstance(self.points, Sequence) else [self.points] * len(radii)
        return list(zip(numbers, radii, strict=True))

    def _requirements(self) -> Requirements:
        if isinstance(self.points, Sequence):
            radii = len(self.radius) if isinstance(self.radius, Sequence) else 1
            if len(self.points) != radii:
                raise InputError(
                    f"LBP: points has {len(self.points)} entries, but the number of radii is "
                    f"{radii}. Pass one number, or one per radius."
                )
        check_points(self, max(points for points, _ in self._circles()))
        border = 2 * max(circle(*chosen).margin for chosen in self._circles())
        rows, columns = self.grid
        return Requirements((rows + border, columns + border), uint8=True)

    def _transform_one(self, image: Pixels) -> NDArray[np.float32]:
        parts = []
        for points, radius in self._circles():
            bins, count = pattern_bins(points, self.method)
            around = circle(points, radius)
            boxes = _cells(*image.shape[:2], around.margin, *self.grid)
            for channel in range(image.shape[2]):
                counted = pattern_histograms(
                    image[..., channel], around, self.threshold, bins, count, boxes
                )
                parts.append(normalized(counted.reshape(-1, count), self.norm))
        return np.concatenate(parts, axis=None)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        rows, columns = self.grid
        return [
            f"{channel}_lbp{points}_{radius:g}_{half}cell{row}_{column}_bin{bin_}"
            for points, radius in self._circles()
            for channel in channels
            for half in ([""] if self.threshold is None else ["upper_", "lower_"])
            for row in range(rows)
            for column in range(columns)
            for bin_ in range(pattern_bins(points, self.method)[1])
        ]


def check_points(stage: Any, points: int) -> None:
    """Raise `InputError` if the method has too many bins for this number of points."""
    if stage.method in FEW_POINTS and points > 16:
        raise InputError(
            f'{type(stage).__name__}: method="{stage.method}" supports at most 16 points, got '
            f'{points}. Use "uniform" or "nri_uniform", which have fewer bins.'
        )


def normalized(vectors: NDArray[np.float32], norm: str | None) -> NDArray[np.float32]:
    """Normalize each row of counts in place; rows must not be all zero."""
    if norm == "L2":
        vectors /= np.sqrt(np.einsum("ij,ij->i", vectors, vectors))[:, np.newaxis]
    elif norm is not None:
        vectors /= vectors.sum(axis=1, keepdims=True)
    return np.sqrt(vectors, out=vectors) if norm == "L1-sqrt" else vectors


@lru_cache(maxsize=32)
def _cells(height: int, width: int, margin: int, rows: int, columns: int) -> NDArray[np.int64]:
    height, width = height - 2 * margin, width - 2 * margin
    return boxes_between(borders(height, rows), borders(width, columns))
