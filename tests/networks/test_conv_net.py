import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone, is_classifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from torch import nn

from featx import ConvNet, Stream, load_recipe, make_scenes
from featx.core.errors import DivergedError
from featx.evaluation.comparison import compare
from featx.jobs.model_files import load_model, save_model
from featx.jobs.predict import predict
from featx.jobs.train import train
from featx.networks.architectures import ARCHITECTURES
from featx.networks.checkpoints import _BESIDE_TRAINING
from featx.networks.conv_net import _LEAST
from featx.networks.training import OPTIMIZERS, SCHEDULES

TIMES = {"seconds", "loading_seconds"}


def pictures(n=60, size=(12, 12), channels=1, seed=0):
    """Make noise with a bright row or a bright column."""
    rng = np.random.default_rng(seed)
    images = rng.random((n, *size, channels), dtype=np.float32) / 2
    labels = np.array(["row", "column"] * (n // 2))
    for image, label in zip(images, labels, strict=True):
        place = rng.integers(0, min(size))
        if label == "row":
            image[place] += 0.5
        else:
            image[:, place] += 0.5
    return images, labels


def small(**parameters):
    defaults = {"epochs": 3, "batch_size": 16, "learning_rate": 0.01}
    return ConvNet("lenet-5", **{**defaults, **parameters})


def refusal(call, *arguments, error=ValueError):
    with pytest.raises(error) as caught:
        call(*arguments)
    return str(caught.value)


def assert_equal_weights(one, other):
    assert one.weights_.keys() == other.weights_.keys()
    for name, weights in one.weights_.items():
        assert_array_equal(weights, other.weights_[name])


def without_times(history):
    return {name: column for name, column in history.items() if name not in TIMES}


def test_names_are_those_of_the_tables():
    constraints = ConvNet._parameter_constraints
    for name, table in (
        ("architecture", ARCHITECTURES),
        ("optimizer", OPTIMIZERS),
        ("schedule", SCHEDULES),
    ):
        assert constraints[name][0].options == set(table)
    assert set(_LEAST) <= set(ARCHITECTURES)
    assert set(_BESIDE_TRAINING) <= set(constraints)


def test_it_learns_what_a_line_is():
    images, labels = pictures(400)
    network = small(epochs=12).fit(images, labels)
    assert is_classifier(network)
    assert_array_equal(network.classes_, ["column", "row"])
    others, answers = pictures(100, seed=1)
    assert network.score(others, answers) > 0.95
    probabilities = network.predict_proba(others)
    assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-12)
    assert_array_equal(network.classes_[probabilities.argmax(axis=1)], network.predict(others))
    assert network.n_features_in_ == 144


def test_scores_are_those_of_the_torch_module():
    images, labels = pictures(channels=3)
    network = small().fit(images, labels)
    assert_allclose(network.mean_, images.mean(axis=(0, 1, 2)), rtol=1e-5)
    assert_allclose(network.deviation_, images.std(axis=(0, 1, 2)), rtol=1e-5)
    standardized = torch.from_numpy((images - network.mean_) / network.deviation_)
    module = network.network()
    with torch.inference_mode():
        maps = module[:4](standardized.permute(0, 3, 1, 2).contiguous())
        scores = module(standardized.permute(0, 3, 1, 2).contiguous())
    assert_allclose(network.decision_function(images), scores.numpy(), atol=1e-5)
    network.set_params(layer="3")
    rows = network.transform(images)
    assert_allclose(rows, maps.permute(0, 2, 3, 1).flatten(1).numpy(), atol=1e-5)
    assert network.layer_names[:4] == ["0", "1", "2", "3"]


def test_the_last_dense_layer_takes_the_features():
    images, labels = pictures()
    network = small().fit(images, labels)
    features = network.transform(images)
    module = network.network()
    with torch.inference_mode():
        scores = module[-1](torch.from_numpy(features)).numpy()
    assert_allclose(scores, network.decision_function(images), atol=1e-5)
    pipeline = make_pipeline(small(), LogisticRegression()).fit(images, labels)
    assert pipeline.predict(images).shape == (60,)


def test_one_step_is_that_of_plain_torch():
    images, labels = pictures(32)
    network = small(
        epochs=1, batch_size=32, optimizer="sgd", schedule="constant", device="cpu"
    ).fit(images, labels)
    torch.manual_seed(0)
    module = network._module()
    x = torch.from_numpy((images - network.mean_) / network.deviation_).permute(0, 3, 1, 2)
    answers = torch.from_numpy((labels == "row").astype(np.int64))
    loss = nn.functional.cross_entropy(module(x), answers)
    loss.backward()
    for name, parameter in module.named_parameters():
        expected = parameter - 0.01 * parameter.grad
        assert_allclose(network.weights_[name], expected.detach().numpy(), atol=1e-6)
    assert_allclose(network.history_["training_loss"], [loss.item()], rtol=1e-5)


def test_squared_error_is_that_of_the_formula():
    images, labels = pictures(32)
    network = small(epochs=1, batch_size=32, loss="squared_error", device="cpu")
    network.fit(images, labels)
    torch.manual_seed(0)
    x = torch.from_numpy((images - network.mean_) / network.deviation_).permute(0, 3, 1, 2)
    with torch.inference_mode():
        scores = network._module()(x).numpy()
    targets = np.where(labels[:, np.newaxis] == network.classes_, 1, -1)
    expected = np.mean(np.sum((scores - targets) ** 2, axis=1)) / 2
    assert_allclose(network.history_["training_loss"], [expected], rtol=1e-5)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_lowers_the_loss(optimizer):
    images, labels = pictures()
    rate = {"adadelta": 1.0, "sgd": 0.1, "momentum": 0.05, "nesterov": 0.05}.get(optimizer, 0.003)
    network = small(optimizer=optimizer, learning_rate=rate, epochs=8).fit(images, labels)
    losses = network.history_["training_loss"]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1, 1, 1, 1]),
        ("linear", [7 / 8, 5 / 8, 3 / 8, 1 / 8]),
        ("step", [1, 1, 0.1, 0.01]),
        ("cosine", [(1 + np.cos(np.pi * t)) / 2 for t in (1 / 8, 3 / 8, 5 / 8, 7 / 8)]),
        ("triangle", [5 / 8, 25 / 32, 15 / 32, 5 / 32]),
    ],
)
def test_the_learning_rate_follows_the_schedule(schedule, expected):
    images, labels = pictures(32)  # two steps an epoch, of which the history has the last
    network = small(schedule=schedule, epochs=4).fit(images, labels)
    assert_allclose(network.history_["learning_rate"], np.multiply(0.01, expected), rtol=1e-9)


@pytest.mark.parametrize(
    ("initialization", "deviation"),
    [
        ("uniform", (1 / 3 / 400) ** 0.5),
        ("gaussian", 0.01),
        ("xavier", (2 / 520) ** 0.5),
        ("he", (2 / 400) ** 0.5),
    ],
)
def test_initializations_have_their_deviation(initialization, deviation):
    images, labels = pictures(4, size=(28, 28))
    network = small(initialization=initialization, epochs=1, learning_rate=1e-9)
    weights = network.fit(images, labels).weights_
    assert_allclose(weights["8.weight"].std(), deviation, rtol=0.03)
    assert_allclose(weights["8.bias"], 0, atol=1e-7)


def test_a_seed_repeats_itself_bit_for_bit_and_leaves_the_world_alone():
    images, labels = pictures()
    drawn = torch.random.get_rng_state()
    parameters = {"augmentation": {"shift": 1, "flip": True, "rotate": 5}, "random_state": 7}
    fitted = [
        small(architecture_params={"dropout": 0.2}, **parameters).fit(images, labels)
        for _ in range(2)
    ]
    assert_equal_weights(*fitted)
    assert without_times(fitted[0].history_) == without_times(fitted[1].history_)
    assert torch.equal(torch.random.get_rng_state(), drawn)
    other = clone(fitted[0]).set_params(random_state=8).fit(images, labels)
    assert not np.array_equal(other.weights_["0.weight"], fitted[0].weights_["0.weight"])


class Interrupted(nn.Sequential):
    """A network in which the user loses patience after so many batches."""

    left = 10**9

    def forward(self, x):
        Interrupted.left -= 1
        if Interrupted.left < 0:
            raise KeyboardInterrupt
        return super().forward(x)


@pytest.mark.parametrize("patience", [None, 5])
def test_going_on_from_a_checkpoint_equals_not_having_stopped(tmp_path, patience):
    images, labels = pictures()
    module = Interrupted(nn.Flatten(), nn.Linear(144, 8), nn.Dropout(0.3), nn.Linear(8, 2))
    network = ConvNet(
        module,
        optimizer="momentum",
        epochs=6,
        batch_size=16,
        learning_rate=0.05,
        validation_fraction=0.2,
        patience=patience,
        augmentation={"shift": 1},
    )
    Interrupted.left = 10**9
    whole = clone(network).fit(images, labels)
    network.set_params(checkpoint=str(tmp_path / "training.pt"))
    Interrupted.left = 12  # in the third of the epochs, which have 3 batches and 1 to validate
    with pytest.raises(KeyboardInterrupt):
        network.fit(images, labels)
    assert network.history_["epoch"] == [1, 2, 3][: len(network.history_["epoch"])]
    assert 1 <= len(network.history_["epoch"]) < 6
    Interrupted.left = 10**9
    gone_on = clone(network).fit(images, labels)
    assert_equal_weights(gone_on, whole)
    assert without_times(gone_on.history_) == without_times(whole.history_)
    Interrupted.left = 0  # all is done, and nothing is computed again
    assert_equal_weights(clone(network).fit(images, labels), whole)
    Interrupted.left = 10**9


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    images, labels = pictures()
    file = tmp_path / "training.pt"
    small(epochs=1, checkpoint=file).fit(images, labels)
    assert refusal(small(epochs=2, checkpoint=file).fit, images, labels) == (
        f"{file}: the checkpoint belongs to another training: epochs is 1, expected 2. Remove it, "
        "or set checkpoint to another file."
    )
    other = ConvNet("two-layer", epochs=1, batch_size=16, learning_rate=0.01, checkpoint=file)
    assert refusal(other.fit, images, labels) == (
        f"{file}: the checkpoint belongs to another training: architecture is 'lenet-5', expected "
        "'two-layer'. Remove it, or set checkpoint to another file."
    )
    message = refusal(small(epochs=1, checkpoint=file).fit, images[::-1].copy(), labels)
    assert message.startswith(
        f"{file}: the checkpoint belongs to another training: the digest of images and labels is "
    )


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x80\x04cos\nsystem\n."])
def test_what_is_no_checkpoint_is_refused(tmp_path, content):
    images, labels = pictures()
    file = tmp_path / "training.pt"
    file.write_bytes(content)
    assert refusal(small(checkpoint=file).fit, images, labels) == (
        f"{file}: not a checkpoint of ConvNet, or damaged. A file of tensors, written by "
        "torch.save, is required."
    )
    torch.save({"weights": torch.ones(3)}, file)
    message = refusal(small(checkpoint=file).fit, images, labels)
    assert message == f"{file}: not a checkpoint of ConvNet."


def test_patience_ends_early_and_takes_the_best_weights():
    images, labels = pictures(80)
    labels = np.random.default_rng(0).permutation(labels)  # nothing can be learned
    network = small(epochs=60, patience=3, validation_fraction=0.25, learning_rate=0.02)
    network.fit(images, labels)
    losses = network.history_["validation_loss"]
    best = int(np.argmin(losses))
    assert len(losses) == best + 1 + 3 < 60
    shorter = clone(network).set_params(patience=None, schedule="constant")
    network.set_params(schedule="constant").fit(images, labels)
    best = int(np.argmin(network.history_["validation_loss"]))
    assert_equal_weights(network, shorter.set_params(epochs=best + 1).fit(images, labels))


def test_a_loss_that_is_no_number_ends_training_with_the_last_good_weights():
    images, labels = pictures()
    network = small(optimizer="sgd", learning_rate=1e12, schedule="constant")
    assert refusal(network.fit, images, labels, error=DivergedError) == (
        "ConvNet: the loss became NaN or infinite in epoch 1; the initial weights are kept. Set "
        "learning_rate below 1e+12."
    )
    assert np.isfinite(network.transform(images)).all()
    assert network.history_ == {}
    # Up the triangle: the first epoch is slow.
    network = small(optimizer="sgd", learning_rate=1e5, schedule="triangle", epochs=1000)
    message = refusal(network.fit, images, labels, error=DivergedError)
    epoch = len(network.history_["epoch"])
    assert message == (
        f"ConvNet: the loss became NaN or infinite in epoch {epoch + 1}; the weights of epoch "
        f"{epoch} are kept. Set learning_rate below 100000."
    )
    assert epoch >= 1
    assert np.isfinite(network.decision_function(images)).all()


class Narrow(nn.Sequential):
    """A network for which the memory is too small if a batch is too large."""

    def forward(self, x):
        if len(x) > 10:
            raise torch.OutOfMemoryError
        return super().forward(x)


def test_too_little_memory_halves_the_batch_and_says_so():
    images, labels = pictures()
    module = Narrow(nn.Flatten(), nn.Linear(144, 2))
    network = ConvNet(module, epochs=2, batch_size=32, device="cpu")
    with pytest.warns(UserWarning, match="out of memory") as said:
        network.fit(images, labels)
    assert [str(one.message) for one in said] == [
        f"cpu: out of memory. Continuing with batches of {size} images from epoch 1."
        for size in (16, 8)
    ]
    expected = clone(network).set_params(batch_size=8).fit(images, labels)
    assert_equal_weights(network, expected)
    with pytest.warns(UserWarning, match=r"cpu: out of memory\. Continuing with batches of"):
        scores = network.decision_function(images)
    assert_allclose(scores, expected.decision_function(images), atol=1e-6)


def test_the_history_is_a_table():
    images, labels = pictures()
    table = pd.DataFrame(small(validation_fraction=0.2).fit(images, labels).history_)
    assert list(table.columns) == [
        "epoch",
        "learning_rate",
        "training_loss",
        "training_accuracy",
        "validation_loss",
        "validation_accuracy",
        "seconds",
        "loading_seconds",
    ]
    assert list(table["epoch"]) == [1, 2, 3]
    assert (table["loading_seconds"] <= table["seconds"]).all()


def test_a_line_is_written_for_each_epoch(capsys):
    images, labels = pictures()
    small(verbose=True, validation_fraction=0.2).fit(images, labels)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for number, line in enumerate(lines, 1):
        assert line.startswith(f"epoch {number}/3; training loss ")
        assert "; validation loss " in line
        assert line.endswith(" s left")


def test_bad_input_is_refused():
    images, labels = pictures()
    assert refusal(small().fit, images) == (
        "ConvNet: fit requires labels. Pass one label per image: fit(X, y)."
    )
    assert refusal(small().fit, images, labels[:3]) == (
        "ConvNet: got 60 images, but 3 labels. Pass one label per image."
    )
    assert refusal(small().fit, images, ["row"] * 60) == (
        "ConvNet: y has only one class, 'row'. At least two classes are required."
    )
    ragged = [images[0], np.zeros((12, 13, 1), np.float32)]
    assert refusal(small().fit, ragged, ["a", "b"]) == (
        "ConvNet: training images must have the same size, but image 0 is 12 x 12 x 1 and image 1 "
        "is 12 x 13 x 1. Use ReadImages(size=(32, 32))."
    )
    assert refusal(small(patience=2).fit, images, labels) == (
        "ConvNet: patience requires validation images. Set validation_fraction, for example to 0.1."
    )
    network = small(epochs=1).fit(images, labels)
    for shape in ((14, 12, 1), (12, 12, 3)):
        assert refusal(network.predict, np.zeros((1, *shape), np.float32)) == (
            f"ConvNet: the image is {' x '.join(map(str, shape))}, expected 12 x 12 x 1 as in fit."
        )
    assert refusal(network.set_params(layer="10a").transform, images) == (
        "The network has no layer '10a'. Did you mean 10?"
    )
    assert refusal(small(augmentation={"shifft": 1}).fit, images, labels) == (
        "ConvNet: unknown augmentation 'shifft'. Did you mean shift?"
    )
    assert refusal(small(augmentation={"shift": 0.5}).fit, images, labels) == (
        "ConvNet: the augmentation 'shift' must be the maximum shift per axis, in whole pixels, "
        "got 0.5."
    )
    if not torch.cuda.is_available():
        assert refusal(small(device="cuda").fit, images, labels) == (
            'device="cuda": torch finds no GPU. Use device="auto" or "cpu".'
        )


def test_a_stream_refuses_images_of_other_sizes_one_by_one():
    images, labels = pictures()
    stream = Stream([small(epochs=1)], refused="nan").fit(images, labels)
    with pytest.warns(UserWarning, match="1 of 3 images were rejected"):
        rows = stream.transform([images[0], np.zeros((9, 9, 1), np.float32), images[1]])
    assert_array_equal(np.isnan(rows).any(axis=1), [False, True, False])


def test_without_the_extra_one_line_says_what_to_install():
    code = (
        "import importlib.util as u, numpy as np; found = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name in ('torch', 'skorch') else found(name, *a)\n"
        "import featx, sys; images = np.zeros((2, 12, 12, 1), 'f4')\n"
        "try: featx.ConvNet().fit(images, ['a', 'b'])\n"
        "except ImportError as error: print(error)\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=True
    )
    assert done.stdout.splitlines() == [
        "Networks require torch and skorch, which are not installed. To install them: "
        "pip install 'featx[learned]'",
        "False",
    ]


RECIPE = """
title: A small network
source: none
steps:
  - ReadImages: {size: [24, 24], mode: gray}
  - ConvNet: {architecture: two-layer, epochs: 2, architecture_params: {hidden: 9}}
"""


def test_a_network_ends_a_recipe(tmp_path):
    recipe, model = tmp_path / "small-network.yaml", tmp_path / "model.skops"
    recipe.write_text(RECIPE)
    images, labels = make_scenes(n=24, size=(64, 64), random_state=0)
    training = train(images, y=labels, recipe=load_recipe(recipe))
    fitted, refused = training.model, training.refused
    assert not refused
    save_model(fitted, model)
    loaded = load_model(model)
    assert_array_equal(loaded.predict(images), fitted.predict(images))
    assert_equal_weights(loaded[-1], fitted[-1])
    paths = [str(tmp_path / f"{number}.png") for number in range(len(images))]
    for path, image in zip(paths, images, strict=True):
        Image.fromarray(image).save(path)
    predict(paths, model=loaded, out=tmp_path / "predictions.csv")
    table = pd.read_csv(tmp_path / "predictions.csv")
    assert list(table["prediction"]) == list(fitted.predict(images))
    assert_allclose(table["probability_city"] + table["probability_landscape"], 1)
    result = compare([recipe], images, labels, folds=2).results[-1]
    assert result.dimensions == 576


def test_a_network_stands_before_a_classifier_in_a_recipe(tmp_path):
    recipe = tmp_path / "features.yaml"
    recipe.write_text(RECIPE + "  - LogisticRegression\n")
    images, labels = make_scenes(n=24, size=(64, 64), random_state=0)
    fitted = train(images, y=labels, recipe=load_recipe(recipe)).model
    assert fitted[-1].n_features_in_ == 9
    recipe.write_text(RECIPE + "  - Sobel\n")
    assert refusal(load_recipe, recipe) == (
        f"{recipe}:7: Sobel requires maps, but ConvNet outputs vectors."
    )


@pytest.mark.cuda
@pytest.mark.parametrize("architecture", ["lenet-5", "resnet-20", "airbench"])
def test_cuda_gives_the_features_of_the_processor(architecture):
    images, labels = pictures(channels=3)
    network = small(device="cuda").set_params(architecture=architecture).fit(images, labels)
    features = network.transform(images)
    loaded = clone(network).set_params(device="cpu").fit(images, labels)
    loaded.weights_ = network.weights_
    loaded.mean_, loaded.deviation_ = network.mean_, network.deviation_
    loaded.__dict__.pop("_networks", None)
    assert_allclose(loaded.transform(images), features, atol=1e-3)


@pytest.mark.cuda
def test_too_little_memory_of_a_gpu_halves_the_batch():
    images, labels = pictures(n=512, size=(32, 32))
    network = ConvNet("resnet-20", epochs=2, batch_size=512, device="cuda")
    torch.cuda.empty_cache()
    memory = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(2**28 / memory)
    try:
        with pytest.warns(UserWarning, match="out of memory") as said:
            network.fit(images, labels)
        assert str(said[0].message) == (
            "cuda: out of memory. Continuing with batches of 256 images from epoch 1."
        )
        assert np.isfinite(network.decision_function(images)).all()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)


@pytest.mark.cuda
def test_training_on_a_gpu_goes_on_from_its_checkpoint(tmp_path):
    images, labels = pictures()
    parameters = {"device": "cuda", "checkpoint": tmp_path / "network.pt"}
    network = small(**parameters).fit(images, labels)
    again = small(**parameters).fit(images, labels)
    assert_equal_weights(again, network)
    assert len(again.history_["epoch"]) == 3
