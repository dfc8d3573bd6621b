"""Edge filters: first differences, Sobel, and steerable derivatives of a Gaussian."""

from functools import lru_cache
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, Interval, StrOptions, natural_to, positive_to
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.blur import gaussian_radius
from featx.filters.convolve import PADDINGS, correlate, correlate_separable, interleave, read_only

#: Orientation of a line, in degrees counter-clockwise from the horizontal axis.
line_angle = Interval(Real, 0, 180, closed="left")


class Difference(ImageStage):
    r"""First differences of adjacent pixels.

    .. math:: V_{i,j} = x_{i,j} - x_{i,j+1}, \qquad H_{i,j} = x_{i,j} - x_{i+1,j}

    The kernels are ``[1 -1]`` and its transpose.

    Parameters
    ----------
    axis : {"vertical", "horizontal", "both"}, default="vertical"
        Orientation of the edges: vertical :math:`V`, horizontal :math:`H`, or both.
    padding : {"valid", "zero", "reflect", "edge"}, default="edge"
        Border handling, as in `Convolve`. With ``"edge"``, the last difference is 0.

    Raises
    ------
    ValueError
        If the padding is ``"valid"`` and an image has only one pixel along the kernel.

    See Also
    --------
    Sobel : Differences with smoothing along the edge.

    Notes
    -----
    Accepts images (height, width, channels) and filters each channel separately. ``"both"``
    returns the vertical, then the horizontal response of channel 0, then both of channel 1, and
    so on. ``"valid"`` removes one column for vertical edges, one row for horizontal edges, and
    one of each for ``"both"``. Values in [0, 1] result in responses in [-1, 1], positive where
    the left or the upper pixel is brighter.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Difference
    >>> image = np.array([[1, 1, 0, 0]], dtype=np.float32)
    >>> Difference().fit_transform([image])[0, :, :, 0]
    array([[0., 1., 0., 0.]], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "axis": [StrOptions({"vertical", "horizontal", "both"})],
        "padding": [PADDINGS],
    }

    def __init__(self, axis: str = "vertical", padding: str = "edge") -> None:
        self.axis = axis
        self.padding = padding

    def _requirements(self) -> Requirements:
        sizes = [kernel.shape for kernel in self._kernels()]
        return Requirements(_largest(sizes) if self.padding == "valid" else (1, 1))

    def _transform_one(self, image: Image) -> Image:
        return interleave([correlate(image, kernel, self.padding) for kernel in self._kernels()])

    def _kernels(self) -> list[NDArray[np.float32]]:
        return [difference_kernel(axis, self.axis == "both") for axis in _axes(self.axis)]

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        axes = _axes(self.axis)
        return [f"{channel}_difference_{axis}" for channel in channels for axis in axes]


class Sobel(ImageStage):
    r"""Sobel edge filter: differences across the edge, smoothed along it.

    .. math::
        V = x * \begin{bmatrix} 1 & 0 & -1 \\ 2 & 0 & -2 \\ 1 & 0 & -1 \end{bmatrix}, \qquad
        H = x * \begin{bmatrix} 1 & 2 & 1 \\ 0 & 0 & 0 \\ -1 & -2 & -1 \end{bmatrix}

    The kernels are not flipped, as in `Convolve`.

    Parameters
    ----------
    axis : {"vertical", "horizontal", "both", "magnitude"}, default="vertical"
        Orientation of the edges: vertical :math:`V`, horizontal :math:`H`, both, or the gradient
        magnitude :math:`\sqrt{V^2 + H^2}`.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        Border handling, as in `Convolve`.

    Raises
    ------
    ValueError
        If the padding is ``"valid"`` and an image is smaller than 3 x 3 pixels.

    See Also
    --------
    OrientedEdges : Edges at any number of orientations and at any scale.

    Notes
    -----
    Accepts images (height, width, channels) and filters each channel separately. ``"both"``
    returns the vertical, then the horizontal response of channel 0, then both of channel 1, and
    so on. ``"valid"`` reduces :math:`d` rows and columns to :math:`d - 2`.

    The weights are not normalized: values in [0, 1] result in responses in [-4, 4], and a step of
    height 1 in a response of 4. :math:`V` and :math:`H` are positive where the left or the upper
    side is brighter.

    `scipy.ndimage.sobel` and `cv2.Sobel` have the opposite sign. `skimage.filters.sobel` has the
    opposite sign and a fourth of the value; its magnitude is also divided by :math:`\sqrt 2`.

    References
    ----------
    .. [1] I. Sobel and G. Feldman, "A 3x3 isotropic gradient operator for image processing",
       talk at the Stanford Artificial Intelligence Project, 1968.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Sobel
    >>> image = np.zeros((3, 6), dtype=np.float32)
    >>> image[:, :3] = 1
    >>> Sobel(axis="vertical").fit_transform([image])[0, 1, :, 0]
    array([0., 0., 4., 4., 0., 0.], dtype=float32)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "axis": [StrOptions({"vertical", "horizontal", "both", "magnitude"})],
        "padding": [PADDINGS],
    }

    def __init__(self, axis: str = "vertical", padding: str = "reflect") -> None:
        self.axis = axis
        self.padding = padding

    def _requirements(self) -> Requirements:
        return Requirements((3, 3) if self.padding == "valid" else (1, 1))

    def _transform_one(self, image: Image) -> Image:
        if self.axis == "magnitude":
            vertical, horizontal = (
                sobel(image, axis, self.padding) for axis in ("vertical", "horizontal")
            )
            # The last bit of cv2.magnitude depends on the memory address of a value.
            vertical *= vertical
            horizontal *= horizontal
            vertical += horizontal
            return np.sqrt(vertical, out=vertical)
        return interleave([sobel(image, axis, self.padding) for axis in _axes(self.axis)])

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        axes = _axes(self.axis)
        return [f"{channel}_sobel_{axis}" for channel in channels for axis in axes]


class OrientedEdges(ImageStage):
    r"""Edges or lines at any number of orientations, by steerable derivatives of a Gaussian.

    Let :math:`u = x \sin\theta + y \cos\theta` be the distance from a line of orientation
    :math:`\theta` through the center (:math:`x` to the right, :math:`y` downwards). The kernels
    are

    .. math::
        w_\theta \propto -u \, e^{-(x^2 + y^2) / 2\sigma^2}
        \qquad \text{(order 1, edges)}

    .. math::
        w_\theta \propto (1 - u^2 / \sigma^2) \, e^{-(x^2 + y^2) / 2\sigma^2}
        \qquad \text{(order 2, lines)}

    Parameters
    ----------
    orientations : int or list of float, default=8
        Number of orientations, evenly spaced from 0 to 180 degrees, or a list of orientations in
        [0, 180). An orientation is that of the *line* of the edge, in degrees counter-clockwise
        from the horizontal axis: 90 detects vertical edges.
    sigma : float, default=1.0
        Standard deviation of the Gaussian, in pixels.
    order : {1, 2}, default=1
        Order of the derivative: 1 detects edges between dark and bright regions, 2 thin lines.
    truncate : float, default=6.0
        Radius of the kernel in standard deviations, rounded as in `GaussianBlur`. At 6 the
        truncation error is below single precision.
    padding : {"valid", "zero", "reflect", "edge"}, default="reflect"
        Border handling, as in `Convolve`.

    Raises
    ------
    ValueError
        If the padding is ``"valid"`` and an image is smaller than the kernel.

    See Also
    --------
    Sobel : Vertical and horizontal edges, 3 x 3 pixels.
    PatternMatch : Detects long lines in the responses, each at its own orientation.

    Notes
    -----
    Accepts images (height, width, channels) and filters each channel separately. The output has
    one channel per orientation: all responses of channel 0 in the order of the orientations, then
    all of channel 1, and so on. Names are ``gray_edges_045`` (``gray_lines_045`` for order 2).

    The kernels for 0 and 90 degrees are scaled so that their positive weights sum to one. With
    order 1, a vertical or horizontal step of height 1 results in a response of 1 on both sides.
    For other orientations, sampling increases this sum to at most 1.08 with ``sigma=1`` and 1.02
    with ``sigma=2``. Values in [0, 1] result in responses within plus and minus that sum.

    The sign is that of `Sobel`: positive where the left side, or for 0 degrees the upper side, is
    brighter. With order 2, bright lines have positive and dark lines negative responses. To make
    the kernel sum to zero, the factor before the exponential uses the variance of the sampled
    Gaussian as :math:`\sigma^2`.

    A derivative of a Gaussian at any orientation is a weighted sum of two basis kernels (order 1)
    or three (order 2) [1]_. The basis kernels are separable: all orientations together cost two
    or three separable passes and one product with a small matrix. The result is exact.

    References
    ----------
    .. [1] W. T. Freeman and E. H. Adelson, "The design and use of steerable filters", IEEE
       Transactions on Pattern Analysis and Machine Intelligence 13, 1991.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import OrientedEdges
    >>> image = np.zeros((9, 10), dtype=np.float32)
    >>> image[:, :5] = 1
    >>> edges = OrientedEdges(orientations=4).fit([image])
    >>> edges.transform([image])[0, 4, 4].round(2)
    array([0.  , 0.71, 1.  , 0.71], dtype=float32)
    >>> edges.get_feature_names_out().tolist()
    ['gray_edges_000', 'gray_edges_045', 'gray_edges_090', 'gray_edges_135']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "orientations": [natural_to(1000), Each(line_angle)],
        "sigma": [positive_to(1000)],
        "order": [Interval(Integral, 1, 2, closed="both")],
        "truncate": [positive_to(100)],
        "padding": [PADDINGS],
    }

    def __init__(
        self,
        orientations: int | list[float] | tuple[float, ...] = 8,
        sigma: float = 1.0,
        order: int = 1,
        truncate: float = 6.0,
        padding: str = "reflect",
    ) -> None:
        self.orientations = orientations
        self.sigma = sigma
        self.order = order
        self.truncate = truncate
        self.padding = padding

    def _requirements(self) -> Requirements:
        side = 2 * edge_radius(self.sigma, self.truncate) + 1
        return Requirements((side, side) if self.padding == "valid" else (1, 1))

    def _transform_one(self, image: Image, out: Image | None = None) -> Image:
        # Imported here because it loads numba, which the other filters do not need.
        from featx.filters.steering import steer

        if out is None:
            rows, columns, channels = image.shape
            if self.padding == "valid":
                beyond = 2 * edge_radius(self.sigma, self.truncate)
                rows, columns = rows - beyond, columns - beyond
            out = np.empty((rows, columns, channels * len(self._angles())), np.float32)
        # In double precision, so that each sum is rounded only once.
        exact, kernels = image.astype(np.float64), edge_basis(self.sigma, self.order, self.truncate)
        basis = np.empty((len(kernels), *out.shape[:2], image.shape[2]))
        for (column, row), place in zip(kernels, basis, strict=True):
            correlate_separable(exact, column, row, self.padding, place)
        steering = steering_matrix(self._angles(), self.order)
        steer(basis.reshape(len(kernels), -1), steering, out.reshape(-1, steering.shape[1]))
        return out

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        kind = "edges" if self.order == 1 else "lines"
        angles = [angle_name(angle) for angle in self._angles()]
        return [f"{channel}_{kind}_{angle}" for channel in channels for angle in angles]

    def _angles(self) -> tuple[float, ...]:
        if isinstance(self.orientations, list | tuple):
            return tuple(self.orientations)
        return tuple(180 * index / self.orientations for index in range(self.orientations))


def _axes(axis: str) -> tuple[str, ...]:
    return ("vertical", "horizontal") if axis == "both" else (axis,)


def _largest(sizes: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(max(lengths) for lengths in zip(*sizes, strict=True))


@lru_cache
def difference_kernel(axis: str, square: bool) -> NDArray[np.float32]:
    """Return [1 -1] or its transpose, padded with zeros to 2 x 2 if ``square``."""
    kernel = np.zeros((2, 2), np.float32)
    kernel[0, 0] = 1
    kernel[(0, 1) if axis == "vertical" else (1, 0)] = -1
    if not square:
        kernel = kernel[:1] if axis == "vertical" else kernel[:, :1]
    return read_only(kernel)


def sobel(image: Image, axis: str, padding: str) -> Image:
    """Correlate each channel with the Sobel kernel for vertical or horizontal edges."""
    across, along = sobel_factors()
    column, row = (along, across) if axis == "vertical" else (across, along)
    return correlate_separable(image, column, row, padding)


@lru_cache
def sobel_factors() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the factors of the Sobel kernels across and along the edge."""
    return read_only([1, 0, -1]), read_only([1, 2, 1])


def edge_radius(sigma: float, truncate: float) -> int:
    """Return the radius of an edge filter in pixels, at least one."""
    return max(1, gaussian_radius(sigma, truncate))


@lru_cache
def edge_basis(
    sigma: float, order: int, truncate: float
) -> tuple[tuple[NDArray[np.float64], NDArray[np.float64]], ...]:
    """Return the separable basis kernels for steering, each as a column and a row.

    The first two are the kernels for 90 and 0 degrees; order 2 adds the mixed derivative.
    """
    radius = edge_radius(sigma, truncate)
    x = np.arange(-radius, radius + 1, dtype=np.float64)
    gaussian = np.exp(-(x**2) / (2 * sigma**2))
    gaussian /= gaussian.sum()
    if order == 1:
        first = -x * gaussian
        first /= first[first > 0].sum()
        smooth, derivative = read_only(gaussian, np.float64), read_only(first, np.float64)
        return (smooth, derivative), (derivative, smooth)
    variance = (x**2 * gaussian).sum()
    second = (1 - x**2 / variance) * gaussian
    scale = second[second > 0].sum()
    smooth, derivative = read_only(gaussian, np.float64), read_only(second / scale, np.float64)
    column, row = (
        read_only(x * gaussian, np.float64),
        read_only(x * gaussian / (variance * scale), np.float64),
    )
    return (smooth, derivative), (derivative, smooth), (column, row)


@lru_cache
def steering_matrix(angles: tuple[float, ...], order: int) -> NDArray[np.float64]:
    """Return the weights (basis, angles) that steer the basis to each angle, in degrees."""
    theta = np.deg2rad(angles)
    sine, cosine = np.sin(theta), np.cos(theta)
    # 1 - u²/σ² = sin² (1 - x²/σ²) + cos² (1 - y²/σ²) - 2 sin cos xy/σ², since sin² + cos² = 1.
    weights = [sine, cosine] if order == 1 else [sine**2, cosine**2, -2 * sine * cosine]
    return read_only(weights, np.float64)


def angle_name(angle: float) -> str:
    """Format an angle with three digits before the point, so that names sort by angle."""
    whole, point, rest = f"{angle:g}".partition(".")
    return whole.zfill(3) + point + rest
