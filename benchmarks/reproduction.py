"""Compare published figures with those of featx: the reproduction ledger.

    python benchmarks/reproduction.py [KEY ...] [--all] [--write] [--data FOLDER]

Without arguments, print each published figure beside ours. With keys, compute these figures anew;
with --all, all of them. Figures of real data need a data folder (FEATX_DATA) and take minutes to
hours; they are stored in docs/reproduction.json, and accuracies of scenes in docs/accuracy.json.
With --write, write docs/reproduction.md.
"""

# ruff: noqa: RUF001  # × and − belong to the page

import argparse
import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import featx

ROOT = Path(__file__).parents[1]
ACCURACIES = ROOT / "docs" / "accuracy.json"
STORED = ROOT / "docs" / "reproduction.json"
PAGE = ROOT / "docs" / "reproduction.md"

#: Names that the expressions use, beside `featx` and `np`.
noise = np.random.default_rng(0).random((60, 64, 64, 3), np.float32)


# Our figures: computed, read from docs/accuracy.json, or stored in docs/reproduction.json.


@dataclass(frozen=True)
class Expression:
    """A Python expression that computes a figure within seconds."""

    code: str

    def read(self, key: str) -> Any:
        return eval(self.code, {"featx": featx, "np": np, "noise": noise})

    measure = None

    def command(self, key: str) -> str:
        return self.code


@dataclass(frozen=True)
class Function:
    """A function of this file that computes a figure within seconds."""

    compute: Callable[[], Any]

    def read(self, key: str) -> Any:
        return self.compute()

    measure = None

    def command(self, key: str) -> str:
        return f"python benchmarks/reproduction.py {key}"


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a recipe on a task of benchmarks/accuracy.py, in percent."""

    recipe: str
    task: str

    def read(self, key: str) -> float:
        return 100 * json.loads(ACCURACIES.read_text())[self.task][self.recipe]["accuracy"]

    def measure(self, key: str, data: Path) -> None:
        script = ROOT / "benchmarks" / "accuracy.py"
        arguments = [self.recipe, "--task", self.task, "--data", str(data)]
        subprocess.run([sys.executable, str(script), *arguments], check=True)

    def command(self, key: str) -> str:
        return f'python benchmarks/accuracy.py {self.recipe} --task "{self.task}"'


@dataclass(frozen=True)
class Measured:
    """A figure that a function of this file computes from a data folder, and that is stored."""

    compute: Callable[[Path], float]

    def read(self, key: str) -> float | None:
        stored = json.loads(STORED.read_text()) if STORED.exists() else {}
        return stored[key]["value"] if key in stored else None

    def measure(self, key: str, data: Path) -> None:
        value = self.compute(data)
        stored = json.loads(STORED.read_text()) if STORED.exists() else {}
        stored[key] = {
            "value": value,
            "date": datetime.date.today().isoformat(),
            "command": self.command(key),
        }
        STORED.write_text(json.dumps(stored, indent=1, sort_keys=True) + "\n")

    def command(self, key: str) -> str:
        return f"python benchmarks/reproduction.py {key}"


@dataclass(frozen=True)
class Figure:
    """A published figure and how featx reproduces it.

    A figure is a number, a list of numbers, or text. Differences up to `tolerance` are agreement.
    `digits` decimals are shown; by default, as many as the published figure has.
    `printed` is the published figure as its source prints it, where that is not the number itself.
    """

    key: str
    name: str
    source: str
    published: Any
    ours: Expression | Function | Accuracy | Measured
    unit: str = ""
    tolerance: float = 0.0
    digits: int | None = None
    printed: str = ""
    cause: str = ""


# Functions that compute a figure within seconds.


def padded_rows_and_columns() -> list[int]:
    """Count the rows above and the columns left of an image that a 3 x 5 kernel reaches."""
    counts = featx.Convolve(np.ones((3, 5)), padding="zero").transform(np.ones((1, 28, 28, 1)))
    rows, columns = counts[0, :, 14, 0], counts[0, 14, :, 0]
    return [int((rows < 15).sum() // 2), int((columns < 15).sum() // 2)]


def impulse(height: int, width: int) -> np.ndarray:
    image = np.zeros((1, height, width, 1), np.float32)
    image[0, height // 2, width // 2] = 1
    return image


def kernel_of(stage: Any, height: int, width: int) -> np.ndarray:
    """Recover a correlation's kernel from its response to an impulse."""
    response = stage.transform(impulse(2 * height + 1, 2 * width + 1))[0, ..., 0]
    top, left = height + 1 - (height + 1) // 2, width + 1 - (width + 1) // 2
    return response[top : top + height, left : left + width][::-1, ::-1]


def sobel_kernels() -> list:
    return [kernel_of(featx.Sobel(axis), 3, 3).tolist() for axis in ("vertical", "horizontal")]


def gaussian_at_sigma() -> float:
    """Divide a Gaussian kernel's weight at a distance of sigma by its largest weight."""
    weights = featx.GaussianBlur(4.0).transform(impulse(65, 65))[0, 32, :, 0]
    return float(weights[36] / weights[32])


def example_network() -> Any:
    """Return the notes' network of 2, 3, 3 and 1 nodes, with one example."""
    network = featx.FeedForwardNetwork([2, 3, 3, 1], "sigmoid", random_state=0)
    for bias in network.biases:
        bias[:] = network.random.normal(size=bias.shape)
    return network, np.array([[0.3], [-0.7]]), np.array([[1.0]])


def derivatives_of_the_notes() -> float:
    """Return the largest difference from the notes' derivatives of z, one weight at a time.

    Derivatives of the loss are those of z times dL/dz.
    """
    network, x, y = example_network()
    _, (a, c, f, z) = network.forward(x)
    slope = [s * (1 - s) for s in (c, f, z)]
    by_z = float(((z - y) / (z * (1 - z)))[0, 0])
    second, last = network.weights[1], network.weights[2]
    z_by_z_bar = slope[2][0, 0]
    z_by_f_bar = [last[0, j] * z_by_z_bar * slope[1][j, 0] for j in range(3)]
    z_by_c_bar = [
        sum(z_by_f_bar[k] * second[k, j] for k in range(3)) * slope[0][j, 0] for j in range(3)
    ]
    weights = [
        np.array([[z_by_c_bar[j] * a[i, 0] for i in range(2)] for j in range(3)]),
        np.array([[z_by_f_bar[j] * c[i, 0] for i in range(3)] for j in range(3)]),
        np.array([[z_by_z_bar * f[i, 0] for i in range(3)]]),
    ]
    biases = [np.array([z_by_c_bar]).T, np.array([z_by_f_bar]).T, np.array([[z_by_z_bar]])]
    by_weights, by_biases = network.gradients(x, y)
    return max(
        float(np.abs(by_z * expected - found).max())
        for expected, found in zip(weights + biases, by_weights + by_biases, strict=True)
    )


def shape_of_first_derivatives() -> str:
    network, x, y = example_network()
    rows, columns = network.gradients(x, y)[0][0].shape
    return f"{rows} × {columns}"


def loss_of_a_probability() -> float:
    """Return the loss of a network whose output is 0.9 for an example of class 1."""
    network = featx.FeedForwardNetwork([1, 1])
    network.weights[0][:] = np.log(9)
    return network.loss(np.array([[1.0]]), np.array([[1.0]]))


def bias_of_stochastic_gradients() -> float:
    """Compare n times the mean of the examples' gradients with the gradient of their sum."""
    network, _, _ = example_network()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50)), rng.integers(0, 2, size=(1, 50))
    whole = network.gradients(x, y)[0]
    single = [network.gradients(x[:, [j]], y[:, [j]])[0] for j in range(50)]
    means = [np.mean([one[i] for one in single], axis=0) for i in range(3)]
    return max(float(np.abs(50 * m - w).max()) for m, w in zip(means, whole, strict=True))


def weights_of_a_dense_layer() -> int:
    """Count the pairs of the 28 x 28 inputs and the outputs of one 5 x 5 filter."""
    filtered = featx.Convolve(np.ones((5, 5))).transform(np.zeros((1, 28, 28, 1), np.float32))
    return 28 * 28 * filtered[0].size


def architecture(name: str, shape: tuple[int, int, int], classes: int = 10, **parameters) -> Any:
    """Build a network without memory for its weights."""
    import torch

    from featx.networks.architectures import build

    with torch.device("meta"):
        return build(name, shape, classes, parameters)


def parameters_of(network: Any) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def parameters_by_layer(network: Any, *layers: str) -> list[int]:
    return [parameters_of(network.get_submodule(layer)) for layer in layers]


def lenet_1989_layers() -> list[int]:
    network = architecture("lenet-1989", (16, 16, 1))
    return parameters_by_layer(network, "h1", "h2", "h3", "output")


def lenet_1989_connections() -> int:
    """Count a connection for each weight that a unit uses and one for its bias."""
    network = architecture("lenet-1989", (16, 16, 1))
    layers = [(network.h1, 12 * 8 * 8), (network.h2, 12 * 4 * 4)]
    layers += [(network.h3, 30), (network.output, 10)]
    return sum(units * (layer.weight[0].numel() + 1) for layer, units in layers)


def weights_of_a_filter() -> int:
    return architecture("lenet-5", (28, 28, 1))[0].weight[0].numel()


def lenet_5_parameters() -> int:
    return parameters_of(architecture("lenet-5", (28, 28, 1)))


def lenet_5_layers() -> list[int]:
    return parameters_by_layer(architecture("lenet-5", (28, 28, 1)), "0", "3", "8", "11")


def alexnet() -> Any:
    return architecture("alexnet", (224, 224, 3), 1000)


def alexnet_weights() -> list[int]:
    return [parameter.numel() for parameter in alexnet().parameters() if parameter.dim() > 1]


def alexnet_neurons() -> list[int]:
    """Count the outputs of each layer that has weights."""
    import torch

    network, counts = alexnet().eval(), []
    for layer in network:
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            layer.register_forward_hook(lambda _, __, out: counts.append(out.numel()))
    with torch.inference_mode():
        network(torch.zeros(1, 3, 224, 224, device="meta"))
    return counts


def resnet_20_parameters() -> int:
    return parameters_of(architecture("resnet-20", (32, 32, 3)))


def efficientnet_parameters() -> int:
    """Count the parameters of the pretrained network, with its classifier of ImageNet."""
    from featx.networks.pretrained_net import load_backbone

    return parameters_of(load_backbone("efficientnet-lite0").network)


# Functions that compute a figure from a data folder.


def digits(data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(data / name) as content:
        return content["images"][..., np.newaxis], content["labels"]


def small_pictures(data: Path) -> tuple[np.ndarray, np.ndarray]:
    paths, labels = featx.load_dataset(data / "cifar10" / "train")
    return featx.ReadImages(size=(32, 32)).transform(paths), labels


def held_out(images: np.ndarray, labels: np.ndarray, model: Any) -> float:
    """Train a model on four fifths, and return its accuracy on the last fifth, in percent."""
    from sklearn.model_selection import train_test_split

    split = train_test_split(np.arange(len(images)), test_size=0.2, stratify=labels, random_state=0)
    train, test = split
    model.fit(images[train], labels[train])
    return 100 * float(model.score(images[test], labels[test]))


def usps_training_error(data: Path) -> float:
    images, labels = digits(data, "usps_train.npz")
    model = featx.load_recipe("lenet-1989").fit(images, labels)
    return 100 - 100 * float(model.score(images, labels))


def usps_held_out_error(data: Path) -> float:
    return 100 - held_out(*digits(data, "usps_train.npz"), featx.load_recipe("lenet-1989"))


def mnist_held_out_error(data: Path) -> float:
    return 100 - held_out(*digits(data, "mnist_10k.npz"), featx.load_recipe("lenet-5"))


def patch_dictionary_accuracy(data: Path) -> float:
    return held_out(*small_pictures(data), featx.load_recipe("patch-dictionary"))


def resnet_20_accuracy(data: Path) -> float:
    from networks import small_resnet

    tricks = {"batch norm": True, "dropout": False, "residuals": True}
    return held_out(*small_pictures(data), small_resnet(tricks))


def airbench_accuracy(data: Path) -> float:
    return held_out(*small_pictures(data), featx.load_recipe("airbench"))


def city_and_landscape(data: Path, statistic: str, *stages: Any) -> tuple[float, float]:
    """Compute the mean of a statistic over the photographs of each class."""
    paths, labels = featx.load_dataset("scenes8", "city-landscape", root=data)
    reading = featx.ReadImages(size=(256, 256), mode="gray")
    stream = featx.Stream([reading, *stages, featx.Summarize([statistic])])
    values, labels = stream.fit_transform(paths)[:, 0], np.asarray(labels)
    return float(values[labels == "city"].mean()), float(values[labels == "landscape"].mean())


def edges_of_landscapes(data: Path) -> float:
    city, landscape = city_and_landscape(data, "mean_absolute", featx.Sobel("vertical"))
    return landscape / city


def lines_of_cities(data: Path) -> float:
    lines = featx.PatternMatch("line", length=31, orientation=90)
    city, landscape = city_and_landscape(data, "mean_square", featx.Sobel("vertical"), lines)
    return city / landscape


# The ledger.

NOTES = "Lecture notes"
LECUN_1989 = "LeCun et al., Neural Computation 1, 1989"
LECUN_1998 = "LeCun et al., Proc. IEEE 86(11), 1998"
KRIZHEVSKY = "Krizhevsky, Sutskever and Hinton, NIPS 2012"
HE = "He et al., CVPR 2016"
JORDAN = "Jordan, arXiv 2404.00498, 2024"
COATES = "Coates, Ng and Lee, AISTATS 2011"
LAZEBNIK = "Lazebnik, Schmid and Ponce, CVPR 2006"
OLIVA = "Oliva and Torralba, IJCV 42(3), 2001"
WU = "Wu and Rehg, IEEE TPAMI 33(8), 2011"
VAILAYA = "Vailaya, Jain and Zhang, Pattern Recognition 31(12), 1998"
OJALA = "Ojala, Pietikäinen and Mäenpää, IEEE TPAMI 24(7), 2002"
AHONEN = "Ahonen, Hadid and Pietikäinen, IEEE TPAMI 28(12), 2006"
DOUZE = "Douze et al., CIVR 2009"
SANDE = "van de Sande, Gevers and Snoek, IEEE TPAMI 32(9), 2010"
GRAY = "noise[:1, ..., :1]"
SIFTS = f"featx.DenseSIFT().transform({GRAY})"
FOLDS = "five folds of the training part"

FIGURES = [
    # The lecture's worked examples.
    Figure(
        "convolution-length",
        "Length of a 1D convolution, d = 512, k = 8: d − k + 1",
        f"{NOTES}, “Convolution”",
        505,
        Expression("featx.Convolve(np.ones(8)).transform(np.zeros((1, 512))).shape[1]"),
    ),
    Figure(
        "convolution-2d",
        "Convolution of the 5 × 5 example with the 3 × 3 kernel",
        f"{NOTES}, “2D convolution”",
        [[12, 12, 17], [10, 17, 19], [9, 6, 14]],
        Expression(
            "featx.Convolve([[0, 1, 2], [2, 2, 0], [0, 1, 2]]).transform(np.reshape("
            "[3.0, 3, 2, 1, 0, 0, 0, 1, 3, 1, 3, 1, 2, 2, 3, 2, 0, 0, 2, 2, 2, 0, 0, 0, 1], "
            "(1, 5, 5, 1)))[0, ..., 0]"
        ),
    ),
    Figure(
        "convolution-3d-shape",
        "Shape of a 3D convolution, 8 × 9 × 3 with 3 × 4 × 2: d − k + 1 along each axis",
        f"{NOTES}, “3D convolution”",
        [6, 6, 2],
        Expression("featx.Convolve(np.ones((3, 4, 2))).transform(np.ones((1, 8, 9, 3))).shape[1:]"),
    ),
    Figure(
        "zero-padding-shape",
        "Shape of a zero-padded convolution of 28 × 28 pixels",
        f"{NOTES}, “Zero padding”",
        [28, 28],
        Expression(
            "featx.Convolve(np.ones((5, 5)), padding='zero')"
            ".transform(np.ones((1, 28, 28, 1))).shape[1:3]"
        ),
    ),
    Figure(
        "zero-padding",
        "Zeros above and left of the image for a kernel of k₁ = 3 rows and k₂ = 5 columns",
        f"{NOTES}, “Zero padding”",
        [2, 1],
        Function(padded_rows_and_columns),
        printed="(k₂ − 1)/2 = 2, (k₁ − 1)/2 = 1",
        cause="The notes exchange rows and columns: k₁ is the number of rows in their definition.",
    ),
    Figure(
        "uniform-filter",
        "Weights of the uniform filter, k = 5: 1/k",
        f"{NOTES}, “Applications of convolution”",
        [0.2, 0.2, 0.2, 0.2, 0.2],
        Expression("featx.UniformBlur([5]).transform(np.eye(1, 9, 4))[0, 2:7]"),
        tolerance=1e-6,
    ),
    Figure(
        "gaussian-filter",
        "Weight of the Gaussian filter at a distance of σ, relative to its center",
        f"{NOTES}, “Applications of convolution”",
        float(np.exp(-1)),
        Function(gaussian_at_sigma),
        tolerance=5e-4,
        printed="exp(−1) = 0.368",
        cause=(
            "The notes' exponent is −d²/σ². featx uses the standard deviation, −d²/2σ²; "
            "the notes' σ is `sigma` times √2."
        ),
    ),
    Figure(
        "difference-filter",
        "Kernel of the difference filter",
        f"{NOTES}, “Edge detection”",
        [1, -1],
        Expression(
            "featx.Difference(padding='valid').transform(np.eye(1, 4, 1).reshape(1, 1, 4, 1))"
            "[0, 0, 1::-1, 0]"
        ),
    ),
    Figure(
        "sobel-filters",
        "Sobel kernels W₁ and W₂",
        f"{NOTES}, “Applications of convolution”",
        [[[1, 0, -1], [2, 0, -2], [1, 0, -1]], [[1, 2, 1], [0, 0, 0], [-1, -2, -1]]],
        Function(sobel_kernels),
        printed="[1, 0, −1], [2, 0, −2], [1, 0, −1] and its transpose",
    ),
    Figure(
        "max-pooling",
        "Max-pooling of the 4 × 4 example by 2 × 2",
        f"{NOTES}, “Pooling and downsampling”",
        [[100, 184], [12, 45]],
        Expression(
            "featx.MaxPool(2).transform(np.reshape("
            "[29.0, 15, 28, 184, 0, 100, 70, 38, 12, 12, 7, 2, 12, 12, 45, 6], "
            "(1, 4, 4, 1)))[0, ..., 0]"
        ),
    ),
    Figure(
        "average-pooling",
        "Average pooling of the 4 × 4 example by 2 × 2",
        f"{NOTES}, “Pooling and downsampling”",
        [[36, 80], [12, 15]],
        Expression(
            "featx.AveragePool(2).transform(np.reshape("
            "[31.0, 15, 28, 184, 0, 100, 70, 38, 12, 12, 7, 2, 12, 12, 45, 6], "
            "(1, 4, 4, 1)))[0, ..., 0]"
        ),
        digits=1,
        cause=(
            "The notes print 31 as the first pixel, where the example of max-pooling has 29; "
            "the mean of 36 belongs to 29."
        ),
    ),
    Figure(
        "back-propagation",
        "Derivatives of the network of 2, 3, 3 and 1 nodes: largest difference from the formulas",
        f"{NOTES}, “Backprop example”",
        0,
        Function(derivatives_of_the_notes),
        tolerance=1e-12,
        printed="formulas of 25 derivatives",
    ),
    Figure(
        "derivative-shape",
        "Shape of the derivatives of W₀, which is 3 × 2",
        f"{NOTES}, “Backprop linear algebra”, claim 2",
        "2 × 3",
        Function(shape_of_first_derivatives),
        printed="v₀ δ̄₁ᵀ is 2 × 3",
        cause="The notes' product is the transpose; featx computes δ̄₁ v₀ᵀ, shaped like W₀.",
    ),
    Figure(
        "cross-entropy",
        "Binary cross-entropy of f = 0.9 for y = 1",
        f"{NOTES}, “Training neural networks”",
        float(np.log(0.9)),
        Function(loss_of_a_probability),
        tolerance=5e-4,
        printed="log 0.9 = −0.105",
        cause="The notes omit the minus sign; their expression is a log-likelihood.",
    ),
    Figure(
        "stochastic-gradient",
        "n times the mean of the stochastic gradients, minus the full gradient",
        f"{NOTES}, “Stochastic gradient descent”",
        0,
        Function(bias_of_stochastic_gradients),
        tolerance=1e-12,
    ),
    Figure(
        "filter-weights",
        "Weights of one 5 × 5 filter of a first layer",
        f"{NOTES}, “Convolutional neural networks”",
        25,
        Function(weights_of_a_filter),
    ),
    Figure(
        "dense-weights",
        "Weights of a dense layer from 28 × 28 to 24 × 24",
        f"{NOTES}, “Convolutional neural networks”",
        451_584,
        Function(weights_of_a_dense_layer),
    ),
    Figure(
        "edges-of-landscapes",
        "Mean vertical edge response, landscape over city",
        f"{NOTES}, “Edge detection”",
        1.14,
        Measured(edges_of_landscapes),
        tolerance=0.005,
        printed="0.123 / 0.108 = 1.14",
        cause=(
            "The notes compare one pair of images, which they do not supply. Ours are class means "
            "over 1,697 photographs of scenes8, where cities have the stronger edges. The two "
            "classes overlap: the recipe `edges-alone` stays below the majority class."
        ),
    ),
    Figure(
        "lines-of-cities",
        "Mean square response to long vertical lines, city over landscape",
        f"{NOTES}, “Hierarchical convolutional features”",
        2.33,
        Measured(lines_of_cities),
        tolerance=0.005,
        printed="0.042 / 0.018 = 2.33",
        cause="Class means over the same 1,697 photographs, with a line of 31 pixels.",
    ),
    # Sizes of networks.
    Figure(
        "lenet-1989-layers",
        "Parameters of H1, H2, H3 and the output of the 1989 network",
        LECUN_1989,
        [1068, 2592, 5790, 310],
        Function(lenet_1989_layers),
    ),
    Figure(
        "lenet-1989-parameters",
        "Parameters of the 1989 network",
        LECUN_1989,
        9760,
        Function(lambda: sum(lenet_1989_layers())),
    ),
    Figure(
        "lenet-1989-connections",
        "Connections of the 1989 network",
        LECUN_1989,
        64_660,
        Function(lenet_1989_connections),
    ),
    Figure(
        "lenet-5-parameters",
        "Parameters of LeNet-5",
        f"{LECUN_1998}, section II.B",
        60_000,
        Function(lenet_5_parameters),
        tolerance=500,
        cause="In featx, each map of C3 sees all six maps of S2, and the output layer is dense.",
    ),
    Figure(
        "lenet-5-layers",
        "Parameters of C1, C3, C5 and F6 of LeNet-5",
        f"{LECUN_1998}, section II.B",
        [156, 1516, 48_120, 10_164],
        Function(lenet_5_layers),
        cause="C3 of the paper sees a part of the maps of S2 (table I); in featx, all of them.",
    ),
    Figure(
        "alexnet-parameters",
        "Parameters of AlexNet",
        f"{KRIZHEVSKY}, abstract; {NOTES}, “Graphics processing unit”",
        60_000_000,
        Function(lambda: parameters_of(alexnet())),
        tolerance=500_000,
        printed="60 million",
        cause="The source truncates: the kernel sizes of its section 3.5 make 60,965,224.",
    ),
    Figure(
        "alexnet-weights",
        "Weights of AlexNet by layer",
        f"{KRIZHEVSKY}, section 3.5, kernel sizes",
        [
            96 * 11 * 11 * 3,
            256 * 5 * 5 * 48,
            384 * 3 * 3 * 256,
            384 * 3 * 3 * 192,
            256 * 3 * 3 * 192,
            4096 * 6 * 6 * 256,
            4096 * 4096,
            1000 * 4096,
        ],
        Function(alexnet_weights),
    ),
    Figure(
        "alexnet-neurons",
        "Neurons of AlexNet by layer",
        f"{KRIZHEVSKY}, figure 2",
        [253_440, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000],
        Function(alexnet_neurons),
        cause="96 maps of 55 × 55 make 290,400; the paper's 253,440 is not 96 times a square.",
    ),
    Figure(
        "resnet-20-parameters",
        "Parameters of ResNet-20",
        f"{HE}, table 6",
        270_000,
        Function(resnet_20_parameters),
        tolerance=5000,
        printed="0.27 million",
    ),
    Figure(
        "efficientnet-parameters",
        "Parameters of EfficientNet-Lite0",
        "tensorflow/tpu, EfficientNet-Lite README",
        4_700_000,
        Function(efficientnet_parameters),
        tolerance=50_000,
        printed="4.7 million",
    ),
    # Dimensions of descriptors.
    Figure(
        "hog-dimensions",
        "HOG of 64 × 128 pixels: 7 × 15 blocks of 36",
        "Dalal and Triggs, CVPR 2005",
        3780,
        Expression(
            "featx.HOG(cells_per_block=(2, 2)).transform(np.zeros((1, 128, 64, 1))).shape[1]"
        ),
    ),
    Figure(
        "uoctti-dimensions",
        "HOG of part models: dimensions per cell",
        "Felzenszwalb et al., IEEE TPAMI 32(9), 2010",
        31,
        Expression("featx.HOG(variant='uoctti').transform(np.zeros((1, 8, 8, 1))).shape[1]"),
    ),
    Figure(
        "dense-hog-dimensions",
        "HOG of 2 × 2 cells of the SUN database",
        "Xiao et al., CVPR 2010",
        124,
        Expression(f"featx.DenseHOG().transform({GRAY})[0].values.shape[1]"),
    ),
    Figure(
        "sift-dimensions",
        "SIFT: 4 × 4 histograms of 8 orientations",
        "Lowe, IJCV 60(2), 2004, section 6.1",
        128,
        Expression(f"featx.SIFT().transform({GRAY})[0].values.shape[1]"),
    ),
    Figure(
        "opponent-sift-dimensions",
        "OpponentSIFT: three channels of SIFT",
        SANDE,
        384,
        Expression("featx.ColorSIFT('opponent').transform(noise[:1])[0].values.shape[1]"),
    ),
    Figure(
        "hue-sift-dimensions",
        "HueSIFT: SIFT and 37 hues",
        f"{SANDE}; the authors' ColorDescriptor",
        165,
        Expression("featx.ColorSIFT('hue').transform(noise[:1])[0].values.shape[1]"),
    ),
    Figure(
        "gist-dimensions",
        "GIST: 4 scales, 8 orientations, 4 × 4 blocks",
        f"{OLIVA}; the authors' LMgist",
        512,
        Expression(f"featx.GIST().transform({GRAY}).shape[1]"),
    ),
    Figure(
        "gist-gray-dimensions",
        "GIST of 8, 8 and 4 orientations, gray",
        f"{DOUZE}; lear_gist",
        320,
        Expression(f"featx.GIST((8, 8, 4)).transform({GRAY}).shape[1]"),
    ),
    Figure(
        "gist-color-dimensions",
        "GIST of 8, 8 and 4 orientations, three channels",
        f"{DOUZE}; lear_gist",
        960,
        Expression("featx.GIST((8, 8, 4)).transform(noise[:1]).shape[1]"),
    ),
    Figure(
        "lbp-rotation-invariant",
        "Rotation-invariant patterns of 8 points",
        OJALA,
        36,
        Expression(f"featx.LBP(8, 1, 'ror').transform({GRAY}).shape[1]"),
    ),
    Figure(
        "lbp-uniform",
        "Rotation-invariant uniform patterns of 8, 16 and 24 points: P + 2",
        OJALA,
        [10, 18, 26],
        Expression(f"[featx.LBP(p, p // 8).transform({GRAY}).shape[1] for p in (8, 16, 24)]"),
    ),
    Figure(
        "lbp-labels",
        "Uniform patterns of 8 points, and one label for all others: 58 + 1",
        AHONEN,
        59,
        Expression(f"featx.LBP(method='nri_uniform').transform({GRAY}).shape[1]"),
    ),
    Figure(
        "lbp-faces",
        "Uniform patterns in 7 × 7 regions",
        AHONEN,
        2891,
        Expression(f"featx.LBP(8, 2, 'nri_uniform', grid=(7, 7)).transform({GRAY}).shape[1]"),
        printed="49 · 59 = 2,891",
    ),
    Figure(
        "centrist-dimensions",
        "CENTRIST: 31 blocks of 40 components, mean and standard deviation",
        WU,
        1302,
        Expression("featx.CENTRIST().fit_transform(noise[..., :1]).shape[1]"),
    ),
    Figure(
        "edge-directions-dimensions",
        "Edge direction histogram and coherence vector of 72 bins",
        VAILAYA,
        [73, 145],
        Expression(
            f"[featx.EdgeDirections(coherence=c).transform({GRAY}).shape[1] for c in (False, True)]"
        ),
    ),
    Figure(
        "local-color-dimensions",
        "Mean and deviation of three channels in 4 × 4 cells",
        "Clinchant et al., ImagEval 2007",
        96,
        Expression("featx.LocalColor().transform(noise[:1])[0].values.shape[1]"),
    ),
    Figure(
        "harmonic-decay",
        "Weight of the second harmonic in subharmonic summation",
        "Hermes, JASA 83(1), 1988",
        0.84,
        Expression(
            "featx.ToneBank(['A3'], harmonics=2)"
            ".transform(np.sin(2 * np.pi * 440 / 22050 * np.arange(22050))[np.newaxis]).mean()"
        ),
        tolerance=0.005,
    ),
    # Dimensions of encoders.
    Figure(
        "pyramid-cells",
        "Spatial pyramid of levels 0 to 2: cells",
        f"{LAZEBNIK}, section 3",
        21,
        Expression(
            f"featx.BagOfWords(10, pyramid=[(1, 1), (2, 2), (4, 4)]).fit_transform({SIFTS})"
            ".shape[1] / 10"
        ),
    ),
    Figure(
        "pyramid-dimensions",
        "Spatial pyramid of 400 words, levels 0 to 3",
        f"{LAZEBNIK}, section 3",
        34_000,
        Expression(
            "featx.BagOfWords(400, pyramid=[(1, 1), (2, 2), (4, 4), (8, 8)])"
            ".fit_transform(featx.DenseSIFT().transform(noise[:4, ..., :1])).shape[1]"
        ),
    ),
    Figure(
        "vlad-dimensions",
        "VLAD of 64 words of SIFT: Kd",
        "Jégou et al., CVPR 2010, table 1",
        8192,
        Expression(f"featx.VLAD(64).fit_transform({SIFTS}).shape[1]"),
    ),
    Figure(
        "fisher-dimensions",
        "Fisher vector of 16 Gaussians, 64 components and 8 cells: 2Kd per cell",
        "Perronnin, Sánchez and Mensink, ECCV 2010",
        16_384,
        Expression(
            "featx.FisherVector(16, n_components=64, pyramid=[(1, 1), (3, 1), (2, 2)])"
            f".fit_transform({SIFTS}).shape[1]"
        ),
        printed="2 · 16 · 64 · 8 = 16,384",
    ),
    Figure(
        "super-vector-dimensions",
        "Super-vector of 32 words of SIFT: K(d + 1)",
        "Zhou et al., ECCV 2010",
        4128,
        Expression(f"featx.SuperVector(32).fit_transform({SIFTS}).shape[1]"),
        printed="32 · 129 = 4,128",
    ),
    Figure(
        "llc-nonzero",
        "Words that reconstruct one descriptor in LLC: 5 nearest neighbors",
        "Wang et al., CVPR 2010",
        5,
        Expression(
            f"np.count_nonzero(featx.LLC(64).fit({SIFTS}).transform("
            f"featx.DenseSIFT(step=64, bin_sizes=[16]).transform({GRAY})))"
        ),
    ),
    Figure(
        "patch-dictionary-dimensions",
        "Patch dictionary of 100 words in four quarters: 4K",
        COATES,
        400,
        Expression("featx.PatchDictionary(100).fit_transform(noise[:4]).shape[1]"),
        printed="4 · 100 = 400",
    ),
    # Accuracies.
    Figure(
        "edge-directions-1998",
        "Accuracy of edge directions, city against landscape",
        f"{VAILAYA}, abstract",
        93.9,
        Accuracy("edge-directions-1998", "city or landscape"),
        unit="%",
        cause=f"Other photographs: {FOLDS} of scenes8, where the paper leaves out one of 2,716.",
    ),
    Figure(
        "gist-eight-scenes",
        "Accuracy of GIST on eight scenes",
        OLIVA,
        83.7,
        Accuracy("gist-svm", "eight scenes"),
        unit="%",
        cause=f"A support vector machine in place of nearest neighbors; {FOLDS}.",
    ),
    Figure(
        "gist-fifteen-scenes",
        "Accuracy of GIST on fifteen scenes",
        "Later authors, as the recipe `gist-svm` says",
        73.3,
        Accuracy("gist-svm", "fifteen scenes"),
        unit="%",
        cause=f"Images of 256 × 256 pixels and another machine; {FOLDS}.",
    ),
    Figure(
        "spatial-pyramid-fifteen-scenes",
        "Accuracy of the spatial pyramid on fifteen scenes",
        f"{LAZEBNIK}, table 1",
        81.4,
        Accuracy("spatial-pyramid-2006", "fifteen scenes"),
        unit="%",
        cause="1,000 words and three sizes of SIFT, mirrored, instead of 400 words and one size.",
    ),
    Figure(
        "centrist-fifteen-scenes",
        "Accuracy of CENTRIST on fifteen scenes",
        WU,
        83.88,
        Accuracy("centrist", "fifteen scenes"),
        unit="%",
        cause=(
            "Square roots of the histograms, and 80 training images per class instead of 100. The "
            "difference is within our 95 % interval."
        ),
    ),
    Figure(
        "hand-made-fifteen-scenes",
        "Accuracy of mixed hand-made features on fifteen scenes",
        "Xiao et al., CVPR 2010",
        88.1,
        Accuracy("strongest", "fifteen scenes"),
        unit="%",
        cause="Other features: five Fisher vectors and a linear discriminant.",
    ),
    Figure(
        "places-fifteen-scenes",
        "Accuracy of a network trained on scenes, on fifteen scenes",
        "Zhou et al., NIPS 2014",
        90.2,
        Accuracy("transfer-logistic", "fifteen scenes"),
        unit="%",
        cause="EfficientNet-Lite0 of 2020, trained on ImageNet, instead of AlexNet on Places.",
    ),
    Figure(
        "hybrid-fifteen-scenes",
        "Accuracy of a network trained on scenes and objects, on fifteen scenes",
        "Zhou et al., NIPS 2014",
        91.6,
        Accuracy("transfer-logistic", "fifteen scenes"),
        unit="%",
        cause="EfficientNet-Lite0 of 2020 instead of AlexNet on Places and ImageNet.",
    ),
    Figure(
        "lenet-1989-training-error",
        "Error of the 1989 network on its 7,291 training digits after 23 epochs",
        LECUN_1989,
        0.14,
        Measured(usps_training_error),
        unit="%",
        cause=(
            "Plain gradient descent on mini-batches of 8; the paper used a second-order method, "
            "and does not list which maps of H1 a map of H2 sees."
        ),
    ),
    Figure(
        "lenet-1989-test-error",
        "Error of the 1989 network on digits that it was not trained on",
        LECUN_1989,
        5.0,
        Measured(usps_held_out_error),
        digits=1,
        unit="%",
        cause=(
            "A fifth of the training digits is held out. The paper's 2,007 test digits are "
            "harder, and are not in our data."
        ),
    ),
    Figure(
        "lenet-5-test-error",
        "Error of LeNet-5 on MNIST, trained with distortions",
        f"{LECUN_1998}, section III",
        0.8,
        Measured(mnist_held_out_error),
        unit="%",
        tolerance=0.05,
        cause="8,000 training digits instead of 60,000, with batch norm and dropout.",
    ),
    Figure(
        "patch-dictionary-accuracy",
        "Accuracy of the patch dictionary on CIFAR-10",
        COATES,
        77.9,
        Measured(patch_dictionary_accuracy),
        unit="%",
        cause="800 words and 8,000 training images; the paper has 1,600 and 50,000.",
    ),
    Figure(
        "resnet-20-accuracy",
        "Accuracy of ResNet-20 on CIFAR-10",
        f"{HE}, table 6",
        91.25,
        Measured(resnet_20_accuracy),
        unit="%",
        cause=(
            "Half as many maps, and eight epochs of 8,000 images instead of 64,000 steps on 50,000."
        ),
    ),
    Figure(
        "airbench-accuracy",
        "Accuracy of airbench94 on CIFAR-10",
        f"{JORDAN}, section 1",
        94.01,
        Measured(airbench_accuracy),
        unit="%",
        cause=(
            "8,000 training images instead of 50,000. The mean of two runs on an NVIDIA H100 "
            "with torch 2.11."
        ),
    ),
]

#: Figures of the sources that featx cannot reproduce, and why.
NOT_REPRODUCED = {
    "Error in five guesses on ImageNet: NEC-UIUC 28.2 % (2010), ISI 26.2 %, SuperVision 16.4 % and "
    f"15.3 % (2012). {NOTES}, “Modern neural networks”": (
        "The recipes `nec-uiuc-2010` and `isi-2012` and the architecture `alexnet` exist. Training "
        "them needs the 1.2 million images of ImageNet."
    ),
    f"14,197,122 images and 21,841 synsets of ImageNet. {NOTES}, “Modern neural networks”": (
        "featx includes no images of ImageNet."
    ),
    f"Accuracy of the patch dictionary with 4,000 words, 79.6 % of CIFAR-10. {COATES}": (
        "Needs all 50,000 training images; the row above has 8,000, and 800 words."
    ),
    f"Training time of airbench94, 3.29 s on an NVIDIA A100. {JORDAN}, abstract": (
        "Not measured with the paper's 50,000 images. `python benchmarks/networks.py airbench` "
        "measures training on 8,000 images for 120 epochs."
    ),
}


# The page.


def decimals(published: Any) -> int:
    """Return the number of decimals of the published figure, at most three."""
    if isinstance(published, list):
        return max(decimals(one) for one in published)
    return min(3, len(f"{published:.6f}".rstrip("0").split(".")[1]))


def shown(value: Any, digits: int) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, str):
        return value
    if np.ndim(value) > 0:
        inner = ", ".join(shown(one, digits) for one in value)
        return f"[{inner}]" if np.ndim(value[0]) == 0 else inner
    return f"{round(float(value), digits) + 0.0:,.{digits}f}".replace("-", "−")


def agrees(figure: Figure, ours: Any) -> bool:
    """Test whether our figure is within the tolerance of the published one."""
    if ours is None or isinstance(ours, str):
        return ours == figure.published
    if np.shape(ours) != np.shape(figure.published):
        return False
    return float(np.abs(np.subtract(ours, figure.published)).max()) <= figure.tolerance


def difference(figure: Figure, ours: Any) -> str:
    if agrees(figure, ours):
        return "none"
    if ours is None or isinstance(ours, str):
        return ""
    digits = decimals_of(figure)
    by = np.subtract(ours, figure.published)
    if np.ndim(by) > 0:
        return f"{np.count_nonzero(by)} of {np.size(by)} entries"
    unit = " points" if figure.unit == "%" else ""
    return f"{'+' if by > 0 else ''}{shown(by, digits)}{unit}"


def read() -> dict[str, Any]:
    """Compute the figures that take seconds, and read the others."""
    return {figure.key: figure.ours.read(figure.key) for figure in FIGURES}


def row(figure: Figure, ours: Any) -> str:
    digits = decimals_of(figure)
    unit = f" {figure.unit}" if figure.unit else ""
    published = figure.printed or shown(figure.published, digits) + unit
    own = shown(ours, digits) + (unit if ours is not None else "")
    if isinstance(figure.ours, Measured) and ours is not None:
        own += f" ({json.loads(STORED.read_text())[figure.key]['date']})"
    cells = [figure.name, figure.source, published, own]
    apart = difference(figure, ours)
    cells.append(". ".join(part for part in (apart, figure.cause) if part))
    cells.append(f"`{figure.ours.command(figure.key)}`")
    return "| " + " | ".join(cells) + " |"


def decimals_of(figure: Figure) -> int:
    if figure.digits is not None:
        return figure.digits
    return 0 if isinstance(figure.published, str) else decimals(figure.published)


def page(values: dict[str, Any]) -> str:
    """Return the ledger as Markdown."""
    head = ["figure", "source", "published", "featx", "difference and its cause", "command"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    rows += [row(figure, values[figure.key]) for figure in FIGURES]
    intro = (
        "# Reproduction ledger\n\n"
        "Each row compares a figure of the lecture notes or of a cited paper with the figure that "
        "featx computes. `python benchmarks/reproduction.py --write` writes this page.\n\n"
        "A command without `python` is a Python expression, after these lines:\n\n"
        "```python\n"
        "import numpy as np\n"
        "import featx\n\n"
        "noise = np.random.default_rng(0).random((60, 64, 64, 3), np.float32)\n"
        "```\n\n"
        "`tests/test_reproduction.py` computes the figures of expressions and architectures again. "
        "Accuracies and dated figures need real data, in the folder that the environment variable "
        "`FEATX_DATA` names; their commands store them.\n"
    )
    left = "\n".join(f"- {what}. {why}" for what, why in NOT_REPRODUCED.items())
    return "\n".join([intro, *rows]) + f"\n\n## Not reproduced\n\n{left}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = {figure.key: figure for figure in FIGURES}
    parser.add_argument("keys", nargs="*", metavar="KEY", help="figures to compute anew")
    parser.add_argument("--all", action="store_true", help="compute all figures anew")
    parser.add_argument("--write", action="store_true", help="write docs/reproduction.md")
    parser.add_argument("--data", default=os.environ.get("FEATX_DATA"), help="the data folder")
    given = parser.parse_args()
    for key in given.keys:
        if key not in known:
            parser.error(f"{key}: unknown figure. Known: {', '.join(known)}.")
    for key in given.keys or known:
        figure = known[key]
        if figure.ours.measure is not None and (given.all or given.keys):
            if given.data is None:
                parser.error(f"{key}: needs a data folder. Set FEATX_DATA, or use --data.")
            figure.ours.measure(key, Path(given.data))
        ours, digits = figure.ours.read(key), decimals_of(figure)
        print(f"{key}: published {shown(figure.published, digits)}, featx {shown(ours, digits)}")
    if given.write:
        PAGE.write_text(page(read()), encoding="utf-8")


if __name__ == "__main__":
    main()
