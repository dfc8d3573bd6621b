"""Images of three classes that small models tell apart, for the tests of jobs and models."""

import numpy as np

from featx import HOG, ReadImages, SpatialPyramid, Stream


def draw(count=60, classes=3, size=16):
    """Draw noise whose brightness and stripes depend on the class, and name the classes."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, size, size, 1), np.uint8)
    labels = np.arange(count) % classes
    images[labels == 1, : size // 2] //= 3
    images[labels == 2, :, : size // 2] //= 3
    return images, np.array(["a", "b", "c"])[labels]


def hog():
    return Stream([HOG(pixels_per_cell=(8, 8), cells_per_block=(1, 1))])


def pyramid():
    return Stream([ReadImages(size=(16, 16), mode="gray"), SpatialPyramid(levels=[2])])
