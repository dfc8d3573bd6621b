"""Filters beside SciPy, OpenCV and scikit-image."""

from collections.abc import Sequence

import cv2
import numpy as np
from measuring import (
    equal,
    images,
    least,
    record_agreement,
    record_cost,
    record_speedup,
    times,
)
from scipy import ndimage
from skimage.feature import match_template
from skimage.filters import gabor, gabor_kernel

from featx import (
    GaborBank,
    GaussianBlur,
    OrientedEdges,
    PatternMatch,
    Sobel,
    UniformBlur,
)
from featx.core.stage import ImageStage

REFLECT = cv2.BORDER_REFLECT_101


def section_smoothing() -> None:
    """GaussianBlur, UniformBlur, Sobel: 256 x 256 float32, against SciPy and OpenCV."""
    batch = images(64, 256)
    jobs = {
        "GaussianBlur(sigma=2)": (
            GaussianBlur(2.0),
            lambda x: ndimage.gaussian_filter(x, 2.0, mode="mirror"),
            lambda x, out: cv2.GaussianBlur(x, (17, 17), 2.0, dst=out, borderType=REFLECT),
        ),
        "UniformBlur(5)": (
            UniformBlur(5),
            lambda x: ndimage.uniform_filter(x, 5, mode="mirror"),
            lambda x, out: cv2.blur(x, (5, 5), dst=out, borderType=REFLECT),
        ),
        'Sobel("vertical")': (
            Sobel("vertical"),
            lambda x: -ndimage.sobel(x, axis=1, mode="mirror"),
            lambda x, out: cv2.Sobel(x, -1, 1, 0, dst=out, scale=-1, borderType=REFLECT),
        ),
    }
    for name, (stage, scipy, bare) in jobs.items():
        compare_smoothing(name, stage.fit(batch), scipy, bare, batch)


def compare_smoothing(name: str, stage, scipy, bare, batch) -> None:
    x = batch[0, ..., 0]

    def loop():
        result = np.empty(batch.shape, np.float32)
        for image, out in zip(batch, result, strict=True):
            bare(image, out)
        return result

    equal(f"{name}, SciPy", stage.transform([x])[0, ..., 0], scipy(x), 1e-5)
    equal(f"{name}, OpenCV", stage.transform(batch), loop(), 1e-5)
    ratio = least(lambda: stage.transform([x]), lambda: scipy(x), 40)
    record_speedup(f"{name}, one image", "SciPy", ratio, 6)
    ratio = least(lambda: stage._transform_one(batch[0]), lambda: scipy(x), 40)
    record_speedup(f"{name}, one image, without input checks", "SciPy", ratio, 6)
    few = batch[:16]
    ratio = least(
        lambda: stage.transform(few), lambda: np.stack([scipy(x[..., 0]) for x in few]), 10
    )
    record_speedup(f"{name}, batch of 16", "SciPy", ratio, 6)
    ratio = 1 / least(lambda: stage.transform(batch), loop)
    record_cost(f"{name}, batch of 64", "OpenCV loop", ratio, 1.10)

    class Bare(ImageStage):
        def _transform_one(self, image):
            return bare(image, None)[..., np.newaxis]

    peer = Bare().fit(batch)
    ratio = 1 / least(lambda: stage.transform(batch), lambda: peer.transform(batch))
    record_cost(f"{name}, batch of 64", "OpenCV in a stage", ratio, 1.10)


def edge_kernels(sigma: float, radius: int):
    """Derivatives of a Gaussian in 8 directions, whose response to a unit step is one."""
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    t = np.arange(-radius, radius + 1)
    profile = np.exp(-(t**2) / (2 * sigma**2))
    gaussian = np.exp(-(rows**2 + columns**2) / (2 * sigma**2))
    gaussian /= profile.sum() * (-t * profile)[:radius].sum()
    angles = np.pi * np.arange(8) / 8
    return [-(columns * np.sin(a) + rows * np.cos(a)) * gaussian for a in angles]


def section_edges() -> None:
    """OrientedEdges(8), 256 x 256, against 8 times cv2.filter2D with kernels of 15 x 15."""
    for sigma in (1.0, 1.75, 2.0):
        compare_edges(sigma, images(16, 256))


def compare_edges(sigma: float, batch) -> None:
    stage = OrientedEdges(8, sigma).fit(batch)
    kernels = [kernel.astype(np.float32) for kernel in edge_kernels(sigma, 7)]

    def bank(x, kernels=kernels):
        return np.stack([cv2.filter2D(x, -1, k, borderType=REFLECT) for k in kernels], axis=2)

    x = batch[0, ..., 0]
    ideal = bank(x.astype(np.float64), edge_kernels(sigma, int(9 * sigma) + 1))
    ours = stage.transform([x])[0]
    name, peer = f"OrientedEdges(8, {sigma:g})", "OpenCV"
    equal(f"{name}, float64 reference", ours, ideal, 1e-5)
    our_error, their_error = np.abs(ours - ideal).max(), np.abs(bank(x) - ideal).max()
    record_agreement(
        name, "error, bounded by cv2", our_error, their_error, our_error <= their_error
    )
    ratio = least(lambda: stage.transform([x]), lambda: bank(x), 4)
    record_speedup(f"{name}, 256 x 256, one image", peer, ratio, 10)
    ratio = least(lambda: stage.transform(batch), lambda: [bank(x) for x in batch[..., 0]], 1)
    record_speedup(f"{name}, 256 x 256, batch of 16", peer, ratio, 10)


def section_gabor() -> None:
    """GaborBank of 4 frequencies and 8 orientations, 256 x 256, against OpenCV and scikit-image."""
    (image,) = images(1, 256)[..., 0]
    stage = GaborBank(zero_mean=False, response="both").fit([image])
    kernels = scikit_image_kernels(stage.frequencies)

    def filter_2d():
        return np.dstack([cv2.filter2D(image, -1, k, borderType=REFLECT) for k in kernels])

    row = "GaborBank, 64 kernels, 256 x 256"
    equal(row, stage.transform([image])[0], filter_2d(), 1e-5)
    ratio = least(lambda: stage.transform([image]), filter_2d, 1)
    record_speedup(row, "OpenCV", ratio, 2)
    ours, theirs = times(
        lambda: stage.transform([image]),
        lambda: [gabor(image, **filter_) for filter_ in gabor_filters(stage.frequencies)],
        turns=1,
    )
    record_speedup(row, "scikit-image", min(theirs) / min(ours), 20)


def gabor_filters(frequencies: Sequence[float]) -> list[dict[str, float]]:
    """Describe filters of a band of one octave, twice as long as wide, in scikit-image's words."""
    width = 3 * np.sqrt(np.log(2) / 2) / np.pi
    return [
        {"frequency": frequency, "theta": np.pi / 2 - theta, "sigma_y": 2 * width / frequency}
        for frequency in frequencies
        for theta in np.pi * np.arange(8) / 8
    ]


def scikit_image_kernels(frequencies: Sequence[float]) -> list[np.ndarray]:
    """Take the even and the odd kernel of each filter, turned round, for correlation."""
    kernels = [np.flip(gabor_kernel(**filter_)) for filter_ in gabor_filters(frequencies)]
    return [part.astype(np.float32) for kernel in kernels for part in (kernel.real, kernel.imag)]


def section_patterns() -> None:
    """Normalised cross-correlation, 31 x 31 in 256 x 256, against skimage's match_template."""
    pattern = np.random.default_rng(1).random((31, 31, 3), np.float32)
    compare_patterns("gray", images(16, 256)[..., 0], pattern[..., 0])
    compare_patterns("RGB", images(16, 256, 3), pattern)


def compare_patterns(name: str, batch, pattern) -> None:
    one, several = list(batch[:1]), list(batch)
    stage = PatternMatch(pattern, method="ncc").fit(one)
    expected = match_template(batch[0].astype(np.float64), pattern.astype(np.float64))
    row, peer = f"PatternMatch, 31 x 31 in 256 x 256, {name}", "scikit-image"
    equal(row, stage.transform(one).squeeze(), expected.squeeze(), 1e-5)
    ratio = least(lambda: stage.transform(one), lambda: match_template(batch[0], pattern))
    record_speedup(f"{row}, one image", peer, ratio, 3)
    theirs = lambda: [match_template(x, pattern) for x in several]  # noqa: E731
    ratio = least(lambda: stage.transform(several), theirs, 2)
    record_speedup(f"{row}, batch of 16", peer, ratio, 3)
