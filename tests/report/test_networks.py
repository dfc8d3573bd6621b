import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from featx import ConvNet, PretrainedNet, Sobel
from featx.explanation.networks import edge_likeness, filters, grad_cam, parameter_counts
from featx.report.networks import (
    _as_picture,
    _gabor_bank,
    _kernels,
    look_inside,
    picture_of_filters,
    what_speaks_for,
)


def noise(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_gray_images_count_as_three_channels():
    gray = np.random.default_rng(0).random((32, 40, 1), dtype=np.float32)
    maps, network = look_inside(PretrainedNet(layer="_blocks.1"), gray)
    assert [name for name, _ in maps] == ["layer _conv_stem", "layer _blocks.0", "layer _blocks.1"]
    assert_array_equal(network.filters, filters(PretrainedNet()))
    assert network.counts == parameter_counts(PretrainedNet(), (32, 40, 3))
    assert network.unused == "The layers after _blocks.1 are not used."


def test_counts_depend_on_the_size_of_the_image():
    images = np.random.default_rng(0).random((8, 10, 12, 2), dtype=np.float32)
    net = ConvNet("resnet-20", {"maps": 4}, epochs=1).fit(images, np.arange(8) % 2)
    _, network = look_inside(net, images[0, :8])
    assert network.counts[0].shape == (4, 8, 12)
    assert network.counts[0].dense == 2 * 8 * 12 * 4 * 8 * 12
    assert network.parameters == sum(
        value.size for name, value in net.weights_.items() if name.endswith(("weight", "bias"))
    )


def classified(classifier, classes):
    images = np.random.default_rng(0).random((12, 32, 32, 3), dtype=np.float32)
    pipeline = make_pipeline(StandardScaler(), classifier)
    vectors = PretrainedNet().transform(images)
    return images[0], vectors[0], pipeline.fit(vectors, np.arange(12) % classes)


@pytest.mark.parametrize("classes", [2, 3])
def test_grad_cam_of_a_linear_classifier(classes):
    image, _, pipeline = classified(LogisticRegression(C=0.01), classes)
    coefficients = pipeline[1].coef_ / pipeline[0].scale_
    if classes == 2:
        coefficients = np.concatenate([-coefficients, coefficients])
    for answer, weights in enumerate(coefficients):
        expected = grad_cam(PretrainedNet(), image, weights)
        heat = what_speaks_for(PretrainedNet(), image, pipeline, answer)
        assert_allclose(heat[..., 0], expected, atol=1e-4 * expected.max())


def test_grad_cam_of_a_kernel_svm():
    gamma = 3e-4
    image, vector, pipeline = classified(SVC(C=3, gamma=gamma), 2)
    scaler, machine = pipeline
    moved = (vector - scaler.mean_) / scaler.scale_ - machine.support_vectors_
    kernel = np.exp(-gamma * np.square(moved).sum(axis=1))
    slopes = -2 * gamma * (machine.dual_coef_[0] * kernel) @ moved / scaler.scale_
    expected = grad_cam(PretrainedNet(), image, slopes)
    heat = what_speaks_for(PretrainedNet(), image, pipeline, 1)
    assert_allclose(heat[..., 0], expected, atol=1e-3 * expected.max())


def test_no_grad_cam_without_a_gradient():
    image, _, pipeline = classified(GaussianNB(), 2)
    assert what_speaks_for(PretrainedNet(), image, pipeline, 0) is None
    image, _, pipeline = classified(SVC(decision_function_shape="ovo"), 4)
    assert what_speaks_for(PretrainedNet(), image, pipeline, 0) is None
    many = PretrainedNet(layer="_conv_stem")
    assert what_speaks_for(many, image, classified(LinearSVC(), 2)[2], 0) is None


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


def test_kernels_equal_the_formulas():
    vertical, horizontal = _kernels(Sobel("both", padding="zero"), 3)[..., 0]
    expected = np.outer([1, 2, 1], [1, 0, -1])
    assert_array_equal(vertical, expected)
    assert_array_equal(horizontal, expected.T)
    bank = _gabor_bank()
    assert bank.shape == (32, 15, 15, 1)
    odd, even = bank[:8, ..., 0], bank[8:16, ..., 0]
    # Rotated by 180 degrees, an odd kernel becomes its negative, and an even kernel is unchanged.
    assert_allclose(odd[:, ::-1, ::-1], -odd, atol=1e-6)
    assert_allclose(even[:, ::-1, ::-1], even, atol=1e-6)
    scores = edge_likeness(bank)
    assert scores[:8].min() > scores[8:].max()


def test_filters_are_scaled_from_minimum_to_maximum():
    colors = noise(3, 3, 3)
    expected = (colors - colors.min()) / (colors.max() - colors.min())
    assert_allclose(_as_picture(colors), expected)
    two = np.dstack([np.diag([0.0, 2, 4]), np.zeros((3, 3))])
    assert_array_equal(_as_picture(two), np.diag([0, 0.5, 1]))
    assert_array_equal(_as_picture(np.full((5, 5, 1), 7.0)), np.full((5, 5), 0.5))
