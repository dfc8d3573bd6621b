"""Directions of edges, and which of them belong to lines."""

from numbers import Integral, Real
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import Interval, positive, positive_to
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements

# OpenCV takes gradients of 16 bits, and lengths up to 32767: so much for each of two parts.
_LARGEST_GRADIENT = 23000


class EdgeDirections(ImageStage):
    r"""Histogram of the directions of edge pixels, coherent and incoherent ones apart.

    Edges are found by Canny's method: the image is smoothed, Sobel's filter gives the gradient
    :math:`(g_x, g_y)`, and pixels whose :math:`\sqrt{g_x^2 + g_y^2}` is a maximum across the edge
    are kept, if they exceed ``high_threshold``, or ``low_threshold`` and are connected with one
    that does. The direction of an edge pixel is that of its gradient,

    .. math:: b = \left\lfloor \frac{n}{360°} \operatorname{atan2}(-g_y, g_x) \right\rfloor
        \bmod n

    counter-clockwise, 0 where brightness grows to the right, with :math:`n` bins. Neighbours, of
    eight, in one bin are connected; a pixel is coherent if so connected pixels, itself included,
    are at least ``coherent_size`` of the image. With :math:`c_b` coherent and :math:`i_b`
    incoherent pixels in bin :math:`b`, :math:`e` edge pixels and :math:`m` pixels in all, the
    features are

    .. math:: \frac{c_0}{e}, \dots, \frac{c_{n-1}}{e},\ \frac{i_0}{e}, \dots, \frac{i_{n-1}}{e},\
        \frac{m - e}{m}

    the *edge direction coherence vector*; or the *edge direction histogram*, with
    :math:`c_b + i_b` together.

    Parameters
    ----------
    bins : int, default=72
        The number of directions; 72 are of 5 degrees each.
    coherence : bool, default=True
        Whether coherent and incoherent pixels are counted apart.
    coherent_size : float, default=0.001
        The least size of coherent pixels' components, as a fraction of the image.
    sigma : float or None, default=1.0
        Standard deviation of the Gaussian before Sobel's filter, in pixels; None for no smoothing.
    low_threshold, high_threshold : float, default=0.2, 0.4
        Canny's thresholds, in units of `Sobel`: a step between 0 and 1 has 4 before smoothing.

    Raises
    ------
    ValueError
        If ``low_threshold`` is greater than ``high_threshold``, or an image has several channels.

    See Also
    --------
    HOG : Directions of all gradients, by cells.

    Notes
    -----
    Takes maps (height, width, 1); gives vectors of :math:`2n + 1` or :math:`n + 1` entries, all in
    [0, 1]. An image without edges gives 0, and 1 for the last entry.

    Edges are those of `cv2.Canny`. The paper does not give Canny's parameters; those here are
    ours.

    References
    ----------
    .. [1] A. Vailaya, A. Jain and H.-J. Zhang, "On Image Classification: City Images vs.
       Landscapes", Pattern Recognition 31(12), 1998.
    .. [2] J. Canny, "A Computational Approach to Edge Detection", IEEE TPAMI 8(6), 1986.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import EdgeDirections
    >>> image = np.zeros((20, 20), dtype=np.float32)
    >>> image[:, 8:] = 1  # one edge, brighter to the right
    >>> edges = EdgeDirections(bins=4, coherent_size=0.03)
    >>> edges.fit_transform([image]).round(2)
    array([[1.  , 0.  , 0.  , 0.  , 0.  , 0.  , 0.  , 0.  , 0.95]], dtype=float32)
    """

    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "bins": [Interval(Integral, 1, 32767, closed="both")],
        "coherence": ["boolean"],
        "coherent_size": [Interval(Real, 0, 1, closed="both")],
        "sigma": [positive_to(1000), None],
        "low_threshold": [positive],
        "high_threshold": [positive],
    }

    def __init__(
        self,
        bins: int = 72,
        coherence: bool = True,
        coherent_size: float = 0.001,
        sigma: float | None = 1.0,
        low_threshold: float = 0.2,
        high_threshold: float = 0.4,
    ) -> None:
        self.bins = bins
        self.coherence = coherence
        self.coherent_size = coherent_size
        self.sigma = sigma
        self.low_threshold = low_threshold
        self.high_threshold = high_threshold

    def _requirements(self) -> Requirements:
        if self.low_threshold > self.high_threshold:
            raise InputError(
                f"EdgeDirections: low_threshold must not be above high_threshold, but they are "
                f"{self.low_threshold:g} and {self.high_threshold:g}."
            )
        return Requirements(channels=(1,))

    def _transform_one(self, image: Image) -> NDArray[np.float32]:
        gray: Any = image[..., 0]
        if self.sigma is not None:
            gray = cv2.GaussianBlur(gray, (0, 0), self.sigma, borderType=cv2.BORDER_REFLECT_101)
        across, down = (
            np.asarray(cv2.Sobel(gray, cv2.CV_32F, *order, borderType=cv2.BORDER_REFLECT_101))
            for order in ((1, 0), (0, 1))
        )
        edges = _canny(across, down, self.low_threshold, self.high_threshold)
        labels = np.full(edges.shape, -1, np.int16)
        angles = np.arctan2(-down[edges], across[edges], dtype=np.float64)
        labels[edges] = np.floor(angles * (self.bins / (2 * np.pi))) % self.bins
        counts = np.zeros((2, self.bins))
        _count_by_coherence(labels, self.coherent_size * labels.size, counts)
        if not self.coherence:
            counts = counts.sum(axis=0)
        found = counts.sum()
        shares = counts.ravel() / max(found, 1)
        return np.append(shares, 1 - found / labels.size).astype(np.float32)

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        kinds = ("coherent", "incoherent") if self.coherence else ("edge",)
        return [f"{kind}_direction{b}" for kind in kinds for b in range(self.bins)] + ["no_edge"]


def _canny(
    across: NDArray[np.float32], down: NDArray[np.float32], low: float, high: float
) -> NDArray[np.bool_]:
    """Find edges with OpenCV, whose gradients are whole numbers, whatever the range of values."""
    largest = max(float(np.abs(across).max()), float(np.abs(down).max()))
    if largest == 0:
        return np.zeros(across.shape, np.bool_)
    scale = _LARGEST_GRADIENT / largest
    dx, dy = (np.rint(part * scale).astype(np.int16) for part in (across, down))
    return np.asarray(cv2.Canny(dx, dy, low * scale, high * scale, L2gradient=True)) > 0


@compiled
def _count_by_coherence(
    labels: NDArray[np.int16], least: float, counts: NDArray[np.float64]
) -> None:
    """Count the pixels of each label from 0 up, those of large components before the others.

    Labels are overwritten.
    """
    height, width = labels.shape
    pending = np.empty((labels.size, 2), np.int32)
    for i in range(height):
        for j in range(width):
            label = labels[i, j]
            if label < 0:
                continue
            labels[i, j] = -1
            pending[0, 0], pending[0, 1] = i, j
            done, found = 0, 1
            while done < found:
                row, column = pending[done]
                done += 1
                for y in range(max(row - 1, 0), min(row + 2, height)):
                    for x in range(max(column - 1, 0), min(column + 2, width)):
                        if labels[y, x] == label:
                            labels[y, x] = -1
                            pending[found, 0], pending[found, 1] = y, x
                            found += 1
            counts[0 if found >= least else 1, label] += found
