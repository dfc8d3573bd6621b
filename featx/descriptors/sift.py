"""SIFT at key points."""

from numbers import Real
from typing import Any, ClassVar

import cv2
import numpy as np

from featx.core.constraints import Interval, natural, positive, positive_to
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.descriptors.sift_grid import BINS, ENTRIES, sift_names

#: Side of a spatial bin, in units of the scale of the key point, which is half of OpenCV's size.
_MAGNIFICATION = 3


class SIFT(ImageStage):
    r"""SIFT descriptors at key points, each in its own scale and orientation.

    Key points are the extrema, over place and scale, of differences of the image smoothed by
    Gaussians of neighbouring scales, less those of little contrast and those on straight edges.
    Each has the orientations in which most of the gradients around it point. Its
    descriptor is that of `DenseSIFT` with a Gaussian window, turned to the orientation and of a bin
    of three times its scale.

    Parameters
    ----------
    n_features : int or None, default=None
        How many key points to keep, of the greatest contrast; None keeps all. More are kept where
        the last have equal contrast, as those of one place in several orientations have.
    contrast_threshold : float, default=0.04
        Three times the least difference between neighbouring scales, of pixels in [0, 1].
    edge_threshold : float, default=10.0
        The greatest ratio of the principal curvatures; less leaves fewer key points on edges.
    sigma : float, default=1.6
        The scale to which the doubled image is smoothed first, in its pixels.
    root : bool, default=False
        RootSIFT [2]_: divide by the sum instead of the length, and take the square root.

    Raises
    ------
    ValueError
        If a value is outside [0, 1].

    See Also
    --------
    DenseSIFT : On a regular grid; what scenes and objects are told apart by.

    Notes
    -----
    Takes grey images (height, width, 1) with values in [0, 1], which are rounded to 8 bits; gives a
    `DescriptorSet` of vectors of 128 entries in [0, 1] and of length one, in the order that
    `DenseSIFT` describes, rows and columns of bins being turned with the key point. There are
    none where an image has no key points. ``positions`` are the key points, and ``scales`` their
    bin sizes, 1.5 times OpenCV's ``size``, in pixels.

    This is OpenCV's `cv2.SIFT`, with ``enable_precise_upscale=True``: without it, positions are
    off by a quarter of a pixel. It rounds entries to 512ths of the length.

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
                f"SIFT takes grey values in [0, 1], but got values from {low:g} to {high:g}. "
                "Scale them first; uint8 images are scaled on their own."
            )
        # OpenCV's object keeps no state between images, but must not be shared between threads.
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
