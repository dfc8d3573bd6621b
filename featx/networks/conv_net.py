"""Networks as a classifier and as a stage that gives the activations of their layers."""

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
#: Networks in which no dense layer takes all places of a map.
_OF_ANY_SIZE = ("airbench", "efficientnet-lite0", "resnet-20")
#: The least height and width that networks can take.
_LEAST = {"airbench": (9, 9), "alexnet": (15, 15), "lenet-5": (12, 12)}


class ConvNet(ClassifierMixin, ImageStage):
    r"""A network that is trained to tell classes apart; its layers are features.

    The network gives a score for each class, and is trained by descent on the mean over
    mini-batches of the cross-entropy of their softmax, or of the squared error. `predict` gives
    the class of the highest score, and `transform` the activations of a layer.

    Parameters
    ----------
    architecture : str or torch.nn.Module, default="lenet-5"
        ``two-layer``, ``lenet-1989``, ``lenet-5``, ``alexnet``, ``resnet-20``, ``airbench``;
        ``efficientnet-lite0``, which goes on from the weights of `PretrainedNet`; or a module from
        (n, channels, height, width) to (n, classes), which is copied.
    architecture_params : dict, optional
        The named network's own parameters, such as ``{"batch_norm": False}`` of ``resnet-20``, or
        ``{"trainable": "last"}`` or a number of blocks of ``efficientnet-lite0``.
    layer : str, optional
        The layer whose activations `transform` gives; by default what the last dense layer takes.
        `layer_names` lists them, once the network is fitted.
    optimizer : str, default="adam"
        ``sgd``, ``momentum``, ``nesterov``, ``adagrad``, ``adadelta``, ``rmsprop``, ``adam`` or
        ``adamw``: how steps follow from gradients; the momentum is 0.9.
    learning_rate : float, default=0.001
        The length of a step, at its greatest.
    weight_decay : float, default=0
        What is taken from the weights in each step, in units of the learning rate.
    schedule : {"constant", "cosine", "linear", "step", "triangle"}, default="cosine"
        The course of the learning rate: ``cosine`` and ``linear`` fall to zero, ``step`` falls to
        a tenth at a half and again at three quarters, ``triangle`` rises for a fifth of all
        steps and falls to zero.
    initialization : {"uniform", "gaussian", "xavier", "he"}, optional
        Draw the weights of layers with :math:`n` inputs and :math:`m` outputs uniform within
        :math:`\pm 1/\sqrt n`, Gaussian of deviation 0.01, uniform within
        :math:`\pm\sqrt{6/(n+m)}`, or Gaussian of deviation :math:`\sqrt{2/n}`; by default, as the
        architecture does.
    loss : {"cross_entropy", "squared_error"}, default="cross_entropy"
        ``squared_error`` is half the squared distance of the scores from 1 for the class and -1
        for the others.
    label_smoothing : float, default=0
        The share of the cross-entropy's target that is spread over all classes.
    batch_size : int, default=128
        How many images a step, or `transform`, takes at most.
    epochs : int, default=20
        How often each image is seen.
    patience : int, optional
        End after so many epochs in which the validation loss did not fall below its least, and
        take the weights of that.
    validation_fraction : float, default=0
        The share of the images, of each class, that is held out to be watched.
    augmentation : dict, optional
        How training images are changed each time: ``{"shift": 2, "flip": True, "rotate": 10,
        "zoom": 0.1, "cutout": 8}``, in pixels, degrees and fractions; any of these.
    standardize : bool, default=True
        Subtract the mean of each channel of the training images and divide by its deviation;
        for ``efficientnet-lite0``, those of its first training.
    checkpoint : str or Path, optional
        A file that is written after each epoch; if it is there, training goes on from it.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute; ``auto`` is ``cuda`` if there is such a device. There, training has half
        precision where that does no harm (bfloat16).
    verbose : bool, default=False
        Write a line for each epoch to standard error.
    random_state : int, default=0
        Seeds the weights, the order of images, their changes, and dropout.

    Attributes
    ----------
    classes_ : ndarray
        The classes, sorted.
    history_ : dict of str to list
        A column for each figure, an entry for each epoch: a data frame's constructor takes it.
    weights_ : dict of str to ndarray
        The weights, by the names that torch gives them.
    mean_, deviation_ : ndarray of float32, (channels,)
        What ``standardize`` subtracts, and divides by.

    Raises
    ------
    ImportError
        If torch and skorch are not installed: ``pip install 'featx[learned]'``.
    ValueError
        If images are not of one size, there is only one class, or the checkpoint is of another
        network, of other parameters or of other images.
    DivergedError
        If the loss is no number any more; the weights of the epoch before are kept, and the
        network can be used.

    Notes
    -----
    Takes images of one size; gives vectors: of a layer of maps, the values of its channels, pixel
    by pixel and row by row. ``resnet-20``, ``airbench`` and ``efficientnet-lite0`` also take
    images of other sizes than they were trained on.

    On one processor, and with so many threads, the same seed gives the same weights, bit for bit;
    so does training that was interrupted and goes on from its checkpoint. Activations depend on
    the other images of a batch by their last digits.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import ConvNet
    >>> rng = np.random.default_rng(0)
    >>> images = rng.random((60, 8, 8, 1), dtype=np.float32)
    >>> images[:30, :, 3] += 1  # a bright row, which the others have not
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
                "ConvNet: patience watches the validation loss. Give validation_fraction, too, "
                "such as 0.1."
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
            # Whatever ended it, the network is as good as after its last epoch.
            self.weights_ = {name: value.numpy() for name, value in training.weights.items()}
            self.history_ = _columns(training.state["history"])

    def _hold_out(self, numbers: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Split the positions of the images into those to train on and those to validate on."""
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
        """Return the chosen images, standardized, and their classes; all images in place."""
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
        """Return the network with the weights that training begins with."""
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
        """Return how to train, by the parameters of the network."""
        from featx.networks.training import Plan

        parameters = self.get_params(deep=False) | {
            "augmentation": self.augmentation or {},
            "device": chosen_device(self.device),
            "seed": self.random_state,
        }
        return Plan(**{name: parameters[name] for name in Plan.__dataclass_fields__})

    def _classes(self, y: Any, count: int) -> tuple[NDArray[Any], NDArray[np.int64]]:
        if y is None:
            raise InputError("ConvNet learns from labels: give one for each image, as fit(X, y).")
        if len(y) != count:
            raise InputError(f"ConvNet got {count} images, but {len(y)} labels.")
        classes, numbers = np.unique(np.asarray(y), return_inverse=True)
        if len(classes) < 2:
            raise InputError(
                f"ConvNet needs images of two classes at least, but all are {str(classes[0])!r}."
            )
        return classes, numbers.astype(np.int64)

    def _pixels(self, images: LazyBatch) -> Float32:
        pixels = np.empty((len(images), *self.input_shape_), np.float32)
        for index, image in enumerate(images):
            if image.shape != self.input_shape_:
                raise InputError(
                    f"ConvNet is trained on images of one size, but image 0 is "
                    f"{_size(self.input_shape_)} and image {index} is {_size(image.shape)}. Use "
                    "ReadImages(size=(32, 32))."
                )
            pixels[index] = image
        return pixels

    def _moments(self, pixels: Float32, train: NDArray[np.int64]) -> tuple[Float32, Float32]:
        """Compute what standardizes each channel."""
        import torch

        channels = pixels.shape[3]
        if not self.standardize:
            return np.zeros(channels, np.float32), np.ones(channels, np.float32)
        if self.architecture == "efficientnet-lite0":
            return LITE0_MEAN, LITE0_DEVIATION
        blocks = np.array_split(train, -(-len(train) // 256))  # all at once needs twice the memory
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

    # Using what was learned.

    def predict(self, X: Batch) -> NDArray[Any]:
        """Tell the class of every image."""
        classes: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return classes

    def predict_proba(self, X: Batch) -> NDArray[np.float64]:
        """Compute the softmax of the scores of every image, in the order of ``classes_``."""
        scores = self.decision_function(X).astype(np.float64)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        probabilities: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
        return probabilities

    def decision_function(self, X: Batch) -> Float32:
        """Compute the scores of every image, in the order of ``classes_``."""
        self.check_parameters()
        check_is_fitted(self)
        images = self.check_items(X)
        scores = np.empty((len(images), len(self.classes_)), np.float32)
        for index, row in enumerate(self._computed(images, "")):
            scores[index] = row
        return scores

    @property
    def n_features_in_(self) -> int:
        """The number of values of an image."""
        return int(np.prod(self.input_shape_))

    @property
    def layer_names(self) -> list[str]:
        """The names of the layers, in their order."""
        check_is_fitted(self)
        with seeded():
            return [name for name, _ in self._module().named_modules() if name]

    def network(self) -> Any:
        """Give the trained torch module, which takes standardized (n, channels, height, width)."""
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
        """Compute a layer's activations, or under ``""`` the scores, of images of any sizes."""
        from featx.networks.layers import batches_of_one_size, run

        network = self._ready(layer)
        for batch in batches_of_one_size(map(self._checked_shape, images), self.batch_size):
            yield from run(
                network, (batch - self.mean_) / self.deviation_, chosen_device(self.device)
            )

    def _ready(self, layer: str | None) -> Any:
        """Give the network that ends with a layer; it is made once, and kept, but in no file."""
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
                f"ConvNet was fitted on images of {_size(self.input_shape_)}, but got one of "
                f"{_size(image.shape)}."
            )
        return image

    def _module(self) -> Any:
        """Make the network, not yet trained."""
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
    """Return rows as columns."""
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else [])}
