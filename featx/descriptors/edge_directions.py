"""Edge direction histograms and coherence vectors."""

from numbers import Integral, Real
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.compiled import compiled
from featx.core.constraints import Interval, positive, positive_to
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements

# cv2.Canny requires 16-bit gradients of magnitude up to 32767: about 32767 / sqrt(2) per axis.
_LARGEST_GRADIENT = 23000


class EdgeDirections(ImageStage):
    r"""Histogram of edge directions, separated into coherent and incoherent edge pixels.

    Edges are detected by Canny's method. The image is smoothed, and Sobel's filter computes the
    gradient :math:`(g_x, g_y)`. Candidates are pixels whose magnitude
    :math:`\sqrt{g_x^2 + g_y^2}` is a maximum across the edge. They are kept above
    ``high_threshold``, or above ``low_threshold`` if connected to a pixel above
    ``high_threshold``. An edge pixel has the direction of its gradient,

    .. math:: b = \left\lfloor \frac{n}{360°} \operatorname{atan2}(-g_y, g_x) \right\rfloor
        \bmod n

    with :math:`n` bins, counter-clockwise from 0, where brightness increases to the right.
    Eight-connected pixels of one bin form a component. A pixel is coherent if its component covers
    at least ``coherent_size`` of the image. Let :math:`c_b` and :math:`i_b` be the numbers of
    coherent and incoherent pixels in bin :math:`b`, among :math:`e` edge pixels and :math:`m`
    pixels in total. The features are

    .. math:: \frac{c_0}{e}, \dots, \frac{c_{n-1}}{e},\ \frac{i_0}{e}, \dots, \frac{i_{n-1}}{e},\
        \frac{m - e}{m}

    called the *edge direction coherence vector*. With ``coherence=False``, :math:`c_b + i_b` are
    combined to the *edge direction histogram*.

    Parameters
    ----------
    bins : int, default=72
        Number of directions; 72 bins are 5 degrees wide.
    coherence : bool, default=True
        Whether to count coherent and incoherent pixels separately.
    coherent_size : float, default=0.001
        Minimum size of a coherent component, as a fraction of the image.
    sigma : float or None, default=1.0
        Standard deviation of the Gaussian before Sobel's filter, in pixels; None disables
        smoothing.
    low_threshold, high_threshold : float, default=0.2, 0.4
        Canny's thresholds, in units of `Sobel`: a step from 0 to 1 has magnitude 4 before
        smoothing.

    Raises
    ------
    ValueError
        If ``low_threshold`` exceeds ``high_threshold``, or if an image has several channels.

    See Also
    --------
    HOG : Orientations of all gradients, by cells.

    Notes
    -----
    Accepts maps (height, width, 1). Returns vectors of :math:`2n + 1` or :math:`n + 1` entries in
    [0, 1]. For an image without edges, the last entry is 1 and all others are 0.

    Edges are those of `cv2.Canny`. The paper does not report its parameters; the defaults here
    were chosen for featx.

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
                f"EdgeDirections: low_threshold={self.low_threshold:g} exceeds "
                f"high_threshold={self.high_threshold:g}. It must be at most high_threshold."
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
    """Detect edges with OpenCV, after scaling the gradients to its integer range."""
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
    """Count the pixels of each label from 0 up, large components in row 0, small ones in row 1.

    ``labels`` is overwritten.
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
