import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featx import PatternSearch, ReadImages
from featx.descriptors.pattern_search import (
    Hit,
    common_part,
    find_pattern,
    small_pattern,
    stop_sign,
    strength,
    suppressed,
)

seeds = st.integers(0, 2**32 - 1)


def literal(image, pattern, mask):
    """Compute both correlations at every place by the formula, in double precision."""
    image, pattern, mask = (np.asarray(array, np.float64) for array in (image, pattern, mask))
    height, width, channels = pattern.shape
    weights = np.repeat(mask[..., np.newaxis], channels, axis=2)

    def centered(values, axes):
        means = (weights * values).sum(axis=axes, keepdims=True) / weights.sum(
            axis=axes, keepdims=True
        )
        return values - means

    def correlation(one, other, axes, least):
        one, other = centered(one, axes), centered(other, axes)
        energy = max((weights * one**2).sum(), least)
        return (weights * one * other).sum() / np.sqrt(energy * (weights * other**2).sum())

    least = weights.sum() * 0.01**2
    result = np.empty((image.shape[0] - height + 1, image.shape[1] - width + 1))
    for place in np.ndindex(result.shape):
        window = image[place[0] : place[0] + height, place[1] : place[1] + width]
        shape = correlation(window, pattern, (0, 1), least)
        color = correlation(window, pattern, (0, 1, 2), least)
        result[place] = np.sqrt(max(shape, 0) * max(color, 0))
    return result


# In smaller windows, single precision has less to go by: all pixels may be nearly the same.
@given(seeds, st.integers(5, 15), st.integers(5, 15), st.sampled_from([1, 2, 3]))
def test_strength_equals_the_formula(seed, height, width, channels):
    rng = np.random.default_rng(seed)
    image = rng.random((height + 3, width + 4, channels), np.float32)
    pattern = rng.random((height, width, channels), np.float32)
    mask = rng.random((height, width), np.float32)
    expected = literal(image, pattern, mask)
    result = strength(image, pattern, mask)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result**2, expected**2, rtol=0, atol=2e-5)


def test_even_images_have_no_strength():
    sign, mask = small_pattern(*stop_sign(96), 24)
    for value in (0, 0.3, 1):
        response = strength(np.full((40, 50, 3), value, np.float32), sign, mask)
        np.testing.assert_allclose(response, 0, rtol=0, atol=1e-2)


def test_brightness_and_contrast_change_nothing():
    sign, mask = small_pattern(*stop_sign(96), 24)
    image = np.random.default_rng(0).random((30, 30, 3), np.float32)
    image[3:27, 3:27] = sign
    response = strength(image, sign, mask)
    assert np.unravel_index(response.argmax(), response.shape) == (3, 3)
    assert response.max() == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(strength(0.2 * image + 0.1, sign, mask), response, atol=1e-4)


def test_what_the_mask_hides_does_not_count():
    sign, mask = stop_sign(40)
    image = np.random.default_rng(0).random((40, 40, 3), np.float32)
    image[mask == 1] = sign[mask == 1]
    opaque = (mask == 1).astype(np.float32)
    assert strength(image, sign, opaque)[0, 0] == pytest.approx(1, abs=1e-5)
    assert strength(image, sign, np.ones_like(mask))[0, 0] < 0.95


def placed(size, row, column, shape=(200, 260), seed=0):
    """Make a picture of noise of low contrast, with a sign of this size."""
    image = np.random.default_rng(seed).uniform(0.4, 0.6, (*shape, 3)).astype(np.float32)
    sign, mask = stop_sign(size)
    part = image[row : row + size, column : column + size]
    part += (sign - part) * mask[..., np.newaxis]
    return image


@pytest.mark.parametrize(("size", "row", "column"), [(24, 10, 30), (55, 100, 9), (150, 20, 80)])
def test_signs_are_found_in_every_size(size, row, column):
    hits = find_pattern(placed(size, row, column), *small_pattern(*stop_sign(96), 24))
    (hit,) = hits
    assert hit.strength > 0.6
    assert hit.height / size == pytest.approx(1, abs=0.15)
    assert hit.height == pytest.approx(hit.width, rel=0.05)
    assert hit.row + hit.height / 2 == pytest.approx(row + size / 2, abs=0.06 * size + 1)
    assert hit.column + hit.width / 2 == pytest.approx(column + size / 2, abs=0.06 * size + 1)
    found = PatternSearch().fit_transform([placed(size, row, column)])
    assert found[0, 0] == pytest.approx(hit.strength)


def test_several_signs_the_strongest_first():
    image = placed(60, 20, 20)
    part = image[100:130, 200:230]
    sign, mask = stop_sign(30)
    part += (0.5 * sign + 0.2 - part) * mask[..., np.newaxis]
    hits = find_pattern(image, *small_pattern(*stop_sign(96), 24), threshold=0.55)
    assert len(hits) == 2
    assert hits[0].strength >= hits[1].strength
    assert sorted(round(hit.column, -1) for hit in hits) == [20, 200]


def test_the_largest_size_is_that_of_the_image():
    sign, _ = stop_sign(100)
    (hit,) = find_pattern(sign, *small_pattern(*stop_sign(96), 24), threshold=0.7)
    assert hit[1:] == (0, 0, 100, 100)


def test_an_image_smaller_than_the_pattern_has_no_hits():
    assert find_pattern(np.zeros((20, 50, 3), np.float32), *stop_sign(24)) == []


def test_suppression_keeps_the_strongest_of_those_that_overlap():
    best, near = Hit(0.9, 10, 10, 20, 20), Hit(0.8, 12, 12, 20, 20)
    inside, apart = Hit(0.7, 15, 15, 5, 5), Hit(0.6, 10, 40, 20, 20)
    assert suppressed([apart, inside, near, best], 0.3) == [best, apart]
    assert suppressed([near, best], 0.9) == [best, near]


boxes = st.tuples(*[st.integers(0, 30)] * 2, *[st.integers(1, 20)] * 2)


def test_the_common_part_of_boxes():
    others = np.array([(2, 3, 4, 5), (3, 5, 10, 10), (6, 3, 1, 1), (5, 7, 1, 1)], np.float64)
    common = common_part(np.array([2.0, 3, 4, 5]), others)
    np.testing.assert_allclose(common, [1, 3 * 3 / 20, 0, 1], rtol=1e-15)


@given(st.lists(st.tuples(st.integers(0, 3), boxes), max_size=20), st.sampled_from([0, 0.3, 1]))
def test_suppression_equals_the_comparison_of_each_with_each(drawn, overlap):
    def common(one, other):
        rows, columns = (
            len(
                {*range(one[axis], one[axis] + one[axis + 2])}
                & {*range(other[axis], other[axis] + other[axis + 2])}
            )
            for axis in (1, 2)
        )
        return rows * columns / min(one.height * one.width, other.height * other.width)

    hits, kept = [Hit(strength, *box) for strength, box in drawn], []
    for hit in sorted(hits, reverse=True):
        if all(common(hit, other) <= overlap for other in kept):
            kept.append(hit)
    assert suppressed(hits, overlap) == kept


def test_nothing_is_found_where_there_is_no_response():
    sign, mask = small_pattern(*stop_sign(96), 24)
    assert find_pattern(np.full((40, 50, 3), 0.5, np.float32), sign, mask, threshold=0.0) == []


def test_a_drawn_sign_is_red_white_and_eight_sided():
    sign, mask = stop_sign(200)
    assert sign.shape == (200, 200, 3)
    assert mask.mean() == pytest.approx(2 * (np.sqrt(2) - 1), abs=0.005)  # a regular octagon
    np.testing.assert_allclose(sign[30, 100], [0.75, 0.05, 0.1], atol=1e-6)
    np.testing.assert_allclose(sign[2, 100], [1, 1, 1], atol=1e-6)
    assert not sign.flags.writeable


@pytest.mark.parametrize(
    ("search", "message"),
    [
        (
            PatternSearch(np.eye(3), mask=np.ones((2, 3))),
            "PatternSearch: the mask is 2 x 3, but the pattern is 3 x 3 pixels. Their sizes must "
            "be equal.",
        ),
        (
            PatternSearch(np.eye(3), mask=2 * np.ones((3, 3))),
            "PatternSearch: mask values must be in [0, 1].",
        ),
        (
            PatternSearch(np.eye(3), mask=np.eye(3)),
            "PatternSearch: the pattern is constant within the mask. Use a pattern that varies.",
        ),
        (
            PatternSearch(np.eye(30)),
            "PatternSearch: the number of channels is 1 in the pattern, but 3 in the image. They "
            "must be equal.",
        ),
    ],
)
def test_what_does_not_fit_together(search, message):
    with pytest.raises(ValueError) as caught:
        search.fit_transform([np.zeros((40, 40, 3), np.float32)])
    assert str(caught.value) == message


def test_signs_on_photographs(real_data):
    folder = real_data / "stopsigns"
    names = ["stop/13.jpg", "stop/20.jpg", "other/128.jpg", "other/134.jpg"]
    read = ReadImages(size=(640, 640), resize="shrink")
    found = PatternSearch().fit_transform(read.transform([folder / name for name in names]))[:, 0]
    assert found[:2].min() > 0.65
    assert found[2:].max() < 0.5
