"""A folder of files beside the loops that users write, its memory, and the time to start."""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from measuring import equal, record_cost, record_speedup, times
from skimage.color import rgb2gray
from skimage.feature import hog
from skimage.io import imread
from skimage.transform import resize

from featx import (
    HOG,
    ReadImages,
    Stream,
)


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
            color = rng.random(3).tolist()
            cv2.rectangle(picture, (left, top), (left + width // 4, top + height // 4), color, -1)
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


def read_grey(path: str):
    return cv2.imread(path, cv2.IMREAD_GRAYSCALE)


def read_colors_and_convert(path: str):
    return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2GRAY)


def opencv_loop(paths: list[str], read=read_grey) -> list:
    """HOG from OpenCV's gradients and numpy's histograms; OpenCV 5 has none of its own."""
    vectors = []
    cell = np.arange(128) // 8
    offsets = (cell[:, None] * 16 + cell) * 9
    for path in paths:
        image = cv2.resize(read(path), (128, 128), interpolation=cv2.INTER_AREA)
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


def hog_stream(reduced: bool = False, **parameters) -> Stream:
    reader = ReadImages(size=(128, 128), mode="gray", reduced_decoding=reduced)
    return Stream([reader, HOG()], **parameters)


def section_folder() -> None:
    """1,000 small and 200 large JPEGs to HOG, with Stream."""
    with tempfile.TemporaryDirectory() as folder:
        paths = write_photographs(Path(folder), 1000, (256, 256), "small")
        paths += write_photographs(Path(folder), 200, (1200, 1600), "large")
        paths = [paths[n] for n in np.random.default_rng(0).permutation(len(paths))]
        one, two = hog_stream().fit(paths), hog_stream(n_jobs=2).fit(paths)
        reduced = hog_stream(reduced=True, n_jobs=2).fit(paths)
        reader, features = ReadImages(size=(128, 128), mode="gray"), HOG()
        singles = [features.transform(reader.transform([path]))[0] for path in paths[:100]]
        equal("Stream, single stages", one.transform(paths[:100]), singles, 0)
        equal("Stream, 2 threads", two.transform(paths), one.transform(paths), 0)

        ours, decoding, ours_two, ours_reduced, opencv, converting = times(
            lambda: one.transform(paths),
            lambda: decode_alone(paths),
            lambda: two.transform(paths),
            lambda: reduced.transform(paths),
            lambda: opencv_loop(paths),
            lambda: opencv_loop(paths, read_colors_and_convert),
            turns=10,
        )

        def ratio(above: list[float], below: list[float]) -> float:
            return min(above) / min(below)

        print(
            f"  seconds, one thread {min(ours):.2f}, two {min(ours_two):.2f}, "
            f"decoding alone {min(decoding):.2f}, OpenCV loop {min(opencv):.2f}"
        )
        row, loop = "1,200 JPEG files to HOG", "OpenCV loop, gray"
        record_cost(f"{row}, 1 thread", "decoding alone", ratio(ours, decoding), 1.15)
        record_speedup(f"{row}, 2 threads", "1 thread", ratio(ours, ours_two), 1.6)
        record_speedup(f"{row}, 1 thread", loop, ratio(opencv, ours), 4)
        record_speedup(f"{row}, 2 threads", loop, ratio(opencv, ours_two), 4)
        in_color = "OpenCV loop, color"
        record_speedup(f"{row}, 2 threads", in_color, ratio(converting, ours_two), 4)
        record_speedup(f"{row}, 2 threads, reduced_decoding", loop, ratio(opencv, ours_reduced), 4)
        # A subset in the mix of the whole: 100 small and 20 large.
        small = [path for path in paths if "small" in path][:100]
        large = [path for path in paths if "large" in path][:20]
        started = time.perf_counter()
        scikit_image_loop(small + large)
        scaled = 10 * (time.perf_counter() - started)
        peer = "scikit-image loop"
        record_speedup(f"{row}, 2 threads", peer, scaled / min(ours_two), 30)


PEAK = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from peers_folder import hog_stream
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
    record_cost(
        "Stream to HOG, 20,000 files", "2,000 files", peaks[1] / peaks[0], 1.10, of="memory"
    )


def section_imports() -> None:
    """Start-up, against importing numpy; medians of interleaved runs."""
    commands = {
        "import numpy": [sys.executable, "-c", "import numpy"],
        "import featx": [sys.executable, "-c", "import featx"],
        "featx --help": [sys.executable, "-c", "from featx.cli.main import main; main(['--help'])"],
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
            record_cost(name, "import numpy", typical[name] / typical["import numpy"], goal)
