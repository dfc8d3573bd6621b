"""Dense SIFT: scale-invariant feature transform descriptors on a regular grid."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, Interval, StrOptions, natural, positive_to
from featx.core.descriptor_sets import DescriptorSet, joined
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.sift_grid import BINS, ENTRIES, ORIENTATIONS, Grid, sift_names
from featx.filters.blur import gaussian_blur


class DenseSIFT(ImageStage):
    r"""SIFT descriptors on a regular grid, at one or several sizes.

    For each size of bin :math:`b`, the image is smoothed by a Gaussian of
    :math:`\sigma^2 = (b/m)^2 - 1/4`, where :math:`m` is the magnification and 1/4 is what the
    camera has done; where this is not above zero, not at all. The gradient at a pixel is

    .. math::
        g = \tfrac12 (I_{y,x+1} - I_{y,x-1},\ I_{y-1,x} - I_{y+1,x}),

    on the border the difference to the one neighbour. Its length counts for the two of eight
    orientations, :math:`\theta_o = 45° o`, between which it points, linearly:

    .. math::
        J_o = |g| \max(0,\ 1 - |\angle g - \theta_o| / 45°).

    A descriptor has 4 × 4 spatial bins, whose centres are :math:`b` pixels apart. That of row
    :math:`r` and column :math:`c` of a descriptor in the middle of which is the point
    :math:`T`, is :math:`T + b\,(r - \tfrac32, c - \tfrac32)`. With
    :math:`k(z) = \max(0, 1 - |z| / b)` and a window :math:`w`,

    .. math::
        h_{r,c,o} = \sum_{y,x} w_r(y)\, w_c(x)\, k(y)\, k(x)\,
        J_o\bigl(T + b\,(r - \tfrac32, c - \tfrac32) + (y, x)\bigr),

    the border's values being continued outside the image. The Gaussian window is
    :math:`w_r(y) = e^{-(y + b(r - 3/2))^2 / 2(2b)^2}`; the flat window takes the mean of this over
    the pixels :math:`|y| < b` of the bin. Last, :math:`h` is divided by its length, cut at 0.2,
    and divided by its length again.

    Parameters
    ----------
    step : int, default=4
        Distance of neighbouring descriptors, in pixels.
    bin_sizes : list of int, default=(4, 6, 8, 10)
        The side of a spatial bin, in pixels; the descriptors of all sizes are given.
    image_scales : list of float, default=(1.0,)
        Factors by which the image is resized; each gives descriptors of all bin sizes. Sizes of
        bins and the step are in pixels of the resized image.
    magnification : float or None, default=6.0
        Size of bin in units of the scale to which the image is smoothed; None leaves the image as
        it is. Key points have 3.
    window : {"flat", "gaussian"}, default="flat"
        Flat is up to twice as fast, where descriptors share bins.
    contrast_threshold : float, default=0.005
        Descriptors whose :math:`\sum h / (3b + 1)^2`, about the mean length of the gradient under
        the window, is less become zero. At least :math:`10^{-6}` is asked for: what
        rounding makes of a constant region is no gradient.
    root : bool, default=False
        RootSIFT [2]_: divide by the sum instead of the last length, and take the square root.
    mirrored : bool, default=False
        Give the descriptors of the mirrored image too, after the others, with their places in it.

    Raises
    ------
    ValueError
        If an image is smaller than the :math:`3b + 1` pixels of the smallest size asked for.

    See Also
    --------
    ColorSIFT : The same in colour.
    SIFT : At key points.

    Notes
    -----
    Takes grey images (height, width, 1); gives a `DescriptorSet` of vectors of 128 entries in
    [0, 1] and of length one, or zero. An entry's number is :math:`32 r + 8 c + o`: rows of bins
    from top to bottom, columns from left to right, orientations counterclockwise from pointing to
    the right (to the brighter side); the order of `cv2.SIFT`. Descriptors are ordered by image
    scale, bin size, row and column. ``positions`` are the centres :math:`T`, which lie between
    pixels where :math:`b` is odd; ``scales`` are the bin sizes, both in pixels of the image as it
    was given.

    Sampling is that of VLFeat [3]_: the first bins of the first descriptor are at pixel (0, 0), and
    all centres of bins are within the image. Unlike ``vl_phow``, the grids of several sizes are not
    moved to common centres, and bin sizes that do not fit into an image are left out. VLFeat counts
    orientations clockwise.

    References
    ----------
    .. [1] D. Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 60(2), 2004.
    .. [2] R. Arandjelović and A. Zisserman, "Three Things Everyone Should Know to Improve Object
       Retrieval", CVPR 2012.
    .. [3] A. Vedaldi and B. Fulkerson, "VLFeat: An Open and Portable Library of Computer Vision
       Algorithms", 2008, http://www.vlfeat.org/api/dsift.html.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import DenseSIFT
    >>> image = np.zeros((16, 16), dtype=np.float32)
    >>> image[:, 8:] = 1  # an edge in the middle, brighter on the right: orientation 0
    >>> (found,) = DenseSIFT(step=8, bin_sizes=[4]).fit_transform([image])
    >>> found.shape, found.positions, found.scales
    ((1, 128), array([[6., 6.]], dtype=float32), array([4.], dtype=float32))
    >>> found.values.reshape(4, 4, 8)[1, :, 0].round(2)  # in the second row of bins
    array([0.  , 0.2 , 0.47, 0.01], dtype=float32)
    """

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "step": [natural],
        "bin_sizes": [Each(natural)],
        "image_scales": [Each(positive_to(16))],
        "magnification": [Interval(Real, 0.01, None, closed="left"), None],
        "window": [StrOptions({"flat", "gaussian"})],
        "contrast_threshold": [Interval(Real, 0, None, closed="left")],
        "root": ["boolean"],
        "mirrored": ["boolean"],
    }

    def __init__(
        self,
        step: int = 4,
        bin_sizes: Sequence[int] = (4, 6, 8, 10),
        image_scales: Sequence[float] = (1.0,),
        magnification: float | None = 6.0,
        window: str = "flat",
        contrast_threshold: float = 0.005,
        root: bool = False,
        mirrored: bool = False,
    ) -> None:
        self.step = step
        self.bin_sizes = bin_sizes
        self.image_scales = image_scales
        self.magnification = magnification
        self.window = window
        self.contrast_threshold = contrast_threshold
        self.root = root
        self.mirrored = mirrored

    def _requirements(self) -> Requirements:
        # A side times a scale is rounded to whole pixels.
        sides = [(3 * b + 0.5) / s for b in self.bin_sizes for s in self.image_scales]
        least = int(np.ceil(min(sides)))
        return Requirements((least, least), channels=(1,))

    def _transform_one(self, image: Image) -> DescriptorSet:
        grids = self._grids(*image.shape[:2])
        ends = np.cumsum([grid.count for grid in grids])
        values = np.empty((ends[-1], self._entries()), np.float32)
        for grid, part in zip(grids, np.split(values, ends[:-1]), strict=True):
            self._describe(self._at_scale(image, grid), grid, part)
        positions = np.concatenate([grid.positions() for grid in grids])
        scales = np.repeat([grid.scale for grid in grids], [grid.count for grid in grids])
        found = DescriptorSet(
            values,
            positions.astype(np.float32),
            scales.astype(np.float32),
            image.shape[:2],
            float(BINS),
        )
        if not self.mirrored:
            return found
        across = image.shape[1] - 1 - positions[:, 1]
        places = np.column_stack([positions[:, 0], across]).astype(np.float32)
        return joined(found, replace(found, values=self._mirror(values), positions=places))

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return sift_names()

    def _grids(self, height: int, width: int) -> list[Grid]:
        """List the grids of the sizes of bins that fit into the image at its scales."""
        grids = [
            Grid(height, width, float(scale), bin_size, self.step, self.window)
            for scale in self.image_scales
            for bin_size in self.bin_sizes
        ]
        return [grid for grid in grids if grid.count]

    def _at_scale(self, image: Image, grid: Grid) -> Image:
        """Resize and smooth the image as a grid needs it."""
        if image.shape[:2] != grid.shape:
            shrinks = grid.shape[0] < image.shape[0]
            method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
            resized = cv2.resize(image, grid.shape[::-1], interpolation=method)
            image = np.asarray(resized, np.float32).reshape(*grid.shape, image.shape[2])
        if self.magnification is not None:
            variance = (grid.bin_size / self.magnification) ** 2 - 0.25
            if variance > 0:
                return gaussian_blur(image, variance**0.5, 4.0, "edge")
        return image

    # What ColorSIFT does in another way.

    def _entries(self) -> int:
        return ENTRIES

    def _describe(self, image: Image, grid: Grid, out: NDArray[np.float32]) -> None:
        """Write the descriptors of an image that is resized and smoothed."""
        grid.describe(image[..., 0], self.contrast_threshold, self.root, out, 0)

    def _mirror(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return mirror_sift(values)


def mirror_sift(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Give the descriptors that the mirrored image has: a permutation of entries.

    Left and right are exchanged, in the columns of bins and in the orientations.

    Parameters
    ----------
    values : ndarray of shape (k, 128 n)
        Descriptors of `DenseSIFT`, or several side by side. Those of `SIFT` are turned, and have
        no left and right.

    Returns
    -------
    ndarray of shape (k, 128 n)
    """
    blocks = values.shape[1] // ENTRIES
    order = np.arange(blocks * ENTRIES).reshape(blocks, BINS, BINS, ORIENTATIONS)
    mirrored = order[:, :, ::-1, (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS]
    return np.take(values, mirrored.ravel(), axis=1)
