"""Neural networks as classifiers and as feature extractors."""

import math
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import check_is_fitted

from featx.core.batches import LazyBatch
from featx.core.constraints import Each, HasMethods, Interval, StrOptions, Values, natural, positive
from featx.core.errors import InputError
from featx.core.stage import Batch, ImageStage, Requirements
from featx.networks.checkpoints import purpose_of, read_checkpoint, write_checkpoint
from featx.networks.pretrained_net import LITE0_DEVIATION, LITE0_MEAN
from featx.networks.torch_support import (
    chosen_device,
    require,
    seeded,
)

Float32 = NDArray[np.float32]
_NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
_SHARE = Interval(Real, 0, 1, closed="left")
_SIZE = Interval(Real, None, 10_000, closed="right")
#: Networks with global pooling, which support images of any size.
_OF_ANY_SIZE = ("airbench", "efficientnet-lite0", "resnet-20")
#: Minimum height and width of images.
_LEAST = {"airbench": (9, 9), "alexnet": (15, 15), "lenet-5": (12, 12)}


class ConvNet(ClassifierMixin, ImageStage):
    r"""Neural network classifier whose layer activations are features.

    The network computes a score for each class. It is trained by mini-batch gradient descent on
    the cross-entropy of the softmax of the scores, or on their squared error. `predict` returns
    the class with the highest score, and `transform` the activations of a layer.

    Parameters
    ----------
    architecture : str or torch.nn.Module, default="lenet-5"
        Network: ``two-layer``, ``lenet-1989``, ``lenet-5``, ``alexnet``, ``resnet-20``,
        ``airbench``, or ``efficientnet-lite0``, which starts from the weights of `PretrainedNet`.
        A module must map (n, channels, height, width) to (n, classes); it is copied.
    architecture_params : dict, optional
        Parameters of the named network, such as ``{"batch_norm": False}`` for ``resnet-20``. For
        ``efficientnet-lite0``, ``{"trainable": "last"}`` or a number of blocks.
    layer : str, optional
        Layer whose activations `transform` returns. Defaults to the input of the last dense layer.
        `layer_names` lists the layers of a fitted network.
    optimizer : str, default="adam"
        Optimizer: ``sgd``, ``momentum``, ``nesterov``, ``adagrad``, ``adadelta``, ``rmsprop``,
        ``adam`` or ``adamw``. ``momentum`` and ``nesterov`` use a momentum of 0.9.
    learning_rate : float, default=0.001
        Maximum learning rate.
    weight_decay : float, default=0
        Weight decay of the optimizer, relative to the learning rate.
    schedule : {"constant", "cosine", "linear", "step", "triangle"}, default="cosine"
        Schedule of the learning rate. ``cosine`` and ``linear`` decay to zero. ``step`` divides by
        ten after one half and after three quarters of the training. ``triangle`` increases during
        the first fifth of the steps and then decays to zero.
    initialization : {"uniform", "gaussian", "xavier", "he"}, optional
        Distribution of the initial weights, for layers with :math:`n` inputs and :math:`m`
        outputs. ``uniform`` is uniform within :math:`\pm 1/\sqrt n`, and ``xavier`` within
        :math:`\pm\sqrt{6/(n+m)}`. ``gaussian`` has a standard deviation of 0.01, and ``he`` of
        :math:`\sqrt{2/n}`. Defaults to the initialization of the architecture.
    loss : {"cross_entropy", "squared_error"}, default="cross_entropy"
        Loss function. ``squared_error`` is half the squared distance of the scores from 1 for the
        class and -1 for the others.
    label_smoothing : float, default=0
        Fraction of the cross-entropy target that is spread over all classes.
    batch_size : int, default=128
        Maximum number of images per batch, in training and in `transform`.
    epochs : int, default=20
        Number of passes over the training images.
    patience : int, optional
        Stop after this many epochs without a decrease of the lowest validation loss, and restore
        the weights of the lowest loss.
    validation_fraction : float, default=0
        Fraction of the images of each class that is held out for validation.
    augmentation : dict, optional
        Random augmentation of the training images in each epoch. Any of ``{"shift": 2, "flip":
        True, "rotate": 10, "zoom": 0.1, "cutout": 8}``, in pixels, degrees and fractions.
    standardize : bool, default=True
        Subtract the mean of each channel of the training images and divide by its standard
        deviation. ``efficientnet-lite0`` uses the values of its ImageNet training.
    checkpoint : str or Path, optional
        File that is written after each epoch. If it exists, training resumes from it.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Device for the computation; ``auto`` is ``cuda`` if available. On a GPU, training uses mixed
        precision (bfloat16).
    verbose : bool, default=False
        Print a line per epoch to standard error.
    random_state : int, default=0
        Random seed of the weights, the order of images, the augmentation, and dropout.

    Attributes
    ----------
    classes_ : ndarray
        Class labels, sorted.
    history_ : dict of str to list
        Metrics, one entry per epoch. The dictionary can be passed to a data frame's constructor.
    weights_ : dict of str to ndarray
        Weights, by their names in torch.
    mean_, deviation_ : ndarray of float32, (channels,)
        Mean and standard deviation that ``standardize`` uses.

    Raises
    ------
    ImportError
        If torch and skorch are not installed: ``pip install 'featx[learned]'``.
    ValueError
        If images differ in size, if ``y`` has only one class, or if the checkpoint belongs to
        another network, other parameters or other images.
    DivergedError
        If the loss becomes NaN or infinite. The weights of the previous epoch are kept, and the
        network can be used.

    Notes
    -----
    Accepts images of one size. Returns vectors. Maps are flattened pixel by pixel, with the
    channels last. ``resnet-20``, ``airbench`` and ``efficientnet-lite0`` also support images of
    other sizes than in training.

    With the same processor, number of threads and seed, training gives the same weights bit for
    bit. This holds also if training resumes from a checkpoint. The last digits of activations
    depend on the other images in the batch.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ConvNet
    >>> rng = np.random.default_rng(0)
    >>> images = rng.random((60, 8, 8, 1), dtype=np.float32)
    >>> images[:30, :, 3] += 1  # the first class has a bright row
    >>> network = ConvNet("two-layer", epochs=10, learning_rate=0.01)
    >>> network.fit(images, ["row"] * 30 + ["none"] * 30).predict(images[[0, 59]])
    array(['row', 'none'], dtype='<U4')
    >>> network.transform(images).shape
    (60, 100)
    """

    takes = "maps"
    gives = "vectors"
    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "architecture": [
            StrOptions(
                {
                    "airbench",
                    "alexnet",
                    "efficientnet-lite0",
                    "lenet-1989",
                    "lenet-5",
                    "resnet-20",
                    "two-layer",
                }
            ),
            HasMethods(["forward", "state_dict"]),
        ],
        "architecture_params": [Values(_SIZE, str, Each(_SIZE)), None],
        "layer": [str, None],
        "optimizer": [
            StrOptions(
                {
                    "sgd",
                    "momentum",
                    "nesterov",
                    "adagrad",
                    "adadelta",
                    "rmsprop",
                    "adam",
                    "adamw",
                }
            )
        ],
        "learning_rate": [positive],
        "weight_decay": [_NOT_NEGATIVE],
        "schedule": [StrOptions({"constant", "cosine", "linear", "step", "triangle"})],
        "initialization": [StrOptions({"uniform", "gaussian", "xavier", "he"}), None],
        "loss": [StrOptions({"cross_entropy", "squared_error"})],
        "label_smoothing": [_SHARE],
        "batch_size": [natural],
        "epochs": [natural],
        "patience": [natural, None],
        "validation_fraction": [_SHARE],
        "augmentation": [dict, None],
        "standardize": ["boolean"],
        "checkpoint": [str, Path, None],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
        "verbose": ["boolean"],
        "random_state": [Interval(Integral, 0, 2**32 - 1, closed="both")],
    }

    def __init__(
        self,
        architecture: Any = "lenet-5",
        architecture_params: Mapping[str, Any] | None = None,
        *,
        layer: str | None = None,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        initialization: str | None = None,
        loss: str = "cross_entropy",
        label_smoothing: float = 0.0,
        batch_size: int = 128,
        epochs: int = 20,
        patience: int | None = None,
        validation_fraction: float = 0.0,
        augmentation: Mapping[str, Any] | None = None,
        standardize: bool = True,
        checkpoint: str | Path | None = None,
        device: str = "auto",
        verbose: bool = False,
        random_state: int = 0,
    ) -> None:
        self.architecture = architecture
        self.architecture_params = architecture_params
        self.layer = layer
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.schedule = schedule
        self.initialization = initialization
        self.loss = loss
        self.label_smoothing = label_smoothing
        self.batch_size = batch_size
        self.epochs = epochs
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.augmentation = augmentation
        self.standardize = standardize
        self.checkpoint = checkpoint
        self.device = device
        self.verbose = verbose
        self.random_state = random_state

    def _requirements(self) -> Requirements:
        if self.patience is not None and self.validation_fraction == 0:
            raise InputError(
                "ConvNet: patience requires validation images. Set validation_fraction, for "
                "example to 0.1."
            )
        named = isinstance(self.architecture, str)
        return Requirements(_LEAST.get(self.architecture, (1, 1)) if named else (1, 1))

    # Training.

    def _fit(self, images: LazyBatch, y: Any) -> None:
        require("torch", "skorch")
        from featx.networks import augmentation
        from featx.networks.training import Training

        self.__dict__.pop("_networks", None)
        augmentation.check(self.augmentation or {})
        self.classes_, numbers = self._classes(y, len(images))
        pixels = self._pixels(images)
        purpose = {}
        if self.checkpoint is not None:
            purpose = purpose_of(self.get_params(deep=False), pixels, numbers)
        train, held_out = self._hold_out(numbers)
        self.mean_, self.deviation_ = self._moments(pixels, train)
        plan = self._plan()
        examples = self._dataset(pixels, numbers, train, plan.device)
        validation = None
        if len(held_out):
            validation = self._dataset(pixels, numbers, held_out, plan.device)
        module = self._untrained(examples)
        training = Training(
            module, examples, validation, plan, lambda state: self._keep(state, purpose)
        )
        if self.checkpoint is not None and Path(self.checkpoint).exists():
            training.state = read_checkpoint(self.checkpoint, purpose)
        try:
            training.run()
        finally:
            # Keep the weights of the last epoch, also after an error or an interrupt.
            self.weights_ = {name: value.numpy() for name, value in training.weights.items()}
            self.history_ = _columns(training.state["history"])

    def _hold_out(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Split the indices of the images into training and validation indices."""
        places = np.arange(len(numbers))
        if self.validation_fraction == 0:
            return places, np.array([], np.int64)
        train, held_out = train_test_split(
            places,
            test_size=self.validation_fraction,
            stratify=numbers,
            random_state=self.random_state,
        )
        return train, held_out

    def _dataset(
        self, pixels: Float32, numbers: NDArray[np.int64], chosen: NDArray[np.int64], device: str
    ) -> Any:
        """Return the chosen images, standardized, and their classes.

        If all images are chosen, they are standardized in place.
        """
        import torch
        from torch.utils.data import TensorDataset

        if len(chosen) < len(pixels):
            pixels, numbers = pixels[chosen], numbers[chosen]
        images, classes, mean, deviation = (
            torch.from_numpy(part).to(device)
            for part in (pixels, numbers, self.mean_, self.deviation_)
        )
        return TensorDataset(images.sub_(mean).div_(deviation), classes)

    def _untrained(self, examples: Any) -> Any:
        """Return the network with its initial weights."""
        from featx.networks.training import initialize

        with seeded(self.random_state):
            module = self._module()
            if self.initialization is not None:
                initialize(module, self.initialization)
        if hasattr(module, "begin_with"):
            some = examples.tensors[0][:: math.ceil(len(examples) / 1000)]
            module.begin_with(some.permute(0, 3, 1, 2).cpu())
        return module

    def _plan(self) -> Any:
        """Return the training parameters."""
        from featx.networks.training import Plan

        parameters = self.get_params(deep=False) | {
            "augmentation": self.augmentation or {},
            "device": chosen_device(self.device),
            "seed": self.random_state,
        }
        return Plan(**{name: parameters[name] for name in Plan.__dataclass_fields__})

    def _classes(self, y: Any, count: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        if y is None:
            raise InputError("ConvNet: fit requires labels. Pass one label per image: fit(X, y).")
        if len(y) != count:
            raise InputError(
                f"ConvNet: got {count} images, but {len(y)} labels. Pass one label per image."
            )
        classes, numbers = np.unique(np.asarray(y), return_inverse=True)
        if len(classes) < 2:
            raise InputError(
                f"ConvNet: y has only one class, {str(classes[0])!r}. At least two classes are "
                "required."
            )
        return classes, numbers.astype(np.int64)

    def _pixels(self, images: LazyBatch) -> Float32:
        pixels = np.empty((len(images), *self.input_shape_), np.float32)
        for index, image in enumerate(images):
            if image.shape != self.input_shape_:
                raise InputError(
                    f"ConvNet: training images must have the same size, but image 0 is "
                    f"{_size(self.input_shape_)} and image {index} is {_size(image.shape)}. Use "
                    "ReadImages(size=(32, 32))."
                )
            pixels[index] = image
        return pixels

    def _moments(self, pixels: Float32, train: NDArray[np.int64]) -> tuple[Float32, Float32]:
        """Compute the mean and standard deviation of each channel."""
        import torch

        channels = pixels.shape[3]
        if not self.standardize:
            return np.zeros(channels, np.float32), np.ones(channels, np.float32)
        if self.architecture == "efficientnet-lite0":
            return LITE0_MEAN, LITE0_DEVIATION
        blocks = np.array_split(train, -(-len(train) // 256))  # blocks save memory
        count = pixels[0, ..., 0].size * len(train)

        def values(block: NDArray[np.int64]) -> Any:
            return torch.from_numpy(pixels[block]).double()

        mean: Any = sum(values(block).sum((0, 1, 2)) for block in blocks) / count
        squares: Any = sum((values(b) - mean).square_().sum((0, 1, 2)) for b in blocks) / count
        deviation = torch.where(squares > 0, squares.sqrt(), 1.0)
        return mean.float().numpy(), deviation.float().numpy()

    def _keep(self, state: dict[str, Any], purpose: dict[str, str]) -> None:
        if self.checkpoint is not None:
            write_checkpoint(self.checkpoint, state, purpose)

    # Inference.

    def predict(self, X: Batch) -> NDArray[Any]:
        """Predict the class of each image."""
        classes: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return classes

    def predict_proba(self, X: Batch) -> NDArray[np.float64]:
        """Predict class probabilities, the softmax of the scores, in the order of ``classes_``."""
        scores = self.decision_function(X).astype(np.float64)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    def decision_function(self, X: Batch) -> Float32:
        """Compute the class scores of each image, in the order of ``classes_``."""
        self.check_parameters()
        check_is_fitted(self)
        images = self.check_items(X)
        scores = np.empty((len(images), len(self.classes_)), np.float32)
        for index, row in enumerate(self._computed(images, "")):
            scores[index] = row
        return scores

    @property
    def n_features_in_(self) -> int:
        """Number of values of an image."""
        return int(np.prod(self.input_shape_))

    @property
    def layer_names(self) -> list[str]:
        """Names of the layers, in the order of `torch.nn.Module.named_modules`."""
        check_is_fitted(self)
        with seeded():
            return [name for name, _ in self._module().named_modules() if name]

    def network(self) -> Any:
        """Return the trained torch module; its input is standardized (n, channels, height, width).

        The module has a copy of the weights.
        """
        import torch

        check_is_fitted(self)
        with seeded():
            module = self._module()
        weights = {name: torch.from_numpy(value.copy()) for name, value in self.weights_.items()}
        module.load_state_dict(weights)
        return module.eval()

    def _transform_batch(self, images: Iterable[Any]) -> Iterator[Float32]:
        return self._computed(images, self.layer)

    def _transform_one(self, image: Any) -> Float32:
        return next(self._computed([image], self.layer))

    def _computed(self, images: Iterable[Any], layer: str | None) -> Iterator[Float32]:
        """Compute the activations of a layer, or the class scores if ``layer`` is empty."""
        from featx.networks.layers import batches_of_one_size, run

        network = self._ready(layer)
        for batch in batches_of_one_size(map(self._checked_shape, images), self.batch_size):
            yield from run(
                network, (batch - self.mean_) / self.deviation_, chosen_device(self.device)
            )

    def _ready(self, layer: str | None) -> Any:
        """Return the network truncated after a layer, from a cache that is not pickled."""
        from featx.networks.layers import UpToLayer

        networks = self.__dict__.setdefault("_networks", {})
        if layer not in networks:
            module = self.network()
            ready = module if layer == "" else UpToLayer(module, layer)
            networks[layer] = ready.to(chosen_device(self.device))
        return networks[layer]

    def _checked_shape(self, image: Float32) -> Float32:
        any_size = isinstance(self.architecture, str) and self.architecture in _OF_ANY_SIZE
        place = slice(2 if any_size else 0, 3)
        if image.shape[place] != self.input_shape_[place]:
            raise InputError(
                f"ConvNet: the image is {_size(image.shape)}, expected {_size(self.input_shape_)} "
                "as in fit."
            )
        return image

    def _module(self) -> Any:
        """Build the untrained network."""
        require("torch", "skorch")
        from featx.networks.architectures import build

        if not isinstance(self.architecture, str):
            return deepcopy(self.architecture)
        shape = self.input_shape_
        return build(self.architecture, shape, len(self.classes_), self.architecture_params)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "weights_")

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_networks"}


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))


def _columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Convert a list of rows to a dictionary of columns."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else [])}
