import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featx import HOG, DenseHOG
from featx.descriptors.uoctti import uoctti_cells, uoctti_names

seeds = st.integers(0, 2**32 - 1)


def literal(image, orientations, height, width):
    """Add up pixel by pixel what the function says; directions and lengths in float32."""
    rows, columns = (image.shape[0] + height // 2) // height, (image.shape[1] + width // 2) // width
    angles = np.pi * np.arange(orientations) / orientations
    unit = np.stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    d = np.zeros((rows, columns, 2 * orientations))
    for y in range(1, image.shape[0] - 1):
        for x in range(1, image.shape[1] - 1):
            gx = image[y, x + 1] - image[y, x - 1]
            gy = image[y + 1, x] - image[y - 1, x]
            channel = (gx**2 + gy**2).argmax()
            gx, gy = gx[channel], gy[channel]
            products = gx * unit[0] + gy * unit[1]
            k = np.abs(products).argmax()
            k = k + orientations if products[k] < 0 else k
            length = np.hypot(np.float64(gx), np.float64(gy))
            for i in range(rows):
                for j in range(columns):
                    down = abs(y + 0.5 - (i + 0.5) * height) / height
                    across = abs(x + 0.5 - (j + 0.5) * width) / width
                    d[i, j, k] += length * max(0, 1 - down) * max(0, 1 - across)
    u = d[..., :orientations] + d[..., orientations:]
    energy = np.pad((u**2).sum(axis=2), 1, mode="edge")
    cells = []
    for i in range(rows):
        for j in range(columns):
            blocks = [energy[i + a : i + a + 2, j + b : j + b + 2] for a in (0, 1) for b in (0, 1)]
            norms = [np.sqrt(1e-4 + block.sum()) for block in blocks]
            signed = [np.minimum(d[i, j] / norm, 0.2) for norm in norms]
            unsigned = [np.minimum(u[i, j] / norm, 0.2) for norm in norms]
            textures = [part.sum() / np.sqrt(18) for part in unsigned]
            cells.append(np.concatenate([sum(signed) / 2, sum(unsigned) / 2, textures]))
    return np.reshape(cells, (rows, columns, -1))


@settings(max_examples=40)
@given(
    seeds,
    st.tuples(st.integers(4, 24), st.integers(4, 24)),
    st.integers(1, 12),
    st.tuples(st.integers(1, 8), st.integers(1, 8)),
    st.sampled_from([1, 3]),
    st.sampled_from([None, 4, 255]),
)
def test_the_loops_are_the_literal_formula(seed, shape, orientations, cell, channels, levels):
    rng = np.random.default_rng(seed)
    image = rng.random((*shape, channels), np.float32)
    if levels is not None:
        # Gradients straight up and down, and of equal length in two channels, are frequent.
        image = rng.integers(0, levels + 1, image.shape).astype(np.float32) / np.float32(levels)
    result = uoctti_cells(image, orientations, cell)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, literal(image, orientations, *cell), rtol=0, atol=2e-6)


@pytest.mark.parametrize("step", [(0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, 1)])
def test_directions_turn_clockwise_from_the_right(step):
    rows, columns = np.mgrid[:24, :24]
    ramp = (0.5 + 0.01 * (rows * step[0] + columns * step[1])).astype(np.float32)[..., np.newaxis]
    middle = uoctti_cells(ramp, 4, (8, 8))[1, 1]
    expected = int(np.degrees(np.arctan2(step[0], step[1])) % 360 // 45)
    assert np.flatnonzero(middle[:8]).tolist() == [expected]
    assert np.flatnonzero(middle[8:12]).tolist() == [expected % 4]


def test_mirroring_permutes_the_numbers():
    image = np.random.default_rng(0).random((32, 40, 1), np.float32)
    n = 9
    directions = (n - np.arange(2 * n)) % (2 * n)
    order = [*directions, *(2 * n + (n - np.arange(n)) % n), *(3 * n + np.array([1, 0, 3, 2]))]
    mirrored = uoctti_cells(image[:, ::-1], n, (8, 8))[:, ::-1][..., order]
    np.testing.assert_allclose(mirrored, uoctti_cells(image, n, (8, 8)), atol=1e-6)


@pytest.mark.parametrize("shape", [(32, 24), (1, 1), (2, 9)])
def test_a_flat_image_gives_zero(shape):
    image = np.full((*shape, 3), 0.6, np.float32)
    assert not uoctti_cells(image, 9, (2, 2)).any()
    vectors = HOG(pixels_per_cell=(2, 2), variant="uoctti").fit_transform([image])
    assert not vectors.any()


def test_hog_strings_the_cells_together():
    image = np.random.default_rng(0).random((27, 20, 3), np.float32)
    stage = HOG(9, (8, 6), variant="uoctti").fit([image])
    (vector,) = stage.transform([image])
    cells = uoctti_cells(image, 9, (8, 6))
    assert cells.shape == (3, 3, 31)
    np.testing.assert_array_equal(vector, cells.ravel())
    names = stage.get_feature_names_out()
    assert len(set(names)) == len(vector)
    assert names[31] == "hog_cell0_1_direction0"
    assert names[-1] == "hog_cell2_2_texture_lower_right"
    roots = HOG(9, (8, 6), transform_sqrt=True, variant="uoctti").fit_transform([image])
    np.testing.assert_array_equal(roots[0], uoctti_cells(np.sqrt(image), 9, (8, 6)).ravel())


def test_blocks_and_norms_are_not_chosen_for_the_variant_that_has_its_own():
    for chosen in ({"cells_per_block": (2, 2)}, {"block_norm": "L1"}):
        with pytest.raises(ValueError) as error:
            HOG(variant="uoctti", **chosen).fit([np.zeros((30, 30), np.float32)])
        assert str(error.value) == (
            'HOG: variant="uoctti" does not support cells_per_block and block_norm. Leave them '
            "at their defaults."
        )


@settings(max_examples=25)
@given(seeds, st.integers(1, 3), st.sampled_from([2, 4, 6]), st.sampled_from([None, 1, 2]))
def test_dense_hog_gives_squares_of_cells_at_their_places(seed, cells, side, step):
    image = np.random.default_rng(seed).random((21, 25, 1), np.float32)
    (found,) = DenseHOG(5, [side], cells, step).fit_transform([image])
    step = side if step is None else step
    least = cells * side - side // 2
    expected, places = [], []
    for top in range(0, 21 - least + 1, step):
        for left in range(0, 25 - least + 1, step):
            part = uoctti_cells(image[top % side :, left % side :], 5, (side, side))
            row, column = top // side, left // side
            expected.append(part[row : row + cells, column : column + cells].ravel())
            places.append((top + (cells * side - 1) / 2, left + (cells * side - 1) / 2))
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found.positions, np.array(places, np.float32))
    assert found.positions.flags.c_contiguous
    np.testing.assert_array_equal(found.scales, np.full(len(places), side))
    assert found.size == (21, 25)


def test_sizes_of_cells_follow_one_another_and_those_too_large_are_left_out():
    image = np.random.default_rng(0).random((30, 30, 1), np.float32)
    (both,) = DenseHOG(cell_sizes=[4, 8, 40]).fit_transform([image])
    (small,) = DenseHOG(cell_sizes=[4]).fit_transform([image])
    (large,) = DenseHOG(cell_sizes=[8]).fit_transform([image])
    np.testing.assert_array_equal(both.values, np.concatenate([small.values, large.values]))
    np.testing.assert_array_equal(both.scales, [4] * len(small) + [8] * len(large))


def test_names_of_a_descriptor():
    stage = DenseHOG(cells=2).fit([np.zeros((16, 16), np.float32)])
    names = stage.get_feature_names_out().tolist()
    assert names[:31] == [f"hog_cell0_0_{name}" for name in uoctti_names(9)]
    assert len(names) == 124


def test_a_step_that_does_not_divide_a_side():
    with pytest.raises(ValueError) as error:
        DenseHOG(cell_sizes=[8, 12], step=8).fit([np.zeros((30, 30), np.float32)])
    assert str(error.value) == (
        "DenseHOG: step=8 does not divide the cell size 12. Use a divisor of all cell_sizes."
    )


def test_too_small():
    with pytest.raises(ValueError) as error:
        DenseHOG().fit([np.zeros((12, 11), np.float32)])
    assert str(error.value) == (
        "DenseHOG needs at least 12 x 12 pixels with these parameters, but image 0 is "
        "12 x 11 pixels."
    )
