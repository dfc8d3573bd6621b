import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from featx import PatchDictionary


def pictures(n=30, size=(13, 15), channels=3, seed=0):
    return np.random.default_rng(seed).random((n, *size, channels), dtype=np.float32)


def normalized(image, size, step, epsilon):
    """Give the patches as the formula has them, and the place of each."""
    patches, places = [], []
    for row in range(0, image.shape[0] - size + 1, step):
        for column in range(0, image.shape[1] - size + 1, step):
            p = image[row : row + size, column : column + size].astype(np.float64).ravel()
            patches.append((p - p.mean()) / np.sqrt(p.var() + epsilon))
            places.append((row // step, column // step))
    return np.array(patches), np.array(places)


@pytest.mark.parametrize("activation", ["triangle", "hard"])
@pytest.mark.parametrize(("size", "step", "grid"), [(6, 1, (2, 2)), (3, 2, (1, 3))])
def test_features_are_those_of_the_formula(size, step, grid, activation):
    images = pictures()
    stage = PatchDictionary(
        20, patch_size=size, step=step, grid=grid, activation=activation, n_samples=3000
    ).fit(images)
    mean, whitening, words = (
        part.astype(np.float64) for part in (stage.mean_, stage.whitening_, stage.words_)
    )
    for image, features in zip(images[:3], stage.transform(images[:3]), strict=True):
        patches, places = normalized(image, size, step, 1.5e-4)
        down, along = places.max(axis=0) + 1
        expected = np.zeros((*grid, 20))
        for p, (row, column) in zip(patches, places, strict=True):
            z = np.linalg.norm(whitening @ (p - mean) - words, axis=1)
            f = np.maximum(0, z.mean() - z)
            if activation == "hard":
                f = (np.arange(20) == z.argmin()).astype(float)
            expected[row * grid[0] // down, column * grid[1] // along] += f
        assert_allclose(features, expected.ravel(), rtol=1e-4, atol=1e-3)


def test_whitened_patches_have_no_correlation():
    images = pictures(60)
    stage = PatchDictionary(5, patch_size=3, whitening=1e-6, n_samples=10**6).fit(images)
    patches = np.concatenate([normalized(image, 3, 1, 1.5e-4)[0] for image in images])
    x = (patches - stage.mean_) @ stage.whitening_
    covariance = np.cov(x, rowvar=False)
    # Normalized patches have no mean: that direction stays empty.
    values = np.linalg.eigvalsh(covariance)
    assert_allclose(values[0], 0, atol=0.02)
    assert_allclose(values[1:], 1, atol=0.02)
    assert_allclose(stage.whitening_, stage.whitening_.T, atol=1e-4)


def test_without_whitening_patches_stay_as_they_are():
    stage = PatchDictionary(5, patch_size=3, whitening=None).fit(pictures())
    assert_array_equal(stage.whitening_, np.eye(27))


def test_words_are_means_of_their_patches():
    images = pictures()
    stage = PatchDictionary(8, patch_size=4, n_samples=10**6).fit(images)
    patches = np.concatenate([normalized(image, 4, 1, 1.5e-4)[0] for image in images])
    x = (patches - stage.mean_) @ stage.whitening_
    nearest = np.linalg.norm(x[:, np.newaxis] - stage.words_, axis=2).argmin(axis=1)
    means = np.array([x[nearest == word].mean(axis=0) for word in range(8)])
    assert np.linalg.norm(means - stage.words_) < 0.25 * np.linalg.norm(stage.words_)


def test_names_say_cell_and_word():
    stage = PatchDictionary(2, grid=(1, 2)).fit(pictures())
    names = ["cell0_0_word0", "cell0_0_word1", "cell0_1_word0", "cell0_1_word1"]
    assert list(stage.get_feature_names_out()) == names


def test_what_does_not_fit_is_refused():
    images = pictures(1, size=(6, 7))
    with pytest.raises(ValueError) as caught:
        PatchDictionary(10, grid=(1, 1)).fit(images)
    assert str(caught.value) == (
        "PatchDictionary: n_words=10 requires at least 10 patches, got 2. Fit on more images, or "
        "reduce n_words."
    )
    stage = PatchDictionary(2, grid=(1, 1)).fit(images)
    with pytest.raises(ValueError) as caught:
        stage.transform(images[..., :1])
    assert str(caught.value) == ("PatchDictionary: the image has 1 channels, expected 3 as in fit.")
