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
    r"""SIFT descriptors on a regular grid, at one or several bin sizes.

    For each bin size :math:`b`, the image is smoothed by a Gaussian of
    :math:`\sigma^2 = (b/m)^2 - 1/4`. Here :math:`m` is the magnification, and 1/4 the assumed
    variance of the camera's blur; if :math:`\sigma^2 \le 0`, the image is not smoothed. The
    gradient at a pixel is

    .. math::
        g = \tfrac12 (I_{y,x+1} - I_{y,x-1},\ I_{y-1,x} - I_{y+1,x}),

    with one-sided differences at the border. The gradient magnitude is interpolated linearly
    between the two nearest of eight orientations :math:`\theta_o = 45° o`:

    .. math::
        J_o = |g| \max(0,\ 1 - |\angle g - \theta_o| / 45°).

    A descriptor has 4 × 4 spatial bins, whose centers are :math:`b` pixels apart. In a descriptor
    centered at :math:`T`, the bin of row :math:`r` and column :math:`c` is centered at
    :math:`T + b\,(r - \tfrac32, c - \tfrac32)`. With
    :math:`k(z) = \max(0, 1 - |z| / b)` and a window :math:`w`,

    .. math::
        h_{r,c,o} = \sum_{y,x} w_r(y)\, w_c(x)\, k(y)\, k(x)\,
        J_o\bigl(T + b\,(r - \tfrac32, c - \tfrac32) + (y, x)\bigr),

    where the image is extended by its border values. The Gaussian window is
    :math:`w_r(y) = e^{-(y + b(r - 3/2))^2 / 2(2b)^2}`; the flat window uses the mean of this over
    the pixels :math:`|y| < b` of the bin. Finally, :math:`h` is L2-normalized, clipped at 0.2, and
    L2-normalized again.

    Parameters
    ----------
    step : int, default=4
        Distance between descriptors, in pixels.
    bin_sizes : list of int, default=(4, 6, 8, 10)
        Sides of the spatial bins, in pixels. Descriptors of all sizes are returned.
    image_scales : list of float, default=(1.0,)
        Factors by which the image is resized. All bin sizes are computed at each scale. Bin sizes
        and the step are in pixels of the resized image.
    magnification : float or None, default=6.0
        Ratio of bin size to smoothing scale; None disables smoothing. SIFT keypoints use 3.
    window : {"flat", "gaussian"}, default="flat"
        Spatial weighting. The flat window is up to twice as fast if descriptors share bins.
    contrast_threshold : float, default=0.005
        Descriptors with :math:`\sum h / (3b + 1)^2` below this are set to zero. The quantity is
        about the mean gradient magnitude under the window. The minimum is :math:`10^{-6}`, so that
        rounding errors in constant regions are not treated as gradients.
    root : bool, default=False
        RootSIFT [2]_: L1-normalize instead of the last L2 normalization, and take the square root.
    mirrored : bool, default=False
        If True, append the descriptors of the mirrored image, with their positions in it.

    Raises
    ------
    ValueError
        If an image is smaller than :math:`3b + 1` pixels for the smallest bin size.

    See Also
    --------
    ColorSIFT : SIFT descriptors of color images.
    SIFT : SIFT descriptors at keypoints.

    Notes
    -----
    Accepts gray images (height, width, 1). Returns a `DescriptorSet` of vectors of 128 entries in
    [0, 1], of unit length or zero. The index of an entry is :math:`32 r + 8 c + o`, as in
    `cv2.SIFT`: rows of bins from top to bottom, columns from left to right, orientations
    counter-clockwise from the right (toward the brighter side). Descriptors are ordered by image
    scale, bin size, row and column. ``positions`` are the centers :math:`T`, which are between
    pixels for odd :math:`b`. ``scales`` are the bin sizes. Both are in pixels of the input image.

    Sampling follows VLFeat [3]_: the first bins of the first descriptor are centered at pixel
    (0, 0), and all bin centers are within the image. In contrast to ``vl_phow``, grids of
    different bin sizes do not share centers, and sizes that do not fit are skipped. VLFeat counts
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
        # Side times scale is rounded to whole pixels.
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
        """Return the grids for all scales and bin sizes that fit into the image."""
        grids = [
            Grid(height, width, float(scale), bin_size, self.step, self.window)
            for scale in self.image_scales
            for bin_size in self.bin_sizes
        ]
        return [grid for grid in grids if grid.count]

    def _at_scale(self, image: Image, grid: Grid) -> Image:
        """Resize and smooth the image for a grid."""
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

    # Methods that ColorSIFT overrides.

    def _entries(self) -> int:
        return ENTRIES

    def _describe(self, image: Image, grid: Grid, out: NDArray[np.float32]) -> None:
        """Write the descriptors of a resized and smoothed image."""
        grid.describe(image[..., 0], self.contrast_threshold, self.root, out, 0)

    def _mirror(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return mirror_sift(values)


def mirror_sift(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the descriptors of the mirrored image, a permutation of the entries.

    Left and right are exchanged in the columns of bins and in the orientations.

    Parameters
    ----------
    values : ndarray of shape (k, 128 n)
        Descriptors of `DenseSIFT`, or several of them concatenated. Descriptors of `SIFT` are
        rotated to their keypoint and cannot be mirrored this way.

    Returns
    -------
    ndarray of shape (k, 128 n)
    """
    blocks = values.shape[1] // ENTRIES
    order = np.arange(blocks * ENTRIES).reshape(blocks, BINS, BINS, ORIENTATIONS)
    mirrored = order[:, :, ::-1, (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS]
    return np.take(values, mirrored.ravel(), axis=1)
