import pickle

import numpy as np
import pytest
from sklearn.base import clone

from featx import DenseHOG, DenseLBP
from featx.core.descriptor_sets import DescriptorSet
from featx.core.stage import ImageStage


def a_set():
    rng = np.random.default_rng(0)
    values, positions = rng.random((5, 3), np.float32), rng.random((5, 2), np.float32) * 9
    return DescriptorSet(values, positions, np.arange(5, dtype=np.float32), (10, 20))


@pytest.mark.parametrize("rows", [[3, 1], slice(1, 4), np.array([True, False, True, False, False])])
def test_an_index_chooses_descriptors_with_their_places(rows):
    given = a_set()
    chosen = given[rows]
    np.testing.assert_array_equal(chosen.values, given.values[rows])
    np.testing.assert_array_equal(chosen.positions, given.positions[rows])
    np.testing.assert_array_equal(chosen.scales, given.scales[rows])
    assert chosen.size == (10, 20)
    assert len(chosen) == len(given.values[rows])
    assert chosen.shape == given.values[rows].shape


def test_as_an_array_it_is_its_descriptors():
    given = a_set()
    np.testing.assert_array_equal(np.asarray(given), given.values)
    np.testing.assert_array_equal(np.stack([given, given]), np.stack([given.values] * 2))
    assert np.asarray(given, np.float64).dtype == np.float64


def test_relative_positions_are_those_of_pixel_centres():
    given = DescriptorSet(
        np.zeros((2, 1), np.float32), np.array([[0, 0], [9, 19]], np.float32), size=(10, 20)
    )
    expected = np.array([[0.05, 0.025], [0.95, 0.975]])
    np.testing.assert_allclose(given.relative_positions, expected, rtol=1e-6)
    assert given.relative_positions.dtype == np.float32


@pytest.mark.parametrize("places", [{}, {"size": (1, 1)}, {"positions": np.zeros((1, 2), "f4")}])
def test_without_places_there_are_no_relative_ones(places):
    with pytest.raises(ValueError) as error:
        _ = DescriptorSet(np.zeros((1, 1), np.float32), **places).relative_positions
    assert str(error.value) == (
        "DescriptorSet: positions or size are not set. Compute the descriptors by a stage, such "
        "as DenseSIFT, or pass positions and size."
    )


def test_it_can_be_pickled():
    given = a_set()
    again = pickle.loads(pickle.dumps(given))
    np.testing.assert_array_equal(again.values, given.values)
    np.testing.assert_array_equal(again.positions, given.positions)
    assert again.size == given.size


@pytest.mark.parametrize("alone", [a_set(), a_set().values], ids=["set", "array"])
def test_one_set_is_no_batch_of_them(alone):
    class Encoder(ImageStage):
        takes, gives = "descriptors", "vectors"

    with pytest.raises(ValueError) as error:
        Encoder().fit(alone)
    assert str(error.value) == (
        "Encoder: expected a batch of descriptor sets, a list of DescriptorSet, as DenseSIFT "
        "returns, or of arrays (count, length), but got one set of shape (5, 3). For a single "
        "image, wrap it in a list: [descriptors]."
    )


@pytest.mark.parametrize(
    "stage",
    [
        DenseHOG(cell_sizes=[4, 8], step=4),
        DenseLBP(radius=1.5, points=6, patch_sizes=[8, 16], step=3, threshold=0.05),
    ],
)
def test_mirrored_descriptors_are_those_of_the_mirrored_image(stage):
    image = np.random.default_rng(0).random((30, 35, 3), np.float32)
    (plain,) = stage.fit_transform([image])
    (flipped,) = stage.fit_transform([image[:, ::-1]])
    (both,) = clone(stage).set_params(mirrored=True).fit_transform([image])
    count = len(plain)
    assert (len(both), both.size) == (2 * count, (30, 35))
    for part, expected in ((both[:count], plain), (both[count:], flipped)):
        np.testing.assert_array_equal(part.values, expected.values)
        np.testing.assert_array_equal(part.scales, expected.scales)
        np.testing.assert_array_equal(part.positions, expected.positions)
    assert both.positions.dtype == np.float32
