import cv2
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from featx import ConvNet, PretrainedNet
from featx.explanation.activation_maximization import Regularizers, maximize_activation
from featx.explanation.networks import (
    activations,
    block_maps,
    edge_likeness,
    filters,
    grad_cam,
    most_exciting,
    occlusion,
    parameter_counts,
)
from featx.networks.pretrained_net import load_backbone


def pictures(n=24, size=(10, 12), channels=1, seed=0):
    return np.random.default_rng(seed).random((n, *size, channels), dtype=np.float32)


def fitted(module, images, **parameters):
    labels = np.arange(len(images)) % 2
    return ConvNet(module, epochs=1, batch_size=8, **parameters).fit(images, labels)


def as_input(net, image):
    standardized = (image - net.mean_) / net.deviation_
    return torch.from_numpy(standardized).permute(2, 0, 1)[None]


def pooled():
    return nn.Sequential(
        nn.Conv2d(1, 5, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(5, 2)
    )


def test_filters_are_those_of_the_first_convolution():
    net = fitted(pooled(), pictures())
    assert_array_equal(filters(net)[..., 0], net.weights_["0.weight"][:, 0])
    assert filters(PretrainedNet()).shape == (32, 3, 3, 3)
    flat = fitted(nn.Sequential(nn.Flatten(), nn.Linear(120, 2)), pictures())
    with pytest.raises(ValueError) as caught:
        filters(flat)
    assert str(caught.value) == (
        "The network has no convolutional layer, so it has neither filters nor maps."
    )


@pytest.mark.parametrize("angle", [0, 30, 45, 117])
def test_edges_are_like_edges(angle):
    y, x = np.mgrid[-3:4, -3:4].astype(float)
    across = x * np.cos(np.radians(angle)) + y * np.sin(np.radians(angle))
    edge = across * np.exp(-(x**2 + y**2) / (2 * 1.75**2))
    colors = edge[..., np.newaxis] * [0.5, -1, 2] + [3, 4, 5]
    assert edge_likeness(colors[np.newaxis])[0] > 0.995
    step = (across > 0).astype(float)[..., np.newaxis]
    assert edge_likeness(step[np.newaxis])[0] > 0.8


def test_what_is_no_edge_is_not():
    y, x = np.mgrid[-3:4, -3:4]
    checks = ((x + y) % 2).astype(float)[..., np.newaxis]
    even = np.ones((7, 7, 1))
    scores = edge_likeness(np.stack([checks, even]))
    assert scores[0] < 0.2
    assert scores[1] == 0
    noise = edge_likeness(np.random.default_rng(0).normal(size=(200, 5, 5, 1)))
    assert 0.3 < noise.mean() < 0.7


def test_activations_are_those_of_the_layers():
    images = pictures()
    net = fitted(pooled(), images)
    found = activations(net, images[3])
    assert list(found) == ["0", "1", "2", "3", "4"]
    module = net.network()
    with torch.inference_mode():
        maps = module[:2](as_input(net, images[3]))
        scores = module(as_input(net, images[3]))
    assert_allclose(found["1"], maps[0].permute(1, 2, 0).numpy(), atol=1e-6)
    assert_allclose(found["4"], scores[0].numpy(), atol=1e-6)


def test_blocks_stand_for_their_layers():
    images = pictures(channels=3, size=(16, 16))
    net = fitted("resnet-20", images, architecture_params={"maps": 4})
    found = block_maps(net, images[0])
    assert list(found) == ["0", *map(str, range(3, 12))]
    module = net.network()
    with torch.inference_mode():
        for layer in ("0", "3", "11"):
            expected = module[: int(layer) + 1](as_input(net, images[0]))
            assert_allclose(found[layer], expected[0].permute(1, 2, 0).numpy(), atol=1e-6)
    dense = fitted("two-layer", images)
    assert block_maps(dense, images[0]) == {}


def test_a_network_in_another_is_no_block():
    images = pictures(4, size=(32, 32), channels=3)
    net = fitted("efficientnet-lite0", images, architecture_params={"trainable": "last"})
    expected = [f"network._blocks.{number}" for number in range(16)]
    found = block_maps(net, images[0])
    assert list(found) == ["network._conv_stem", *expected, "network._conv_head"]


def test_blocks_of_a_pretrained_network_go_as_far_as_its_layer():
    image = pictures(1, size=(64, 64), channels=3)[0]
    whole = [*block_maps(PretrainedNet(), image)]
    assert whole == ["_conv_stem", *(f"_blocks.{number}" for number in range(16)), "_conv_head"]
    net = PretrainedNet(layer="_blocks.2")
    found = block_maps(net, image)
    assert list(found) == whole[:4]
    assert_allclose(found["_blocks.2"].ravel(), net.transform([image])[0], atol=1e-3)


def test_most_exciting_images_have_the_largest_activations():
    images = pictures()
    net = fitted(pooled(), images)
    module = net.network()
    with torch.inference_mode():
        largest = [float(module[0](as_input(net, image))[0, 2].max()) for image in images]
    expected = np.argsort(np.negative(largest))[:4]
    assert_array_equal(most_exciting(net, images, "0", unit=2, count=4), expected)


def test_what_excites_a_linear_unit_is_its_weight():
    images = pictures()
    net = fitted(nn.Sequential(nn.Flatten(), nn.Linear(120, 2)), images)
    bare = Regularizers(
        jitter=0, decay=0, blur=0, first_blur=0, norm_percentile=0, contribution_percentile=0
    )
    image = maximize_activation(net, "1", 1, steps=1, learning_rate=1e-2, regularizers=bare)
    other = maximize_activation(net, "1", 1, steps=2, learning_rate=1e-2, regularizers=bare)
    step = (other - image)[..., 0] / net.deviation_
    weight = net.weights_["1.weight"][1].reshape(10, 12)
    assert_allclose(step, 1e-2 * weight / np.sqrt(np.mean(weight**2)), atol=1e-6)


def test_shifts_are_undone_and_steps_are_smoothed():
    images = pictures()
    net = fitted(nn.Sequential(nn.Flatten(), nn.Linear(120, 2)), images)
    parameters = {"decay": 0, "norm_percentile": 0, "contribution_percentile": 0}
    shifts = Regularizers(jitter=0.3, blur=0, first_blur=0, **parameters)
    blurs = Regularizers(jitter=0, blur=0.8, first_blur=0.1, **parameters)
    start = maximize_activation(net, "1", 1, steps=0) - net.mean_
    weight = net.weights_["1.weight"][1].reshape(10, 12)
    # Of ten rows and twelve columns, up to three away; drawn after the noise.
    rng = np.random.default_rng(0)
    rng.normal(size=(10, 12, 1))
    back = -rng.integers(-3, 3, 2, endpoint=True)
    # A linear unit has the same slope everywhere, so that only the way back is seen.
    rolled = np.roll(weight, back, (0, 1))
    smooth = cv2.GaussianBlur(weight, (0, 0), 0.8 + 0.1 * 10)
    for regularizers, expected in ((shifts, rolled), (blurs, smooth)):
        climbed = maximize_activation(
            net, "1", 1, steps=1, learning_rate=1e-2, regularizers=regularizers
        )
        step = (climbed - net.mean_ - start)[..., 0] / net.deviation_
        assert_allclose(step, 1e-2 * expected / np.sqrt(np.mean(expected**2)), atol=1e-5)


def test_a_silent_unit_is_woken():
    images = pictures(channels=3, size=(16, 16))
    net = fitted(
        nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(392, 2)), images
    )
    # No response to noise of a tenth of a deviation, of which the sum has half a deviation.
    net.weights_["0.weight"][:] = 0.1
    net.weights_["0.bias"][:] = -0.6
    climbed = maximize_activation(net, "1", 0, steps=40)
    net.set_params(layer="1")
    assert net.transform([climbed]).reshape(14, 14, 2)[7, 7, 0] > 0.1
    # One that nothing excites leaves noise.
    net.weights_["0.bias"][:] = -1e6
    assert maximize_activation(net, "1", 0, steps=40).std() > 0.1


def test_a_unit_that_is_not_there():
    net = fitted(pooled(), pictures())
    said = "Layer 0 has units 0 to 4, got unit 5."
    with pytest.raises(ValueError, match=f"^{said}$"):
        most_exciting(net, pictures(), "0", 5)
    with pytest.raises(ValueError, match=f"^{said}$"):
        maximize_activation(net, "0", 5)


def test_climbing_excites_a_unit_more_than_noise():
    images = pictures(channels=3, size=(16, 16))
    net = ConvNet("resnet-20", {"maps": 4}, epochs=1).fit(images, np.arange(24) % 2)
    climbed = maximize_activation(net, "3", 1, steps=30)
    assert climbed.shape == (16, 16, 3)
    assert climbed.dtype == np.float32
    assert (climbed >= 0).all()
    assert (climbed <= 1).all()
    net.set_params(layer="3")
    middle = net.transform(np.stack([climbed, images[0]])).reshape(2, 16, 16, 4)[:, 8, 8, 1]
    assert middle[0] > middle[1]


def test_occlusion_finds_the_pixels_that_count():
    images = pictures()
    module = nn.Sequential(nn.Flatten(), nn.Linear(120, 2))
    net = fitted(module, images)
    image = images[0]
    x = as_input(net, image)[0, 0].numpy()
    weight = net.weights_["1.weight"][0].reshape(10, 12)
    expected = weight * x  # what the score loses with each pixel
    assert_allclose(occlusion(net, image, 0, side=1, step=1), expected, atol=1e-5)
    coarse = occlusion(net, image, 0, side=5, step=5)
    assert_allclose(coarse[:5, 5:7], expected[:5, 5:10].sum(), atol=1e-5)
    # The last squares touch the border, and lie upon those before them.
    last = expected[:5, 7:12].sum()
    assert_allclose(coarse[:5, 10:], last, atol=1e-5)
    assert_allclose(coarse[:5, 7:10], (expected[:5, 5:10].sum() + last) / 2, atol=1e-5)


def test_grad_cam_is_the_class_activation_map_after_pooling():
    images = pictures()
    net = fitted(pooled(), images)
    maps = activations(net, images[0])["1"]
    weights = net.weights_["4.weight"][1]
    expected = np.maximum((maps * weights).sum(axis=2), 0) / maps[..., 0].size
    heat = grad_cam(net, images[0], 1, layer="1")
    assert heat.shape == (10, 12)
    assert_allclose(heat, cv2.resize(expected, (12, 10)), atol=1e-6)
    # The answer is a sum of features, with weights.
    assert_allclose(grad_cam(net, images[0], weights, layer="1"), heat, atol=1e-6)
    with pytest.raises(ValueError) as caught:
        grad_cam(net, images[0], 1, layer="7")
    assert str(caught.value) == "The network has no layer '7'. Known: 0, 1, 2, 3, 4."


def test_parameters_are_counted_beside_a_dense_layer():
    images = pictures(size=(28, 28))
    n = 6
    module = nn.Sequential(
        nn.Conv2d(1, n, 5, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(n * 24 * 24, 2)
    )
    first, second = parameter_counts(fitted(module, images))
    assert (first.layer, first.kind, first.shape) == ("0", "Conv2d", (n, 24, 24))
    assert first.parameters == 25 * n
    assert first.dense == 451_584 * n
    assert second.parameters == second.dense + 2


def test_all_parameters_of_the_network_of_1989_are_counted():
    net = ConvNet("lenet-1989", epochs=1)
    net.fit(pictures(20, size=(16, 16)), np.arange(20) % 10)
    counts = parameter_counts(net)
    assert [count.parameters for count in counts] == [1068, 2592, 5790, 310]
    assert sum(count.parameters for count in counts) == 9760


def test_pretrained_networks_are_looked_into():
    image = pictures(1, size=(64, 64), channels=3)[0]
    net = PretrainedNet()
    heat = grad_cam(net, image, 5)
    assert heat.shape == (64, 64)
    weights = load_backbone("efficientnet-lite0").network._fc.weight[5].detach().numpy()
    assert_allclose(grad_cam(net, image, weights), heat, atol=1e-4 * heat.max())
    early = PretrainedNet(layer="_blocks.0")
    ones = np.ones(16 * 32 * 32)
    assert grad_cam(early, image, ones).max() > 0
    assert sum(count.parameters for count in parameter_counts(net)) == 4_652_008
    assert activations(net, image)["_fc"].shape == (1000,)
    gray = image[..., :1]
    assert maximize_activation(net, "_fc", 3, size=(32, 32), steps=2).shape == (32, 32, 3)
    assert occlusion(net, gray, 5, side=32, step=32).shape == (64, 64)
