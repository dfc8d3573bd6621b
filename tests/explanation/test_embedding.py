import numpy as np
import pytest
from sklearn.decomposition import PCA

from featx.explanation.embedding import evenly, flattened, principal_components


def test_components_are_those_of_the_covariance():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(40, 60)) * np.linspace(3, 1, 60)
    found = principal_components(vectors)
    expected = PCA(30, svd_solver="full").fit_transform(vectors)
    assert found.dtype == np.float32
    signs = np.sign((found * expected).sum(axis=0))
    np.testing.assert_allclose(found * signs, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_all_alike(count):
    components = principal_components(np.ones((count, 5), np.float32))
    places = flattened(components)
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


def test_like_ones_are_near():
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(60, 10))
    vectors[30:, 0] += 50
    places = flattened(principal_components(vectors))
    assert places.min() == 0
    assert places.max() == 1
    np.testing.assert_array_equal(places, flattened(principal_components(vectors)))
    distances = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    np.fill_diagonal(distances, np.inf)
    assert ((distances.argmin(axis=1) >= 30) == (np.arange(60) >= 30)).all()


def test_evenly():
    assert evenly(5, 9).tolist() == [0, 1, 2, 3, 4]
    assert evenly(9, 3).tolist() == [0, 4, 8]
    assert evenly(0, 3).tolist() == []
    assert evenly(3, 0).tolist() == []
