"""featx beside what users would write today: ratios of times, measured in one process.

    python benchmarks/peers.py [SECTION …]        sections: hog hog31 lbp patches gist sift
                                                            smoothing edges gabor patterns encoders
                                                            folder memory imports

Each line compares two ways of doing one job, run in turns on one thread (unless it says two).
Ratios are those of the least times: what the code costs when nothing disturbs it. Short jobs run
in turns of five calls, so that neither finds its memory as the other left it. (Start-up times are
medians, and the loop of scikit-image over a folder runs once.) A ratio is marked "met" or
"missed" by its goal and fails nothing; values that are not equal end the run with exit status 1.
"""

import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from scipy import ndimage
from scipy.fft import fft2, ifft2, irfft2, rfft2
from skimage.color import rgb2gray
from skimage.feature import fisher_vector, hog, local_binary_pattern, match_template
from skimage.filters import gabor, gabor_kernel
from skimage.io import imread
from skimage.transform import resize
from sklearn.cluster import MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from threadpoolctl import threadpool_limits

from featx import (
    GIST,
    HOG,
    LBP,
    BagOfWords,
    DenseLBP,
    DensePatches,
    DenseSIFT,
    FisherVector,
    GaborBank,
    GaussianBlur,
    LocalColor,
    OrientedEdges,
    PatternMatch,
    ReadImages,
    Sobel,
    Stream,
    UniformBlur,
)
from featx.descriptor_sets import DescriptorSet
from featx.descriptors.binary_patterns import (
    binary_patterns,
    circle,
    grey_levels,
    pattern_bins,
)
from featx.stage import ImageStage

REFLECT = cv2.BORDER_REFLECT_101
different = 0


# Measuring and telling.


def least(ours: Callable[[], object], theirs: Callable[[], object], turns: int = 10) -> float:
    """Time both in turns of five calls each; their least time over ours."""
    ours_seconds, theirs_seconds = times(ours, theirs, turns=turns, calls=5)
    return min(theirs_seconds) / min(ours_seconds)


def times(*jobs: Callable[[], object], turns: int, calls: int = 1) -> list[list[float]]:
    """Time each call of the jobs, in turns, after one to warm up."""
    seconds: list[list[float]] = [[] for _ in jobs]
    for turn in range(turns + 1):
        for job, taken in zip(jobs, seconds, strict=True):
            for _ in range(calls if turn else 1):
                started = time.perf_counter()
                job()
                if turn:
                    taken.append(time.perf_counter() - started)
    return seconds


def repeated(job: Callable[[], object], count: int) -> Callable[[], object]:
    return lambda: [None for _ in range(count) if job() is None]


def tell_faster(what: str, ratio: float, goal: float) -> None:
    """Print how many times faster than the peer featx is."""
    tell(what, f"{ratio:.2f}x as fast", f">= {goal:g}", ratio >= goal)


def tell_cost(what: str, ratio: float, goal: float) -> None:
    """Print what featx takes in times what the peer takes."""
    tell(what, f"{ratio:.3f} of it", f"<= {goal:g}", ratio <= goal)


def tell(what: str, figure: str, goal: str, met: bool) -> None:
    print(f"  {what:<66} {figure:>16}   goal {goal:<8} {'met' if met else 'missed'}", flush=True)


def equal(what: str, ours, theirs, tolerance: float) -> None:
    """Compare values, print the greatest difference, and remember where it is too great."""
    global different
    error = float(np.abs(np.asarray(ours, np.float64) - np.asarray(theirs, np.float64)).max())
    good = np.shape(ours) == np.shape(theirs) and error <= tolerance
    different += not good
    print(f"  {what:<66} {error:>16.1e}   allowed {tolerance:<5g} {'' if good else 'DIFFERENT'}")


def images(count: int, side: int, channels: int = 1):
    """Noise, in which nothing is repeated."""
    return np.random.default_rng(0).random((count, side, side, channels), np.float32)


# The sections.


def section_hog() -> None:
    """HOG of 128 x 128 pixels, float32, against skimage.feature.hog."""
    batch = images(256, 128)
    stage = HOG().fit(batch)
    few = batch[:4]
    equal("values", stage.transform(few), [hog(x[..., 0].astype("f8")) for x in few], 1e-5)
    one = batch[:1]
    jobs = {
        "a batch of 256, an image": lambda: stage.transform(batch),
        "batches of 1, with their checks of parameters": repeated(
            lambda: stage.transform(one), 256
        ),
        "the stage's own work": repeated(lambda: stage._transform_one(batch[0]), 256),
    }
    for name, job in jobs.items():
        ratio = least(job, lambda: hog(batch[0, ..., 0]))
        tell_faster(name, 256 * ratio, 100)


def section_hog31() -> None:
    """HOG's UoCTTI variant, 128 x 128 pixels, against numpy, and scikit-image's other HOG."""
    batch = images(64, 128)
    stage = HOG(variant="uoctti").fit(batch)
    one = batch[:1]
    equal("values", stage.transform(one)[0], numpy_hog31(one[0, ..., 0]), 1e-5)
    peers = {"numpy": (numpy_hog31, 4), "hog, of 2 x 2 cells": (hog_of_two_cells, 15)}
    for name, (peer, goal) in peers.items():
        ratio = least(lambda: stage.transform(one), partial(peer, one[0, ..., 0]), 4)
        tell_faster(f"{name}: one image", ratio, goal)
        ratio = least(lambda: stage.transform(batch), partial(peer, one[0, ..., 0]), 4)
        tell_faster(f"{name}: a batch of 64, an image", 64 * ratio, goal)


hog_of_two_cells = partial(hog, cells_per_block=(2, 2))


def numpy_hog31(image):
    """Add up whole arrays; lengths are divided among the cells by two products of matrices."""
    height, width = image.shape
    right, down = image[1:-1, 2:] - image[1:-1, :-2], image[2:, 1:-1] - image[:-2, 1:-1]
    angles = (np.pi * np.arange(9) / 9).astype(np.float32)
    products = right * np.cos(angles)[:, None, None] + down * np.sin(angles)[:, None, None]
    nearest = np.abs(products).argmax(axis=0)
    nearest += 9 * (np.take_along_axis(products, nearest[None], axis=0)[0] < 0)
    planes = np.hypot(right, down) * (nearest == np.arange(18)[:, None, None])
    d = (near_cells(height).T @ planes @ near_cells(width)).transpose(1, 2, 0)
    u = d[..., :9] + d[..., 9:]
    energy = np.pad((u**2).sum(axis=2), 1, mode="edge")
    rows, columns = d.shape[:2]
    both = np.concatenate([d, u], axis=2)
    parts = []
    for y, x in np.ndindex(2, 2):
        block = sum(energy[y + i :, x + j :][:rows, :columns] for i, j in np.ndindex(2, 2))
        parts.append(np.minimum(both / np.sqrt(block + np.float32(1e-4))[..., None], 0.2))
    textures = [part[..., 18:].sum(axis=2) / np.sqrt(18) for part in parts]
    return np.dstack([sum(parts) / 2, *textures]).astype(np.float32).ravel()


def near_cells(length: int):
    """Give each inner pixel's share in each cell of 8 pixels, linear by distance."""
    distance = np.arange(1, length - 1)[:, None] + 0.5 - 8 * (np.arange(length // 8) + 0.5)
    return np.maximum(1 - np.abs(distance) / 8, 0).astype(np.float32)


def section_lbp() -> None:
    """LBP of 256 x 256 pixels of 8 bits, against skimage.feature.local_binary_pattern."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    coarse = np.random.default_rng(0).integers(0, 256, (17, 17), np.uint8)
    pictures = {
        "noise": noise,
        "noise of three greys, with many ties": noise // 86,
        "a smooth picture": cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC),
    }
    for name, image in pictures.items():
        for points, radius, goal in ((8, 1, 50), (16, 2, 30), (24, 3, 30)):
            compare_lbp(f"{name}, P={points}, R={radius}", image, points, radius, goal)


def compare_lbp(name: str, image, points: int, radius: int, goal: float) -> None:
    pixels = image / np.float32(255)
    bins, count = pattern_bins(points, "uniform")
    around = circle(points, radius)
    stage = LBP(points, radius).fit([image])

    def patterns():
        return binary_patterns(grey_levels(pixels)[0], around)

    def theirs():
        return local_binary_pattern(image, points, radius, "uniform")

    def their_histogram():
        return np.histogram(theirs(), count, (0, count), density=True)[0]

    inside = theirs()[radius:-radius, radius:-radius]
    equal(f"{name}: codes", bins[patterns()], inside, 0)
    shares = np.bincount(inside.ravel().astype(int), minlength=count) / inside.size
    equal(f"{name}: histogram", stage.transform([image])[0], shares, 1e-6)
    tell_faster(f"{name}: patterns", least(patterns, theirs, 4), goal)
    one, batch = pixels[..., np.newaxis], [image] * 8
    ratio = least(lambda: stage._transform_one(one), their_histogram, 4)
    tell_faster(f"{name}: the stage's own work", ratio, goal)
    ratio = least(lambda: stage.transform(batch), their_histogram, 4)
    tell_faster(f"{name}: a batch of 8, an image", 8 * ratio, goal)


def section_patches() -> None:
    """Descriptors in windows of 256 x 256 pixels, against numpy, OpenCV and scikit-image."""
    (image,) = images(1, 256, 3)
    grey = np.ascontiguousarray(image[..., :1])
    compare_patches("DensePatches, grey", grey, DensePatches(spacings=[1, 2, 4]), pixel_patches, 5)
    compare_patches("DensePatches, RGB", image, DensePatches(spacings=[1, 2, 4]), pixel_patches, 5)
    compare_patches("LocalColor", image, LocalColor([16, 32]), color_statistics, 2)
    compare_patches("DenseLBP", grey, DenseLBP(patch_sizes=[16, 32]), lbp_histograms, 15)


def compare_patches(name: str, image, stage, peer, goal: float) -> None:
    stage.fit([image])
    equal(f"{name}: values", stage.transform([image])[0].values, peer(image), 1e-5)
    ratio = least(lambda: stage.transform([image]), lambda: peer(image), 2)
    tell_faster(f"{name}: one image", ratio, goal)


def pixel_patches(image):
    """Patches of 8 x 8 pixels by numpy's strides, normalised in one go."""
    parts = []
    for spacing in (1, 2, 4):
        side = 7 * spacing + 1
        windows = np.lib.stride_tricks.sliding_window_view(image, (side, side), axis=(0, 1))
        patches = windows[::4, ::4, :, ::spacing, ::spacing].transpose(0, 1, 3, 4, 2)
        patches = patches - patches.mean(axis=(2, 3, 4), keepdims=True)
        patches /= np.sqrt((patches**2).mean(axis=(2, 3, 4), keepdims=True) + np.float32(1.5e-4))
        parts.append(patches.reshape(-1, 64 * image.shape[2]))
    return np.concatenate(parts)


def color_statistics(image):
    """Means and deviations of cells by OpenCV's box filter."""
    parts = []
    for side in (16, 32):
        cell = side // 4
        mean = cv2.boxFilter(image, cv2.CV_64F, (cell, cell), anchor=(0, 0))
        square = cv2.sqrBoxFilter(image, cv2.CV_64F, (cell, cell), anchor=(0, 0))
        deviation = np.sqrt(np.maximum(square - mean**2, 0))
        both = np.concatenate([mean, deviation], axis=2).astype(np.float32)
        count = (256 - side) // 4 + 1
        cells = [
            both[row * cell :: 4, column * cell :: 4][:count, :count]
            for row in range(4)
            for column in range(4)
        ]
        parts.append(np.stack(cells, axis=2).reshape(count * count, -1))
    return np.concatenate(parts)


def lbp_histograms(image):
    """Histograms of scikit-image's patterns, counted window by window."""
    gray = image[..., 0].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of floating point
        codes = local_binary_pattern(gray, 8, 1, "nri_uniform")[1:-1, 1:-1].astype(int)
    rows = []
    for side in (16, 32):
        cell = side // 2
        for top in range(0, len(codes) - side + 1, 4):
            for left in range(0, len(codes) - side + 1, 4):
                counts = [
                    np.bincount(codes[y : y + cell, x : x + cell].ravel(), minlength=59)
                    for y in (top, top + cell)
                    for x in (left, left + cell)
                ]
                rows.append(np.sqrt(np.concatenate(counts) / side**2))
    return np.array(rows)


def section_gist() -> None:
    """GIST of 128 x 128 pixels against a loop of SciPy's FFT in float32 with prepared filters."""
    batch = images(16, 128)
    stage = GIST().fit(batch)
    job = scipy_gist(128)
    x = batch[0, ..., 0]
    expected = job(x)
    equal(
        "values, of the largest",
        stage.transform([x])[0] / expected.max(),
        expected / expected.max(),
        1e-5,
    )
    tell_faster("one image", least(lambda: stage.transform([x]), lambda: job(x), 4), 1.3)
    ratio = least(lambda: stage.transform(batch), lambda: [job(x) for x in batch[..., 0]], 1)
    tell_faster("16 images", ratio, 1.3)
    one, two = Stream([GIST()]).fit(batch), Stream([GIST()], n_jobs=2).fit(batch)
    many = images(64, 128)
    ours, ours_two = times(lambda: one.transform(many), lambda: two.transform(many), turns=5)
    tell_faster("64 images, two threads against one", min(ours) / min(ours_two), 1.7)


def scipy_gist(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """Prepare the filters of LMgist for images of one size, and a loop over them."""
    padded = side + 64
    across, down = np.meshgrid(np.fft.fftfreq(padded), np.fft.fftfreq(padded))
    frequency, direction = np.hypot(across, down), np.arctan2(-down, across)
    filters = []
    for scale, orientation in np.ndindex(4, 8):
        turn = (direction - np.pi * orientation / 8 + np.pi) % (2 * np.pi) - np.pi
        along = frequency * 1.85**scale / 0.3 - 1
        filters.append(np.exp(-3.5 * along**2 - 2 * np.pi * turn**2).astype(np.float32))
    rows, columns = np.fft.fftfreq(side + 10), np.fft.rfftfreq(side + 10)
    cycles = (side + 10) * np.hypot(rows[:, np.newaxis], columns)
    low = np.exp(-(cycles**2) * np.log(2) / 16).astype(np.float32)

    def blurred(x):
        return irfft2(rfft2(x) * low, s=x.shape)

    def job(x):
        x = np.pad(np.log1p(255 * (x - x.min()) / (x.max() - x.min())), 5, mode="symmetric")
        x = x - blurred(x)
        x = x / (np.float32(0.2) + np.sqrt(np.abs(blurred(x * x))))
        spectrum = fft2(np.pad(x[5:-5, 5:-5], 32, mode="symmetric"))
        magnitudes = (np.abs(ifft2(spectrum * f)[32:-32, 32:-32]) for f in filters)
        shape = 4, side // 4, 4, side // 4
        return np.concatenate([m.reshape(shape).mean((1, 3)).T.ravel() for m in magnitudes])

    return job


def section_sift() -> None:
    """DenseSIFT of 256 x 256 pixels against OpenCV at the same points and bins; with encoder."""
    image = photograph(256)
    # A step of 8 and bins of 4 pixels, 16 x 16 patches, make 961 descriptors.
    for step, bin_size in ((8, 4), (7, 8), (4, 16)):
        compare_sift(image, step, bin_size)
    compare_fisher_sift(image)


def photograph(side: int):
    """Draw structure at all scales, as photographs have it, in 8 bits."""
    rng = np.random.default_rng(0)
    picture = np.zeros((side, side), np.float32)
    for sigma in (1, 2, 4, 8, 16, 32):
        noise = cv2.GaussianBlur(rng.random((side, side), np.float32), (0, 0), sigma)
        picture += sigma * (noise - 0.5) / noise.std() * 0.02
    return np.rint(255 * np.clip(picture / 2 + 0.5, 0, 1)).astype(np.uint8)


def opencv_sift(image, positions, bin_size: int):
    """Describe upright key points, of whom OpenCV smooths the image as DenseSIFT does."""
    points = [cv2.KeyPoint(float(x), float(y), bin_size / 1.5, 0) for y, x in positions]
    return cv2.SIFT_create(sigma=bin_size / 6).compute(image, points)[1]


def root_sift(vectors):
    return np.sqrt(vectors / np.maximum(vectors.sum(axis=1, keepdims=True), 1e-9))


def compare_sift(image, step: int, bin_size: int) -> None:
    for window in ("flat", "gaussian"):
        stage = DenseSIFT(step, [bin_size], window=window)
        (found,) = stage.fit_transform([image])
        theirs = opencv_sift(image, found.positions, bin_size)
        cosines = (found.values * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)
        cosine = float(cosines[found.values.any(axis=1)].mean())
        name = f"{len(found)} descriptors, bins of {bin_size}, {window}"
        tell(f"{name}: mean cosine", f"{cosine:.4f}", ">= 0.98", cosine >= 0.98)
        peer = partial(opencv_sift, image, found.positions, bin_size)
        ratio = least(partial(stage.transform, [image]), peer, 2)
        tell_faster(f"{name}, against OpenCV", ratio, 7)


def compare_fisher_sift(image) -> None:
    """Compare the whole job: descriptors of three sizes, PCA to 64 and 256 Gaussians."""
    sift = DenseSIFT(4, [4, 8, 12], root=True)
    (found,) = sift.fit_transform([image])
    encoder = FisherVector(n_components=64, max_iter=5).fit([found])
    model, pca = as_scikit_learn(encoder), PCA(64)
    pca.mean_, pca.components_ = encoder.mean_, encoder.components_

    def theirs():
        vectors = [
            root_sift(opencv_sift(image, found.positions[found.scales == size], size))
            for size in (4, 8, 12)
        ]
        return fisher_vector(pca.transform(np.concatenate(vectors)), model)

    def ours():
        return encoder.transform(sift.transform([image]))

    name = f"{len(found)} descriptors, PCA, Fisher vector"
    whole, part = times(ours, lambda: sift.transform([image]), turns=10)
    tell_cost(f"{name}: what DenseSIFT takes", min(part) / min(whole), 0.25)
    tell_faster(f"{name}, against OpenCV and scikit-image", least(ours, theirs, 2), 10)
    for what, stages in ((name, [sift, encoder]), ("DenseSIFT alone", [sift])):
        one, two = (Stream(stages, chunk_size=4, n_jobs=jobs) for jobs in (1, 2))
        one_thread, two_threads = times(
            partial(one.transform, [image] * 32), partial(two.transform, [image] * 32), turns=4
        )
        tell_faster(f"{what}: two threads, against one", min(one_thread) / min(two_threads), 1.7)


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

    equal(f"{name}, values of SciPy", stage.transform([x])[0, ..., 0], scipy(x), 1e-5)
    equal(f"{name}, values of OpenCV", stage.transform(batch), loop(), 1e-5)
    ratio = least(lambda: stage.transform([x]), lambda: scipy(x), 40)
    tell_faster(f"{name}, one image, against SciPy", ratio, 6)
    ratio = least(lambda: stage._transform_one(batch[0]), lambda: scipy(x), 40)
    tell_faster(f"{name}, one image without the checks, against SciPy", ratio, 6)
    few = batch[:16]
    ratio = least(
        lambda: stage.transform(few), lambda: np.stack([scipy(x[..., 0]) for x in few]), 10
    )
    tell_faster(f"{name}, 16 images, against a loop of SciPy", ratio, 6)
    ratio = 1 / least(lambda: stage.transform(batch), loop)
    tell_cost(f"{name}, 64 images, against a loop of OpenCV", ratio, 1.10)

    class Bare(ImageStage):
        def _transform_one(self, image):
            return bare(image, None)[..., np.newaxis]

    peer = Bare().fit(batch)
    ratio = 1 / least(lambda: stage.transform(batch), lambda: peer.transform(batch))
    tell_cost(f"{name}, 64 images, against that call in a stage", ratio, 1.10)


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
    equal(f"sigma {sigma:g}: off the ideal, in float64", ours, ideal, 1e-5)
    our_error, their_error = np.abs(ours - ideal).max(), np.abs(bank(x) - ideal).max()
    figure = f"{our_error:.0e} to {their_error:.0e}"
    tell(f"sigma {sigma:g}: error, to that of filter2D", figure, "<= it", our_error <= their_error)
    ratio = least(lambda: stage.transform([x]), lambda: bank(x), 4)
    tell_faster(f"sigma {sigma:g}: one image", ratio, 10)
    ratio = least(lambda: stage.transform(batch), lambda: [bank(x) for x in batch[..., 0]], 1)
    tell_faster(f"sigma {sigma:g}: 16 images", ratio, 10)


def section_gabor() -> None:
    """GaborBank of 4 frequencies and 8 orientations, 256 x 256, against OpenCV and scikit-image."""
    (image,) = images(1, 256)[..., 0]
    stage = GaborBank(zero_mean=False, response="both").fit([image])
    kernels = scikit_image_kernels(stage.frequencies)

    def filter_2d():
        return np.dstack([cv2.filter2D(image, -1, k, borderType=REFLECT) for k in kernels])

    equal("values", stage.transform([image])[0], filter_2d(), 1e-5)
    tell_faster("cv2.filter2D", least(lambda: stage.transform([image]), filter_2d, 1), 2)
    ours, theirs = times(
        lambda: stage.transform([image]),
        lambda: [gabor(image, **filter_) for filter_ in gabor_filters(stage.frequencies)],
        turns=1,
    )
    tell_faster("skimage.filters.gabor", min(theirs) / min(ours), 20)


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
    compare_patterns("grey", images(16, 256)[..., 0], pattern[..., 0])
    compare_patterns("colour", images(16, 256, 3), pattern)


def compare_patterns(name: str, batch, pattern) -> None:
    one, several = list(batch[:1]), list(batch)
    stage = PatternMatch(pattern, method="ncc").fit(one)
    expected = match_template(batch[0].astype(np.float64), pattern.astype(np.float64))
    equal(f"{name}: values", stage.transform(one).squeeze(), expected.squeeze(), 1e-5)
    ratio = least(lambda: stage.transform(one), lambda: match_template(batch[0], pattern))
    tell_faster(f"{name}: one image", ratio, 3)
    theirs = lambda: [match_template(x, pattern) for x in several]  # noqa: E731
    tell_faster(f"{name}: 16 images", least(lambda: stage.transform(several), theirs, 2), 3)


def descriptors(count: int, length: int):
    """Make descriptors in overlapping clusters, as those of photographs are."""
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (300, length))
    noise = rng.normal(0, 1, (count, length)) * rng.uniform(0.5, 1, length)
    return (centres[rng.integers(0, 300, count)] * 0.7 + noise).astype(np.float32)


def section_encoders() -> None:
    """Encoders of 256 Gaussians or words against scikit-image and scikit-learn."""
    many = descriptors(30_000, 128)
    for count in (961, 10_000):
        compare_fisher_vectors(many[:count, :64], FisherVector().fit([many[:, :64]]))
    projected = FisherVector(n_components=64).fit([many])
    compare_projected(many[:10_000], projected)
    compare_bags(many[:10_000, :64], BagOfWords(256).fit([many[:, :64]]))
    compare_fitting(many[:, :64])


def as_scikit_learn(encoder) -> GaussianMixture:
    model = GaussianMixture(len(encoder.weights_), covariance_type="diag")
    model.weights_, model.means_ = encoder.weights_, encoder.means_
    model.covariances_ = encoder.variances_
    model.precisions_cholesky_ = 1 / np.sqrt(encoder.variances_)
    return model


def in_our_order(vector, modes: int):
    """Leave out the weights' block; scikit-image's block of deviations has the other sign."""
    means, deviations = np.split(vector[modes:], 2)
    vector = np.concatenate([means, -deviations])
    vector = np.sign(vector) * np.sqrt(np.abs(vector))
    return vector / np.linalg.norm(vector)


def compare_fisher_vectors(x, encoder) -> None:
    model, name = as_scikit_learn(encoder), f"FisherVector, {len(x)} descriptors of 64"
    equal(
        f"{name}: values",
        encoder.transform([x])[0],
        in_our_order(fisher_vector(x, model), 256),
        1e-4,
    )
    ratio = least(lambda: encoder.transform([x]), lambda: fisher_vector(x, model), 2)
    tell_faster(f"{name}, against scikit-image", ratio, 2)


def compare_projected(x, encoder) -> None:
    model = as_scikit_learn(encoder)
    pca = PCA(64)
    pca.mean_, pca.components_ = encoder.mean_, encoder.components_

    def theirs():
        return fisher_vector(pca.transform(x), model)

    name = "PCA 128 to 64 and FisherVector, 10,000 descriptors"
    equal(f"{name}: values", encoder.transform([x])[0], in_our_order(theirs(), 256), 1e-4)
    tell_faster(
        f"{name}, against both libraries", least(lambda: encoder.transform([x]), theirs, 2), 2
    )
    spatial = FisherVector(pyramid=[[1, 1], [3, 1], [2, 2]], n_components=64, max_iter=1)
    places = np.indices((100, 100)).reshape(2, -1).T.astype(np.float32)
    found = DescriptorSet(x, places, size=(100, 100))
    spatial.fit([found])
    ratio = 1 / least(lambda: spatial.transform([found]), lambda: encoder.transform([x]), 2)
    tell_cost("the same in a pyramid of 8 cells, against one cell", ratio, 2)


def compare_bags(x, encoder) -> None:
    k_means = MiniBatchKMeans(256, init=encoder.words_, n_init=1, max_iter=1).fit(encoder.words_)
    k_means.cluster_centers_ = encoder.words_

    def theirs():
        return np.bincount(k_means.predict(x), minlength=256) / len(x)

    equal("BagOfWords, 10,000 descriptors: values", encoder.transform([x])[0], theirs(), 1e-3)
    ratio = least(lambda: encoder.transform([x]), theirs, 2)
    tell_faster("BagOfWords, 10,000 descriptors, against scikit-learn", ratio, 1)


def compare_fitting(x) -> None:
    """Fit 256 Gaussians in as many rounds, from as many clusters of k-means."""

    def theirs():
        words = MiniBatchKMeans(256, n_init=1, random_state=0).fit(x).cluster_centers_
        model = GaussianMixture(256, covariance_type="diag", means_init=words, max_iter=8, tol=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            return model.fit(x)

    ours = lambda: FisherVector(max_iter=8).fit([x])  # noqa: E731
    ours_seconds, theirs_seconds = times(ours, theirs, turns=2)
    ratio = min(theirs_seconds) / min(ours_seconds)
    tell_faster("fitting 256 Gaussians, 8 rounds, against scikit-learn", ratio, 3)


def write_photographs(folder: Path, count: int, side: tuple[int, int], prefix: str) -> list[str]:
    """Write JPEGs that look like nature to a decoder: smooth noise, a few edges, fine grain."""
    rng = np.random.default_rng(len(prefix) + count)
    paths = []
    for n in range(count):
        height, width = side[0] + int(rng.integers(-16, 17)), side[1] + int(rng.integers(-16, 17))
        picture = np.zeros((height, width, 3), np.float32)
        for step in (8, 32):
            coarse = rng.random((height // step + 2, width // step + 2, 3), np.float32)
            picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        for _ in range(6):
            left, top = int(rng.integers(width)), int(rng.integers(height))
            colour = rng.random(3).tolist()
            cv2.rectangle(picture, (left, top), (left + width // 4, top + height // 4), colour, -1)
        picture = picture * 110 + rng.normal(0, 4, picture.shape)
        pixels = np.clip(picture, 0, 255).astype(np.uint8)
        path = folder / f"{prefix}{n:04}.jpg"
        path.write_bytes(simplejpeg.encode_jpeg(pixels, quality=90, colorsubsampling="420"))
        paths.append(str(path))
    return paths


def decode_alone(paths: list[str]) -> None:
    for path in paths:
        simplejpeg.decode_jpeg(Path(path).read_bytes(), colorspace="GRAY")


def scikit_image_loop(paths: list[str]) -> list:
    return [hog(resize(rgb2gray(imread(path)), (128, 128), anti_aliasing=True)) for path in paths]


def opencv_loop(paths: list[str]) -> list:
    """HOG from OpenCV's gradients and numpy's histograms; OpenCV 5 has none of its own."""
    vectors = []
    cell = np.arange(128) // 8
    offsets = (cell[:, None] * 16 + cell) * 9
    for path in paths:
        image = cv2.resize(
            cv2.imread(path, cv2.IMREAD_GRAYSCALE), (128, 128), interpolation=cv2.INTER_AREA
        )
        dx = cv2.Sobel(image, cv2.CV_32F, 1, 0, ksize=1)
        dy = cv2.Sobel(image, cv2.CV_32F, 0, 1, ksize=1)
        length, angle = cv2.cartToPolar(dx, dy, angleInDegrees=True)
        entry = offsets + np.minimum(angle % 180 // 20, 8).astype(np.int64)
        cells = np.bincount(entry.ravel(), length.ravel(), 16 * 16 * 9).reshape(16, 16, 9)
        blocks = np.lib.stride_tricks.sliding_window_view(cells, (3, 3), axis=(0, 1))
        blocks = blocks.transpose(0, 1, 3, 4, 2).reshape(14 * 14, 81)
        blocks = blocks / np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-10)
        blocks = np.minimum(blocks, 0.2)
        blocks = blocks / np.sqrt((blocks**2).sum(axis=1, keepdims=True) + 1e-10)
        vectors.append(blocks.ravel())
    return vectors


def hog_stream(**parameters) -> Stream:
    return Stream([ReadImages(size=(128, 128), mode="gray"), HOG()], **parameters)


def section_folder() -> None:
    """1,000 small and 200 large JPEGs to HOG, with Stream."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), 1000, (256, 256), "small")
        paths += write_photographs(Path(folder), 200, (1200, 1600), "large")
        paths = [paths[n] for n in np.random.default_rng(0).permutation(len(paths))]
        one, two = hog_stream().fit(paths), hog_stream(n_jobs=2).fit(paths)
        reader, features = ReadImages(size=(128, 128), mode="gray"), HOG()
        singles = [features.transform(reader.transform([path]))[0] for path in paths[:100]]
        equal("Stream equals its stages one by one", one.transform(paths[:100]), singles, 0)
        equal("two threads equal one", two.transform(paths), one.transform(paths), 0)

        ours, decoding, ours_two, opencv = times(
            lambda: one.transform(paths),
            lambda: decode_alone(paths),
            lambda: two.transform(paths),
            lambda: opencv_loop(paths),
            turns=5,
        )

        def ratio(above: list[float], below: list[float]) -> float:
            return min(above) / min(below)

        print(
            f"  seconds, one thread {min(ours):.2f}, two {min(ours_two):.2f}, "
            f"decoding alone {min(decoding):.2f}, OpenCV loop {min(opencv):.2f}"
        )
        tell_cost("one thread, against decoding alone", ratio(ours, decoding), 1.15)
        tell_faster("two threads, against one", ratio(ours, ours_two), 1.6)
        tell_faster("one thread, against a loop of OpenCV", ratio(opencv, ours), 4)
        tell_faster("two threads, against a loop of OpenCV", ratio(opencv, ours_two), 4)
        # A subset in the mix of the whole: 100 small and 20 large.
        small = [path for path in paths if "small" in path][:100]
        large = [path for path in paths if "large" in path][:20]
        started = time.perf_counter()
        scikit_image_loop(small + large)
        scaled = 10 * (time.perf_counter() - started)
        tell_faster(
            "two threads, against a loop of scikit-image (120 files, x 10)",
            scaled / min(ours_two),
            30,
        )


PEAK = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from peers import hog_stream
from pathlib import Path
paths = sorted(map(str, Path(sys.argv[1]).iterdir()))
stream = hog_stream(n_jobs=2).fit(paths)
count = sum(len(chunk.kept) for chunk in stream.iterate(paths * int(sys.argv[3])))
assert count == 2000 * int(sys.argv[3])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def section_memory() -> None:
    """Peak memory of Stream.iterate to HOG: 20,000 files against 2,000, in fresh processes."""
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), 2000, (256, 256), "small")
        here = str(Path(__file__).parent)
        peaks = []
        for repeats in ("1", "10"):
            command = [sys.executable, "-c", PEAK, folder, here, repeats]
            # Through a shell: Linux counts the memory of the process that starts another as its.
            command = ["sh", "-c", '"$@"; exit $?', "sh", *command]
            peaks.append(int(subprocess.run(command, capture_output=True, check=True).stdout))
    print(f"  MB, 2,000 files {peaks[0] / 1024:.0f}, 20,000 files {peaks[1] / 1024:.0f}")
    tell_cost("20,000 files, against 2,000", peaks[1] / peaks[0], 1.10)


def section_imports() -> None:
    """Start-up, against importing numpy; medians of interleaved runs."""
    commands = {
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import featx": [sys.executable, "-c", "import featx"],
        "featx --help": [sys.executable, "-c", "from featx.cli import main; main(['--help'])"],
    }
    script = Path(sys.executable).with_name("featx")
    commands["featx --help"] = [str(script), "--help"]
    if not script.exists():
        print("  featx --help: the script is not installed")
        del commands["featx --help"]
    jobs = [
        lambda command=command: subprocess.run(command, capture_output=True, check=True)
        for command in commands.values()
    ]
    seconds = times(*jobs, turns=15)
    typical = dict(zip(commands, map(statistics.median, seconds), strict=True))
    print("  seconds: " + ", ".join(f"{name} {value:.3f}" for name, value in typical.items()))
    for name, goal in (("import featx", 2), ("featx --help", 3)):
        if name in typical:
            tell_cost(
                f"{name}, against import numpy", typical[name] / typical["import numpy"], goal
            )


SECTIONS = {
    name.removeprefix("section_"): section
    for name, section in list(globals().items())
    if name.startswith("section_")
}


def main(names: list[str]) -> int:
    cv2.setNumThreads(1)
    unknown = set(names) - set(SECTIONS)
    if unknown:
        print(f"No such section: {', '.join(sorted(unknown))}. There are {', '.join(SECTIONS)}.")
        return 2
    for name in names or SECTIONS:
        print(f"{name}: {SECTIONS[name].__doc__}", flush=True)
        with threadpool_limits(1):
            SECTIONS[name]()
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
