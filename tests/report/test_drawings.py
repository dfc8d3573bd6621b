import colorsys

import numpy as np
import pytest
from skimage.feature import hog
from sklearn.linear_model import LogisticRegression

from featx import HOG, DenseSIFT, OrientedEdges
from featx.report.drawings import circles, drawing, hog_strokes, orientation_colors


def stripes(upright, size=64):
    image = np.zeros((size, size, 1), np.uint8)
    image[:, ::8] = image[:, 1::8] = image[:, 2::8] = image[:, 3::8] = 255
    return image if upright else image.swapaxes(0, 1)


def test_the_same_color_for_the_same_orientation():
    stage = OrientedEdges(orientations=8)
    colors = []
    for upright in (True, False):
        (maps,) = stage.fit([stripes(upright)]).transform([stripes(upright)])
        drawn = orientation_colors(maps, stage._angles())
        assert drawn.shape == (*maps.shape[:2], 3)
        strong = drawn[drawn.max(axis=2) > 200]
        assert len(strong) > 100
        colors.append(np.median(strong, axis=0))
    # Hues 180 degrees apart: red and cyan.
    horizontal, vertical = colors[1], colors[0]
    assert horizontal[0] > horizontal[1:].max()
    assert vertical[0] < vertical[1:].min()


def test_orientation_colors_equal_the_formula():
    maps = np.random.default_rng(0).normal(size=(3, 4, 8)).astype(np.float32)
    angles = [0, 45, 90, 135]
    drawn = orientation_colors(maps, angles)
    energy = (maps[..., :4] ** 2 + maps[..., 4:] ** 2).astype(float)
    for row, column in np.ndindex(3, 4):
        e = energy[row, column]
        z = sum(e[k] * np.exp(2j * np.pi * angle / 180) for k, angle in enumerate(angles))
        hue = np.angle(z) / (2 * np.pi) % 1
        brightness = np.sqrt(e.sum() / energy.sum(axis=2).max())
        expected = colorsys.hsv_to_rgb(hue, abs(z) / e.sum(), brightness)
        np.testing.assert_allclose(drawn[row, column], 255 * np.array(expected), atol=1.5)


def test_zero_responses_are_black():
    assert orientation_colors(np.zeros((4, 4, 4), np.float32), [0, 45, 90, 135]).max() == 0


@pytest.mark.parametrize("upright", [True, False])
def test_strokes_are_along_the_edges(upright):
    stage = HOG(pixels_per_cell=(16, 16), cells_per_block=(2, 2))
    image = stripes(upright)
    (vector,) = stage.fit([image]).transform([image])
    drawn = hog_strokes(vector, stage.get_feature_names_out().tolist())[..., 0].astype(float)
    assert drawn.shape == (96, 96)
    along = 0 if upright else 1
    # A stroke is long along the edge and narrow across it.
    assert (drawn.sum(axis=along) > 0).sum() < (drawn.sum(axis=1 - along) > 0).sum() / 2
    expected = hog(image[..., 0], 9, (16, 16), (2, 2), visualize=True)[1]
    for cell in np.ndindex(4, 4):
        own = drawn[24 * cell[0] : 24 * cell[0] + 24, 24 * cell[1] : 24 * cell[1] + 24]
        theirs = expected[16 * cell[0] : 16 * cell[0] + 16, 16 * cell[1] : 16 * cell[1] + 16]
        assert np.ptp(np.argwhere(own > 60), axis=0).argmax() == along
        assert np.ptp(np.argwhere(theirs > 0.5 * theirs.max()), axis=0).argmax() == along


def test_other_vectors_have_no_strokes():
    assert hog_strokes(np.ones(2), ["a", "b"]) is None
    assert hog_strokes(np.ones(0), []) is None


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_circles(dtype):
    image = np.full((48, 64, 1), 0.5)
    image = (image * np.iinfo(dtype).max).astype(dtype) if dtype != np.float32 else image
    image = image.astype(dtype)
    (found,) = DenseSIFT(step=16, bin_sizes=[4]).fit([image]).transform([image])
    drawn = circles(image, found)
    assert drawn.shape == (96, 128, 3)
    colored = np.argwhere(np.ptp(drawn.astype(int), axis=2) > 40)
    radius = 2 * found.scales[0]
    for row, column in found.positions:
        distance = np.hypot(*(colored - 2 * (np.array([row, column]) + 0.5)).T)
        assert np.abs(distance - radius).min() < 1.5
    assert circles(image, found[:0]).shape == (96, 128, 3)


def test_drawing():
    image = stripes(True)
    sift = DenseSIFT(step=2)
    (found,) = sift.fit([image]).transform([image])
    assert len(found) > 300
    seen, _ = drawing(sift, found, [], image)
    assert seen == f"300 of {len(found)} descriptors"
    assert drawing(sift, found, [], None) is None
    assert drawing(LogisticRegression(), np.ones(3), ["a", "b", "c"], image) is None
