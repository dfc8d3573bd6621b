"""SIFT at keypoints."""

from numbers import Real
from typing import Any, ClassVar

import cv2
import numpy as np

from featx.core.constraints import Interval, natural, positive, positive_to
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.sift_grid import BINS, ENTRIES, sift_names

#: Side of a spatial bin in units of the keypoint's scale, which is half of OpenCV's size.
_MAGNIFICATION = 3


class SIFT(ImageStage):
    r"""SIFT descriptors at keypoints, normalized for scale and orientation.

    Keypoints are the extrema of differences of Gaussians over position and scale. Those of low
    contrast and those on straight edges are discarded. The orientations of a keypoint are the peaks
    of the gradient histogram around it. The descriptor is that of `DenseSIFT` with a Gaussian
    window, rotated to the orientation, with a bin size of three times the scale.

    Parameters
    ----------
    n_features : int or None, default=None
        Number of keypoints of highest contrast to keep; None keeps all. More are kept if the last
        ones have equal contrast, such as those of one position with several orientations.
    contrast_threshold : float, default=0.04
        Three times the minimum difference of adjacent scales, for pixels in [0, 1].
    edge_threshold : float, default=10.0
        Maximum ratio of the principal curvatures; lower values discard more keypoints on edges.
    sigma : float, default=1.6
        Scale to which the upsampled image is smoothed first, in its pixels.
    root : bool, default=False
        RootSIFT [2]_: L1-normalize instead of L2-normalize, and take the square root.

    Raises
    ------
    ValueError
        If a value is outside [0, 1].

    See Also
    --------
    DenseSIFT : SIFT descriptors on a regular grid, for scene and object recognition.

    Notes
    -----
    Accepts gray images (height, width, 1) with values in [0, 1], which are rounded to 8 bits.
    Returns a `DescriptorSet` of vectors of 128 entries in [0, 1] and of unit length. Entries are
    ordered as in `DenseSIFT`, with rows and columns of bins rotated with the keypoint. Images
    without keypoints have an empty set. ``positions`` are the keypoints. ``scales`` are their bin
    sizes in pixels, 1.5 times OpenCV's ``size``.

    Computed by OpenCV's `cv2.SIFT` with ``enable_precise_upscale=True``, without which positions
    are off by a quarter of a pixel. OpenCV rounds entries to 1/512 of the norm.

    References
    ----------
    .. [1] D. Lowe, "Distinctive Image Features from Scale-Invariant Keypoints", IJCV 60(2), 2004.
    .. [2] R. Arandjelović and A. Zisserman, "Three Things Everyone Should Know to Improve Object
       Retrieval", CVPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import SIFT
    >>> rows, columns = np.mgrid[:64, :64]
    >>> blob = np.exp(-((rows - 30) ** 2 + (columns - 40) ** 2) / (2 * 4.0**2))
    >>> found, nothing = SIFT(n_features=1).fit_transform([blob, np.zeros((64, 64))])
    >>> found[[0]].positions.round()
    array([[30., 40.]], dtype=float32)
    >>> nothing.shape
    (0, 128)
    """

    gives = "descriptors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "n_features": [natural, None],
        "contrast_threshold": [Interval(Real, 0, None, closed="left")],
        "edge_threshold": [positive],
        "sigma": [positive_to(1000)],
        "root": ["boolean"],
    }

    def __init__(
        self,
        n_features: int | None = None,
        contrast_threshold: float = 0.04,
        edge_threshold: float = 10.0,
        sigma: float = 1.6,
        root: bool = False,
    ) -> None:
        self.n_features = n_features
        self.contrast_threshold = contrast_threshold
        self.edge_threshold = edge_threshold
        self.sigma = sigma
        self.root = root

    def _requirements(self) -> Requirements:
        return Requirements(channels=(1,))

    def _transform_one(self, image: Image) -> DescriptorSet:
        low, high = float(image.min()), float(image.max())
        if low < 0 or high > 1:
            raise InputError(
                f"SIFT: values must be in [0, 1], got values from {low:g} to {high:g}. "
                "Rescale them; uint8 images are rescaled automatically."
            )
        # The OpenCV object has no state between images, but is not thread-safe.
        sift = cv2.SIFT.create(
            nfeatures=self.n_features or 0,
            contrastThreshold=self.contrast_threshold,
            edgeThreshold=self.edge_threshold,
            sigma=self.sigma,
            enable_precise_upscale=True,
        )
        pixels = np.rint(image[..., 0] * np.float32(255)).astype(np.uint8)
        points, values = sift.detectAndCompute(pixels, None)
        if not points:
            values = np.empty((0, ENTRIES), np.float32)
        elif self.root:
            values = np.sqrt(values / values.sum(axis=1, keepdims=True))
        else:
            values = values / np.linalg.norm(values, axis=1, keepdims=True)
        places = np.array([(p.pt[1], p.pt[0], p.size) for p in points], np.float32).reshape(-1, 3)
        bins = places[:, 2] * np.float32(_MAGNIFICATION / 2)
        return DescriptorSet(values, places[:, :2].copy(), bins, image.shape[:2], float(BINS))

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        return sift_names()
