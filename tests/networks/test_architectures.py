import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from featx.networks.architectures import ARCHITECTURES, Airbench, LeNet1989, build

SHAPES = {"lenet-1989": (16, 16, 1), "two-layer": (9, 11, 3), "lenet-5": (28, 28, 1)}


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def refusal(call, *arguments):
    with pytest.raises(ValueError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape", "classes", "parameters", "expected"),
    [
        ("lenet-1989", (16, 16, 1), 10, {}, 9760),
        ("lenet-5", (28, 28, 1), 10, {}, 61_706),
        ("resnet-20", (32, 32, 3), 10, {}, 269_722),
        ("two-layer", (28, 28, 1), 10, {"hidden": 128}, 784 * 128 + 128 + 1280 + 10),
    ],
)
def test_parameters_are_counted(name, shape, classes, parameters, expected):
    assert count(build(name, shape, classes, parameters)) == expected


def test_alexnet_has_sixty_million_parameters():
    with torch.device("meta"):
        network = build("alexnet", (224, 224, 3), 1000)
    assert count(network) == 60_965_224


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_scores_are_one_a_class_and_gradients_reach_all(name):
    torch.manual_seed(0)
    height, width, channels = SHAPES.get(name, (32, 36, 3))
    network = build(name, (height, width, channels), 4)
    scores = network(torch.randn(3, channels, height, width))
    assert scores.shape == (3, 4)
    scores.square().sum().backward()
    for key, parameter in network.named_parameters():
        if parameter.requires_grad:
            assert torch.isfinite(parameter.grad).all(), key
            assert parameter.grad.abs().max() > 0, key


def test_alexnet_takes_small_images():
    network = build("alexnet", (15, 20, 1), 3).eval()
    with torch.inference_mode():
        assert network(torch.randn(2, 1, 15, 20)).shape == (2, 3)


def test_lenet_1989_is_that_of_the_paper_unit_by_unit():
    torch.manual_seed(0)
    network = LeNet1989(10).double().eval()
    with torch.no_grad():
        for bias in (network.h1.unit_bias, network.h2.unit_bias):
            bias.normal_()
    x = torch.randn(1, 1, 16, 16, dtype=torch.float64)
    w = {name: value.numpy() for name, value in network.state_dict().items()}

    def s(v):
        return 1.7159 * np.tanh(2 / 3 * v)

    def at(maps, row, column):
        inside = 0 <= row < maps.shape[0] and 0 <= column < maps.shape[1]
        return maps[row, column] if inside else -1.0

    def convolved(kernel, maps, row, column):
        return sum(
            kernel[i, j] * at(maps, 2 * row + i - 2, 2 * column + j - 2)
            for i in range(5)
            for j in range(5)
        )

    pixels = x[0, 0].numpy()
    h1, h2 = np.empty((12, 8, 8)), np.empty((12, 4, 4))
    for m, row, column in np.ndindex(h1.shape):
        total = convolved(w["h1.weight"][m, 0], pixels, row, column)
        h1[m, row, column] = s(total + w["h1.unit_bias"][m, row, column])
    for m, row, column in np.ndindex(h2.shape):
        first = 4 * (m // 4)
        taken = [(first + place) % 12 for place in range(8)]
        kernels = w["h2.weight"][m]
        total = sum(convolved(k, h1[i], row, column) for k, i in zip(kernels, taken, strict=True))
        h2[m, row, column] = s(total + w["h2.unit_bias"][m, row, column])
    h3 = s(w["h3.weight"] @ h2.ravel() + w["h3.bias"])
    output = s(w["output.weight"] @ h3 + w["output.bias"])
    with torch.inference_mode():
        assert_allclose(network(x)[0].numpy(), output, rtol=0, atol=1e-12)


def test_each_map_of_h1_is_taken_by_eight_of_h2():
    taken = LeNet1989(10).maps_taken.numpy().reshape(3, 8)
    assert (np.bincount(taken.ravel()) == 2).all()  # groups, of four maps each
    assert all(len(set(row)) == 8 for row in taken)


def test_lenet_1989_begins_within_the_bounds_of_the_paper():
    network = LeNet1989(10)
    for layer, inputs in ((network.h1, 25), (network.h2, 200), (network.h3, 192)):
        assert layer.weight.abs().max() <= 2.4 / inputs
        assert layer.weight.abs().max() > 0.9 * 2.4 / inputs


def test_residuals_without_filters_are_the_identity():
    network = build("resnet-20", (8, 8, 3), 2)
    block = network[3]
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
    x = torch.rand(2, 16, 8, 8)
    torch.testing.assert_close(block(x), x)
    down = network[6]
    with torch.no_grad():
        for parameter in down.parameters():
            parameter.zero_()
    expected = torch.cat([x[:, :, ::2, ::2], torch.zeros(2, 16, 4, 4)], dim=1)
    torch.testing.assert_close(down(x), expected)


@pytest.mark.parametrize("trick", ["batch_norm", "residual"])
def test_tricks_can_be_left_out(trick):
    network = build("resnet-20", (8, 8, 3), 2, {trick: False, "dropout": 0.3, "maps": 4})
    kinds = {type(layer).__name__ for layer in network.modules()}
    assert ("BatchNorm2d" in kinds) == (trick != "batch_norm")
    assert network(torch.randn(2, 3, 8, 8)).shape == (2, 2)


def test_airbench_whitens_patches():
    torch.manual_seed(0)
    network = Airbench(3, 10, (8, 8, 8))
    mixing = torch.randn(3, 3)
    images = torch.einsum("ij,njhw->nihw", mixing, torch.randn(500, 3, 9, 9))
    network.begin_with(images)
    with torch.inference_mode():
        maps = network.whitening(images - images.mean(dim=(0, 2, 3), keepdim=True))
    components = maps[:, :12].transpose(0, 1).flatten(1)
    torch.testing.assert_close(maps[:, 12:], -maps[:, :12], rtol=0, atol=1e-4)
    assert_allclose(np.cov(components.numpy()), np.eye(12), atol=0.02)


@pytest.mark.parametrize(
    ("trainable", "first", "head"), [("all", True, True), (2, False, True), ("last", False, False)]
)
def test_fixed_parts_of_a_pretrained_network_stay_as_they_are(trainable, first, head):
    network = build("efficientnet-lite0", (32, 32, 3), 4, {"trainable": trainable}).train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    network(torch.randn(4, 3, 32, 32)).square().sum().backward()
    optimizer.step()
    after = network.state_dict()

    def changed(name):
        return not torch.equal(before[f"network.{name}"], after[f"network.{name}"])

    assert changed("_fc.weight")
    for name in ("_conv_stem.weight", "_bn0.running_mean", "_blocks.13._bn1.running_var"):
        assert changed(name) == first
    for name in ("_conv_head.weight", "_bn1.running_mean"):
        assert changed(name) == head
    assert changed("_blocks.15._project_conv.weight") == (trainable != "last")


def test_wrong_sizes_and_parameters_are_refused():
    assert refusal(build, "lenet-1989", (28, 28, 1), 10) == (
        "lenet-1989: images must be 16 x 16 x 1, got 28 x 28 x 1. Use ReadImages(size=(16, 16), "
        "mode='gray')."
    )
    assert refusal(build, "efficientnet-lite0", (32, 32, 1), 10) == (
        "efficientnet-lite0: images must have 3 channels, got 1."
    )
    assert refusal(build, "efficientnet-lite0", (32, 32, 3), 10, {"trainable": 17}) == (
        "efficientnet-lite0: trainable must be 'all', 'last' or a number of blocks up to 16, got "
        "17."
    )
    assert refusal(build, "resnet-20", (32, 32, 3), 10, {"droput": 0.5}) == (
        "resnet-20 has no parameter 'droput'. Did you mean dropout?"
    )
    assert refusal(build, "two-layer", (8, 8, 3), 10, {"activation": "rellu"}) == (
        "activation='rellu' is unknown. Did you mean relu?"
    )
