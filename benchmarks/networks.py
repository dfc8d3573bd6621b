"""How well networks tell digits and small pictures apart, and how fast they are.

    python benchmarks/networks.py [usps] [mnist] [cifar] [tricks] [airbench] [speed] [--data FOLDER]

The data are two files of arrays, usps_train.npz and mnist_10k.npz, and a folder of CIFAR-10's
classes. A fifth of each, of each class, is held out. Prints rows of Markdown as they are ready;
research/2026-11-24-networks.md has them.
"""

import argparse
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer

from featx import HOG, ColorHistogram, ConvNet, PretrainedNet, ReadImages, Stream, load_dataset
from featx.networks.pretrained_net import load_backbone
from featx.networks.torch_support import chosen_device
from featx.networks.training import Batches
from featx.pipeline.recipes import load_recipe


def usps(data: Path) -> None:
    """Read zip codes with the network of 1989, as then and as today."""
    compare(*arrays(data / "usps_train.npz"), recipes("lenet-1989", "lenet-1989-today"))


def mnist(data: Path) -> None:
    """Read digits with one hidden layer, and with convolutions."""
    compare(*arrays(data / "mnist_10k.npz"), recipes("two-layer", "lenet-5"))


def cifar(data: Path) -> None:
    """Tell small pictures apart by pixels, hand-made features and learned ones."""
    images, labels = small_pictures(data)
    two_layers = ConvNet(
        "two-layer",
        {"hidden": 500, "dropout": 0.5},
        epochs=20,
        weight_decay=1e-3,
        optimizer="adamw",
    )
    hand_made = make_union(
        Stream([HOG(pixels_per_cell=(4, 4))]), Stream([ColorHistogram(4, grid=(4, 4))])
    )
    # A vector is a picture of one pixel, each of whose channels is standardized.
    as_pixel = FunctionTransformer(lambda vectors: vectors[:, np.newaxis, np.newaxis])
    transfer = load_recipe("transfer-logistic")
    transfer.set_params(stream__readimages__size=(128, 128))
    compare(
        images,
        labels,
        {
            "raw pixels, two layers": two_layers,
            "HOG and colors, two layers": make_pipeline(hand_made, as_pixel, two_layers),
            **recipes("patch-dictionary"),
            "transfer-logistic, at 128 pixels": transfer,
        },
    )


def tricks(data: Path) -> None:
    """Train a small ResNet with batch norm, dropout and residuals, each on and off."""
    compare(
        *small_pictures(data),
        {
            ", ".join(name for name, on in used.items() if on) or "none": small_resnet(used)
            for used in TRICKS
        },
    )


TRICKS = [
    {"batch norm": batch_norm, "dropout": dropout, "residuals": residual}
    for batch_norm in (True, False)
    for residual in (True, False)
    for dropout in (True, False)
]


def small_resnet(used: Mapping[str, bool]) -> ConvNet:
    """Make a ResNet of 20 layers with half as many maps as in the paper."""
    return ConvNet(
        "resnet-20",
        {
            "maps": 8,
            "batch_norm": used["batch norm"],
            "dropout": 0.05 if used["dropout"] else 0.0,
            "residual": used["residuals"],
        },
        optimizer="nesterov",
        # Without batch norm, long steps may end in NaN.
        learning_rate=0.05 if used["batch norm"] else 0.01,
        weight_decay=5e-4,
        schedule="triangle",
        batch_size=64,
        epochs=8,
        augmentation={"shift": 4, "flip": True},
    )


def small_pictures(data: Path) -> tuple[Any, Any]:
    paths, labels = load_dataset(data / "cifar10" / "train")
    return ReadImages(size=(32, 32)).transform(paths), labels


def airbench(data: Path) -> None:
    """Train a network that was made for a GPU; twice, since the first time CUDA has to begin."""
    images, labels = small_pictures(data)
    for _ in range(2):
        compare(images, labels, recipes("airbench"))


def speed(data: Path) -> None:
    """Measure beside plain torch, in turns, on one thread or on a GPU: ratios of least times."""
    torch.set_num_threads(1)
    device = chosen_device("auto")
    rng = np.random.default_rng(0)
    images = rng.random((32, 224, 224, 3), dtype=np.float32)
    backbone = load_backbone("efficientnet-lite0")
    network, stage = backbone.network.eval().to(device), PretrainedNet()

    def features(pixels: np.ndarray) -> None:
        x = torch.from_numpy(((pixels - backbone.mean) / backbone.deviation).transpose(0, 3, 1, 2))
        with torch.inference_mode():
            network.extract_features(x.contiguous().to(device)).mean((2, 3)).cpu()

    least = least_times(
        {
            "PretrainedNet": lambda: stage.transform(images),
            "bare, batches": lambda: features(images),
            "bare, one by one": lambda: [features(image[np.newaxis]) for image in images],
        }
    )
    print(
        f"| PretrainedNet | {least['PretrainedNet'] / least['bare, batches']:.2f} of bare batches, "
        f"{least['bare, one by one'] / least['PretrainedNet']:.2f} times one by one |"
    )
    beside_a_bare_loop("lenet-5", {"maps": (16, 32)}, rng.random((4096, 28, 28, 1)), 128)
    if device == "cuda":
        beside_a_bare_loop("airbench", {}, rng.random((8192, 32, 32, 3)), 512)


def beside_a_bare_loop(
    architecture: str, architecture_params: dict[str, Any], images: np.ndarray, batch_size: int
) -> None:
    device = chosen_device("auto")
    images, labels = images.astype(np.float32), np.arange(len(images)) % 10
    net = ConvNet(architecture, architecture_params, epochs=5, batch_size=batch_size)
    net.fit(images, labels)

    def loop() -> None:
        module = net._module().to(device, memory_format=torch.channels_last)
        pixels = torch.from_numpy((images - net.mean_) / net.deviation_)
        optimizer = torch.optim.Adam(module.parameters(), lr=1e-3)
        examples = torch.utils.data.TensorDataset(
            pixels.to(device), torch.from_numpy(labels).to(device)
        )
        for _ in range(5):
            for x, y in Batches(examples, batch_size, shuffle=True):
                optimizer.zero_grad()
                with torch.autocast("cuda", torch.bfloat16, enabled=device == "cuda"):
                    scores = module(x)
                torch.nn.functional.cross_entropy(scores, y).backward()
                optimizer.step()
        next(module.parameters()).cpu()  # waits for the GPU

    least = least_times({"ConvNet": lambda: net.fit(images, labels), "bare": loop})
    print(
        f"| ConvNet.fit, {architecture} | {least['ConvNet'] / least['bare']:.2f} of a bare loop |"
    )


def least_times(candidates: Mapping[str, Any], rounds: int = 4) -> dict[str, float]:
    """Run candidates in turns, and give the least time of each: the processor's, or a GPU's."""
    clock = time.perf_counter if chosen_device("auto") == "cuda" else time.process_time
    least = dict.fromkeys(candidates, np.inf)
    for _ in range(rounds):
        for name, candidate in candidates.items():
            started = clock()
            candidate()
            least[name] = min(least[name], clock() - started)
    return least


def arrays(file: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(file) as content:
        return content["images"][..., np.newaxis], content["labels"]


def recipes(*names: str) -> dict[str, Any]:
    return {name: load_recipe(name) for name in names}


def compare(images: Any, labels: Any, candidates: Mapping[str, Any]) -> None:
    """Fit each on four fifths, and print what of the last fifth is right, and how long it took.

    Seconds are those of the processor and those that went by, of which others may have had some.
    """
    split = train_test_split(np.arange(len(images)), test_size=0.2, stratify=labels, random_state=0)
    train, test = split
    for name, candidate in candidates.items():
        started = time.process_time(), time.perf_counter()
        candidate.fit(images[train], labels[train])
        used, passed = time.process_time() - started[0], time.perf_counter() - started[1]
        accuracy = candidate.score(images[test], labels[test])
        print(f"| {name} | {accuracy:.2%} | {used:.0f} s | {passed:.0f} s |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    tasks = {
        "usps": usps,
        "mnist": mnist,
        "cifar": cifar,
        "tricks": tricks,
        "airbench": airbench,
        "speed": speed,
    }
    parser.add_argument("tasks", nargs="*", choices=[*tasks], metavar="TASK")
    parser.add_argument("--data", default=os.environ.get("FEATX_DATA", ""), type=Path)
    given = parser.parse_args()
    for task in given.tasks or tasks:
        tasks[task](given.data)


if __name__ == "__main__":
    main()
