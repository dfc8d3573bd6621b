"""Benchmarks of descriptors against scikit-image, OpenCV and numpy."""

import warnings
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from measuring import (
    equal,
    images,
    least,
    record_agreement,
    record_cost,
    record_speedup,
    repeated,
    times,
)
from peers_encoders import as_scikit_learn
from scipy.fft import fft2, ifft2, irfft2, rfft2
from skimage.feature import fisher_vector, hog, local_binary_pattern
from sklearn.decomposition import PCA

from featx import (
    GIST,
    HOG,
    LBP,
    DenseLBP,
    DensePatches,
    DenseSIFT,
    FisherVector,
    LocalColor,
    Stream,
)
from featx.descriptors.binary_patterns import (
    binary_patterns,
    circle,
    grey_levels,
    pattern_bins,
)


def section_hog() -> None:
    """HOG of 128 x 128 pixels, float32, against skimage.feature.hog."""
    batch = images(256, 128)
    stage = HOG().fit(batch)
    few = batch[:4]
    sixteen = batch[:16]
    equal("HOG", stage.transform(few), [hog(x[..., 0].astype("f8")) for x in few], 1e-5)
    one = batch[:1]
    jobs = {
        "batches of 16": repeated(lambda: stage.transform(sixteen), 16),
        "batch of 256": lambda: stage.transform(batch),
        "batches of 1": repeated(lambda: stage.transform(one), 256),
        "without input checks": repeated(lambda: stage._transform_one(batch[0]), 256),
    }
    for name, job in jobs.items():
        ratio = least(job, lambda: hog(batch[0, ..., 0]))
        record_speedup(f"HOG, 128 x 128, {name}", "scikit-image", 256 * ratio, 100)


def section_hog31() -> None:
    """HOG's UoCTTI variant, 128 x 128 pixels, against numpy, and scikit-image's other HOG."""
    batch = images(64, 128)
    stage = HOG(variant="uoctti").fit(batch)
    one = batch[:1]
    row = 'HOG(variant="uoctti")'
    equal(row, stage.transform(one)[0], numpy_hog31(one[0, ..., 0]), 1e-5)
    peers = {
        "NumPy": (numpy_hog31, 4),
        "scikit-image, 2 x 2 blocks": (hog_of_two_cells, 15),
    }
    for name, (peer, goal) in peers.items():
        ratio = least(lambda: stage.transform(one), partial(peer, one[0, ..., 0]), 4)
        record_speedup(f"{row}, 128 x 128, one image", name, ratio, goal)
        ratio = least(lambda: stage.transform(batch), partial(peer, one[0, ..., 0]), 4)
        record_speedup(f"{row}, 128 x 128, batch of 64", name, 64 * ratio, goal)


hog_of_two_cells = partial(hog, cells_per_block=(2, 2))


def numpy_hog31(image):
    """Compute HOG-31 by whole-array operations; matrix products assign magnitudes to cells."""
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
    """Compute the bilinear weight of each inner pixel in each cell of 8 pixels."""
    distance = np.arange(1, length - 1)[:, None] + 0.5 - 8 * (np.arange(length // 8) + 0.5)
    return np.maximum(1 - np.abs(distance) / 8, 0).astype(np.float32)


def section_lbp() -> None:
    """LBP of 256 x 256 pixels of 8 bits, against skimage.feature.local_binary_pattern."""
    noise = np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
    coarse = np.random.default_rng(0).integers(0, 256, (17, 17), np.uint8)
    pictures = {
        "noise": noise,
        "noise of 3 gray levels": noise // 86,
        "smooth image": cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC),
    }
    for name, image in pictures.items():
        for points, radius, goal in ((8, 1, 50), (16, 2, 30), (24, 3, 30)):
            compare_lbp(f"LBP({points}, {radius}), {name}", image, points, radius, goal)
    one, two = Stream([LBP()]).fit([noise]), Stream([LBP()], n_jobs=2).fit([noise])
    for count in (256, 2048):
        many = [noise] * count
        ours, ours_two = times(partial(one.transform, many), partial(two.transform, many), turns=5)
        record_speedup(
            f"LBP, {count} images, 2 threads", "1 thread", min(ours) / min(ours_two), 1.7
        )


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
    equal(f"{name}, codes", bins[patterns()], inside, 0)
    shares = np.bincount(inside.ravel().astype(int), minlength=count) / inside.size
    equal(f"{name}, histogram", stage.transform([image])[0], shares, 1e-6)
    peer = "scikit-image"
    record_speedup(f"{name}, patterns only", peer, least(patterns, theirs, 4), goal)
    peer += ", NumPy"
    one, batch = pixels[..., np.newaxis], [image] * 8
    ratio = least(lambda: stage._transform_one(one), their_histogram, 4)
    record_speedup(f"{name}, without input checks", peer, ratio, goal)
    ratio = least(lambda: stage.transform(batch), their_histogram, 4)
    record_speedup(f"{name}, batch of 8", peer, 8 * ratio, goal)


def section_patches() -> None:
    """Descriptors in windows of 256 x 256 pixels, against numpy, OpenCV and scikit-image."""
    (image,) = images(1, 256, 3)
    gray = np.ascontiguousarray(image[..., :1])
    patches = partial(compare_patches, stage=DensePatches(spacings=[1, 2, 4]), goal=5)
    patches("DensePatches, gray", "NumPy", gray, peer=pixel_patches)
    patches("DensePatches, RGB", "NumPy", image, peer=pixel_patches)
    compare_patches("LocalColor", "OpenCV", image, LocalColor([16, 32]), color_statistics, 2)
    compare_patches(
        "DenseLBP",
        "scikit-image",
        gray,
        DenseLBP(patch_sizes=[16, 32]),
        lbp_histograms,
        15,
    )


def compare_patches(name: str, peer_name: str, image, stage, peer, goal: float) -> None:
    stage.fit([image])
    equal(name, stage.transform([image])[0].values, peer(image), 1e-5)
    ratio = least(lambda: stage.transform([image]), lambda: peer(image), 2)
    record_speedup(f"{name}, 256 x 256, one image", peer_name, ratio, goal)


def pixel_patches(image):
    """Extract patches of 8 x 8 pixels by numpy's strides and normalize them at once."""
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
    """Compute means and deviations of cells by OpenCV's box filter."""
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
    """Compute histograms of scikit-image's patterns, window by window."""
    gray = image[..., 0].astype(np.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warns about floating-point images
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
        "GIST, relative to the largest",
        stage.transform([x])[0] / expected.max(),
        expected / expected.max(),
        1e-5,
    )
    row, peer = "GIST, 128 x 128", "SciPy"
    ratio = least(lambda: stage.transform([x]), lambda: job(x), 4)
    record_speedup(f"{row}, one image", peer, ratio, 1.3)
    ratio = least(lambda: stage.transform(batch), lambda: [job(x) for x in batch[..., 0]], 1)
    record_speedup(f"{row}, batch of 16", peer, ratio, 1.3)
    one, two = Stream([GIST()]).fit(batch), Stream([GIST()], n_jobs=2).fit(batch)
    many = images(64, 128)
    ours, ours_two = times(lambda: one.transform(many), lambda: two.transform(many), turns=5)
    record_speedup("GIST, 64 images, 2 threads", "1 thread", min(ours) / min(ours_two), 1.7)


def scipy_gist(side: int) -> Callable[[np.ndarray], np.ndarray]:
    """Prepare the filters of LMgist for one image size, and return a loop over them."""
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
    """DenseSIFT of 256 x 256 pixels against OpenCV at equal points and bins, and with encoder."""
    image = photograph(256)
    # A step of 8 and bins of 4 pixels (patches of 16 x 16) yield 961 descriptors.
    for step, bin_size in ((8, 4), (7, 8), (4, 16)):
        compare_sift(image, step, bin_size)
    compare_fisher_sift(image)


def photograph(side: int):
    """Generate an 8-bit image with structure at all scales, similar to a photograph."""
    rng = np.random.default_rng(0)
    picture = np.zeros((side, side), np.float32)
    for sigma in (1, 2, 4, 8, 16, 32):
        noise = cv2.GaussianBlur(rng.random((side, side), np.float32), (0, 0), sigma)
        picture += sigma * (noise - 0.5) / noise.std() * 0.02
    return np.rint(255 * np.clip(picture / 2 + 0.5, 0, 1)).astype(np.uint8)


def opencv_sift(image, positions, bin_size: int):
    """Describe upright key points whose size makes OpenCV smooth as DenseSIFT does."""
    points = [cv2.KeyPoint(float(x), float(y), bin_size / 1.5, 0) for y, x in positions]
    return cv2.SIFT_create(sigma=bin_size / 6).compute(image, points)[1]


def root_sift(vectors):
    return np.sqrt(vectors / np.maximum(vectors.sum(axis=1, keepdims=True), 1e-9))


def compare_sift(image, step: int, bin_size: int) -> None:
    for window in ("flat", "gaussian"):
        stage = DenseSIFT(step, [bin_size], window=window)
        (found,) = stage.fit_transform([image])
        described = found.values.any(axis=1)  # both return zeros in constant regions
        ours = found.values[described]
        theirs = opencv_sift(image, found.positions, bin_size)[described]
        cosines = (ours * theirs).sum(axis=1) / np.linalg.norm(theirs, axis=1)
        cosine = float(cosines.mean())
        name = f"DenseSIFT, {len(found):,} descriptors, bins of {bin_size}, {window}"
        record_agreement(name, "mean cosine", cosine, 0.98, cosine >= 0.98)
        peer = partial(opencv_sift, image, found.positions, bin_size)
        ratio = least(partial(stage.transform, [image]), peer, 2)
        record_speedup(name, "OpenCV", ratio, 7)


def compare_fisher_sift(image) -> None:
    """Compare the whole pipeline: descriptors of three sizes, PCA to 64 and 256 Gaussians."""
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

    name = f"DenseSIFT ({len(found):,} descriptors), FisherVector"
    whole, part = times(ours, lambda: sift.transform([image]), turns=10)
    record_cost(f"{name}: DenseSIFT", "both stages", min(part) / min(whole), 0.25)
    peer = "OpenCV, scikit-image"
    record_speedup(name, peer, least(ours, theirs, 2), 10)
    for what, stages in ((name, [sift, encoder]), ("DenseSIFT", [sift])):
        one, two = (Stream(stages, chunk_size=4, n_jobs=jobs) for jobs in (1, 2))
        one_thread, two_threads = times(
            partial(one.transform, [image] * 32), partial(two.transform, [image] * 32), turns=4
        )
        ratio = min(one_thread) / min(two_threads)
        record_speedup(f"{what}, 32 images, 2 threads", "1 thread", ratio, 1.7)
