import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from featx import CENTRIST


def noise(seed, *shape, greatest=255):
    return np.random.default_rng(seed).integers(0, greatest + 1, shape, np.uint8)


def census(image):
    """Compute the transform pixel by pixel."""
    patterns = np.zeros((image.shape[0] - 2, image.shape[1] - 2), int)
    for i, j in np.ndindex(patterns.shape):
        around = np.delete(image[i : i + 3, j : j + 3].ravel(), 4)
        bits = "".join("1" if image[i + 1, j + 1] >= neighbor else "0" for neighbor in around)
        patterns[i, j] = int(bits, 2)
    return patterns


def spans(length, count):
    """Give the blocks along an axis, and those shifted by half a block."""
    sides = [i * length // count for i in range(count + 1)]
    middles = [(sides[i] + sides[i + 1]) // 2 for i in range(count)]
    return [[(these[i], these[i + 1]) for i in range(len(these) - 1)] for these in (sides, middles)]


def literal(image, levels):
    """Compute what the class says, without components and square roots; pixels of 8 bits."""
    image = image.astype(np.float64)
    blocks = []
    for level in reversed(range(levels)):
        patterns, inside = census(image), image[1:-1, 1:-1]
        for rows, columns in zip(
            spans(patterns.shape[0], 2**level), spans(patterns.shape[1], 2**level), strict=True
        ):
            for top, bottom in rows:
                for left, right in columns:
                    part = np.s_[top:bottom, left:right]
                    counts = np.bincount(patterns[part].ravel(), minlength=256)
                    shares = counts[1:-1] / counts.sum()
                    blocks.append([*shares, inside[part].mean() / 255, inside[part].std() / 255])
        height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
        quarters = image[:height, :width].reshape(height // 2, 2, width // 2, 2)
        image = quarters.mean(axis=(1, 3))
    return np.array(blocks)


@settings(max_examples=20)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(12, 40),
    st.integers(12, 40),
    st.sampled_from([3, 255]),
    st.integers(1, 3),
)
def test_blocks_are_the_literal_formula(seed, height, width, greatest, levels):
    image = noise(seed, height, width, greatest=greatest)
    stage = CENTRIST(levels, n_components=None, norm="L1")
    expected = literal(image, levels)
    (vector,) = stage.fit_transform([image])
    assert vector.dtype == np.float32
    np.testing.assert_allclose(vector, expected.ravel(), rtol=0, atol=1e-6)
    rooted = np.concatenate([np.sqrt(expected[:, :254]), expected[:, 254:]], axis=1)
    (vector,) = stage.set_params(norm="L1-sqrt").fit_transform([image])
    np.testing.assert_allclose(vector, rooted.ravel(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("n_components", [1, 5, 40])
def test_components_are_those_of_all_blocks_together(n_components):
    images = noise(0, 9, 24, 30, 1)
    plain = CENTRIST(n_components=None).fit_transform(images).reshape(9, 31, 256)
    blocks = plain[..., :254].reshape(-1, 254).astype(np.float64)
    pca = PCA(n_components, svd_solver="full").fit(blocks)
    stage = CENTRIST(n_components=n_components).fit(images)
    np.testing.assert_allclose(stage.mean_, pca.mean_, atol=1e-7)
    largest = np.abs(stage.components_).argmax(axis=1)
    assert (np.take_along_axis(stage.components_, largest[:, None], axis=1) > 0).all()
    signs = np.sign((stage.components_ * pca.components_).sum(axis=1))
    np.testing.assert_allclose(stage.components_, pca.components_ * signs[:, None], atol=1e-5)
    vectors = stage.transform(images).reshape(9, 31, n_components + 2)
    expected = (pca.transform(blocks) * signs).reshape(9, 31, n_components)
    np.testing.assert_allclose(vectors[..., :-2], expected, atol=1e-5)
    np.testing.assert_array_equal(vectors[..., -2:], plain[..., 254:])


def test_levels_have_the_blocks_of_the_paper():
    images = noise(0, 2, 64, 64, 1)
    stage = CENTRIST().fit(images)
    names = stage.get_feature_names_out().tolist()
    blocks = [name.split("_component0")[0] for name in names if name.endswith("_component0")]
    assert len(names) == len(set(names)) == stage.transform(images).shape[1] == 31 * 42
    assert [block.split("_")[1] for block in blocks] == ["level2"] * 25 + ["level1"] * 5 + [
        "level0"
    ]
    assert blocks[15:17] == ["centrist_level2_block3_3", "centrist_level2_shifted0_0"]
    assert names[-2:] == [
        "centrist_level0_block0_0_mean",
        "centrist_level0_block0_0_standard_deviation",
    ]
    plain = CENTRIST(1, None).fit(images).get_feature_names_out()
    assert [plain[0], plain[253]] == [
        "centrist_level0_block0_0_pattern1",
        "centrist_level0_block0_0_pattern254",
    ]


def test_even_images_have_a_mean_and_nothing_else():
    images = np.full((2, 24, 24, 1), 51, np.uint8)
    vectors = CENTRIST().fit_transform(images).reshape(2, 31, 42)
    np.testing.assert_allclose(vectors[..., 40], 0.2, rtol=1e-6)
    assert not np.delete(vectors, 40, axis=2).any()


def test_too_small():
    with pytest.raises(ValueError) as error:
        CENTRIST().fit([np.zeros((12, 11), np.float32)])
    assert str(error.value) == (
        "CENTRIST needs at least 12 x 12 pixels with these parameters, "
        "but image 0 is 12 x 11 pixels."
    )


def test_too_few_blocks_to_learn_from():
    with pytest.raises(ValueError) as error:
        CENTRIST().fit([noise(0, 20, 20)])
    assert str(error.value) == (
        "CENTRIST: 40 components require at least as many blocks, got 31. "
        "Fit on more images, or use fewer components."
    )
