import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from featx import ConvNet, PretrainedNet, Sobel
from featx.learned.inside import edge_likeness, filters, parameter_counts
from featx.report.networks import (
    _as_picture,
    _gabor_bank,
    _kernels,
    look_inside,
    picture_of_filters,
)


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_what_is_seen_of_a_grey_image_is_that_of_colours():
    grey = np.random.default_rng(0).random((32, 40, 1), dtype=np.float32)
    maps, network = look_inside(PretrainedNet(layer="_blocks.1"), grey)
    assert [name for name, _ in maps] == ["layer _conv_stem", "layer _blocks.0", "layer _blocks.1"]
    assert_array_equal(network.filters, filters(PretrainedNet()))
    assert network.counts == parameter_counts(PretrainedNet(), (32, 40, 3))
    assert network.unused == "What comes after _blocks.1 is cut off."


def test_counts_are_those_of_the_images_of_this_size():
    images = np.random.default_rng(0).random((8, 10, 12, 2), dtype=np.float32)
    net = ConvNet("resnet-20", {"maps": 4}, epochs=1).fit(images, np.arange(8) % 2)
    _, network = look_inside(net, images[0, :8])
    assert network.counts[0].shape == (4, 8, 12)
    assert network.counts[0].dense == 2 * 8 * 12 * 4 * 8 * 12
    assert network.parameters == sum(
        value.size for name, value in net.weights_.items() if name.endswith(("weight", "bias"))
    )


@pytest.mark.parametrize(
    "banks", [noise(6, 5, 5, 1), noise(40, 3, 3, 3), noise(3, 3, 5, 2), np.zeros((2, 3, 3, 3))]
)
def test_the_picture_shows_all_banks(tmp_path, banks):
    file = tmp_path / "filters.png"
    file.write_bytes(picture_of_filters(banks))
    with Image.open(file) as picture:
        assert picture.format == "PNG"
        assert min(picture.size) > 400
        assert len(np.unique(np.asarray(picture.convert("L")))) > 100


def test_kernels_are_those_of_the_formulas():
    vertical, horizontal = _kernels(Sobel("both", padding="zero"), 3)[..., 0]
    expected = np.outer([1, 2, 1], [1, 0, -1])
    assert_array_equal(vertical, expected)
    assert_array_equal(horizontal, expected.T)
    bank = _gabor_bank()
    assert bank.shape == (32, 15, 15, 1)
    odd, even = bank[:8, ..., 0], bank[8:16, ..., 0]
    # Turned by half, an odd kernel is its negative, and an even one itself.
    assert_allclose(odd[:, ::-1, ::-1], -odd, atol=1e-6)
    assert_allclose(even[:, ::-1, ::-1], even, atol=1e-6)
    scores = edge_likeness(bank)
    assert scores[:8].min() > scores[8:].max()


def test_filters_are_drawn_from_their_least_to_their_largest_value():
    colors = noise(3, 3, 3)
    expected = (colors - colors.min()) / (colors.max() - colors.min())
    assert_allclose(_as_picture(colors), expected)
    two = np.dstack([np.diag([0.0, 2, 4]), np.zeros((3, 3))])
    assert_array_equal(_as_picture(two), np.diag([0, 0.5, 1]))
    assert_array_equal(_as_picture(np.full((5, 5, 1), 7.0)), np.full((5, 5), 0.5))
