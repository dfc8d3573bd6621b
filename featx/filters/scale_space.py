"""Gaussian scale space."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from featx.core.constraints import Each, positive_to
from featx.core.errors import InputError
from featx.core.stage import Image, ImageStage, Requirements
from featx.filters.blur import gaussian_blur
from featx.filters.convolve import interleave

# Below this sigma the variances of sampled Gaussians no longer add up.
_LEAST_SIGMA = 1.0


class ScaleSpace(ImageStage):
    r"""Gaussian scale space: smoothed images at several scales, or their differences.

    .. math:: L_s = G_{\sigma_s} * x, \qquad D_s = L_{s+1} - L_s

    Parameters
    ----------
    sigmas : list of float, default=(1.0, 2.0, 4.0)
        Standard deviations :math:`\sigma_s` of the Gaussians, in pixels, in increasing order.
    difference : bool, default=False
        Return the differences of Gaussians :math:`D_s` of adjacent scales instead of
        :math:`L_s`; they have one scale fewer.
    truncate : float, default=6.0
        Radius of the kernels in standard deviations. At 6 the truncation error is below single
        precision.

    Raises
    ------
    ValueError
        If ``sigmas`` is not increasing, or if ``difference`` is set and ``sigmas`` has one entry.

    See Also
    --------
    GaussianBlur : Smoothing at one scale.

    Notes
    -----
    Accepts images (height, width, channels) and preserves height and width. The border is
    reflected, as in `GaussianBlur`. The output has all scales of channel 0, then all scales of
    channel 1, and so on. Channels are named ``gray_scale1``, ``gray_scale2``, …; differences are
    named ``gray_dog1_2``, …. For values in [0, 1], :math:`L` is in [0, 1] and :math:`D` in
    [-1, 1].

    Variances of successive Gaussians add up. :math:`L_{s+1}` is therefore computed from
    :math:`L_s` with a Gaussian of :math:`\sqrt{\sigma_{s+1}^2 - \sigma_s^2}`, whose kernel is
    smaller. For sampled Gaussians this holds to 1e-6 if both :math:`\sigma_s` and that step are
    at least one pixel. Otherwise an earlier scale or the image itself is smoothed. At the border
    it requires reflection, which commutes with symmetric filters; other paddings do not.

    The sign of the differences is Lowe's [2]_: a bright blob has negative values.

    References
    ----------
    .. [1] T. Lindeberg, "Scale-space theory: a basic tool for analyzing structures at different
       scales", Journal of Applied Statistics 21, 1994.
    .. [2] D. G. Lowe, "Distinctive image features from scale-invariant keypoints", International
       Journal of Computer Vision 60, 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ScaleSpace
    >>> images = np.zeros((2, 32, 32, 1), dtype=np.float32)
    >>> space = ScaleSpace(sigmas=[1, 2, 4]).fit(images)
    >>> space.transform(images).shape
    (2, 32, 32, 3)
    >>> space.get_feature_names_out().tolist()
    ['gray_scale1', 'gray_scale2', 'gray_scale4']
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "sigmas": [Each(positive_to(1000))],
        "difference": ["boolean"],
        "truncate": [positive_to(100)],
    }

    def __init__(
        self,
        sigmas: list[float] | tuple[float, ...] = (1.0, 2.0, 4.0),
        difference: bool = False,
        truncate: float = 6.0,
    ) -> None:
        self.sigmas = sigmas
        self.difference = difference
        self.truncate = truncate

    def _requirements(self) -> Requirements:
        if any(later <= sooner for sooner, later in pairwise(self.sigmas)):
            raise InputError(f"ScaleSpace: sigmas must increase, but got {list(self.sigmas)}.")
        if self.difference and len(self.sigmas) < 2:
            raise InputError(
                f"ScaleSpace: differences need at least two sigmas, but got {list(self.sigmas)}."
            )
        return Requirements()

    def _transform_one(self, image: Image) -> Image:
        scales: list[Image] = []
        for source, sigma in smoothing_plan(tuple(self.sigmas)):
            start = image if source is None else scales[source]
            scales.append(gaussian_blur(start, sigma, self.truncate, "reflect"))
        if not self.difference:
            return interleave(scales)
        return interleave([np.subtract(coarse, fine) for fine, coarse in pairwise(scales)])

    def _feature_names(self, channels: list[str], shape: tuple[int, ...]) -> list[str]:
        names = [f"scale{sigma:g}" for sigma in self.sigmas]
        if self.difference:
            pairs = pairwise(self.sigmas)
            names = [f"dog{fine:g}_{coarse:g}" for fine, coarse in pairs]
        return [f"{channel}_{name}" for channel in channels for name in names]


@lru_cache
def smoothing_plan(sigmas: tuple[float, ...]) -> tuple[tuple[int | None, float], ...]:
    """Return, for each scale, the index of its source and the sigma of the smoothing step.

    The source is the nearest finer scale for which both Gaussians are wide enough to be sampled,
    or None for the image itself.
    """
    plan: list[tuple[int | None, float]] = []
    for index, sigma in enumerate(sigmas):
        steps = [math.sqrt(sigma**2 - finer**2) for finer in sigmas[:index]]
        wide = [
            source for source, step in enumerate(steps) if min(step, sigmas[source]) >= _LEAST_SIGMA
        ]
        plan.append((wide[-1], steps[wide[-1]]) if wide else (None, sigma))
    return tuple(plan)
