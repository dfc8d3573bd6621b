"""Training of networks: skorch's loop, with a resumable state after each epoch.

The random numbers of an epoch depend only on the seed and the epoch, and the learning rate only on
the progress of the training. A checkpoint therefore needs only the weights, the optimizer's state
and the number of epochs to resume exactly.
"""

import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from warnings import warn

import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from skorch.helper import predefined_split
from torch import nn
from torch.nn import functional
from torch.utils.data import TensorDataset

from featx.core.errors import DivergedError
from featx.networks.augmentation import augment
from featx.networks.torch_support import seed_generators, seeded

#: Optimizer classes and their parameters.
OPTIMIZERS: dict[str, tuple[Any, dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, {}),
    "momentum": (torch.optim.SGD, {"momentum": 0.9}),
    "nesterov": (torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
    "adagrad": (torch.optim.Adagrad, {}),
    "adadelta": (torch.optim.Adadelta, {}),
    "rmsprop": (torch.optim.RMSprop, {}),
    "adam": (torch.optim.Adam, {}),
    "adamw": (torch.optim.AdamW, {}),
}

#: Factor of the learning rate, as a function of the completed fraction of the training.
SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda done: 1.0,
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "step": lambda done: 0.1 ** ((done >= 0.5) + (done >= 0.75)),
    "triangle": lambda done: min(done / 0.2, (1 - done) / 0.8),
}


@dataclass
class Plan:
    """Training parameters."""

    optimizer: str
    learning_rate: float
    weight_decay: float
    schedule: str
    loss: str
    label_smoothing: float
    batch_size: int
    epochs: int
    patience: int | None
    augmentation: Mapping[str, Any]
    seed: int
    device: str
    verbose: bool


class Training:
    """Training of a network on images (n, height, width, channels) and class indices.

    Parameters
    ----------
    module : torch.nn.Module
        Network that maps (n, channels, height, width) to scores.
    examples, validation : TensorDataset
        Images and class indices; ``validation`` may be None.
    plan : Plan
        Training parameters.
    keep : callable
        Called with the state after each epoch, to store it.

    Attributes
    ----------
    state : dict
        Resumable state: weights, optimizer, history, and the best weights so far. Set it before
        `run` to resume.
    """

    def __init__(
        self,
        module: Any,
        examples: Any,
        validation: Any,
        plan: Plan,
        keep: Callable[[dict[str, Any]], object] = lambda state: None,
    ) -> None:
        self.module, self.examples, self.validation = module, examples, validation
        self.plan, self._keep = plan, keep
        self.state: dict[str, Any] = {
            "module": _copied(module.state_dict()),
            "optimizer": None,
            "history": [],
            "best": None,
        }

    @property
    def weights(self) -> dict[str, Any]:
        """Weights after the last epoch or, with patience, of the lowest validation loss."""
        best = self.state["best"] if self.plan.patience is not None else None
        weights: dict[str, Any] = best or self.state["module"]
        return weights

    def run(self) -> None:
        """Train from the current state to the last epoch, or until patience runs out."""
        batch_size = self.plan.batch_size
        while True:
            try:
                self._run(batch_size)
            except torch.OutOfMemoryError:
                if batch_size == 1:
                    raise
                batch_size //= 2
                warn(
                    f"{self.plan.device}: out of memory. Continuing with batches of {batch_size} "
                    f"images from epoch {len(self.state['history']) + 1}.",
                    stacklevel=2,
                )
            else:
                return

    def _run(self, batch_size: int) -> None:
        plan = self.plan
        if plan.device == "cuda":
            torch.cuda.empty_cache()
        optimizer, arguments = OPTIMIZERS[plan.optimizer]
        module = self.module.to(plan.device, memory_format=torch.channels_last)
        module.load_state_dict(self.state["module"])
        loader = {"augmentation": plan.augmentation, "shuffle": True}
        net = _Net(
            module,
            criterion=_SquaredError if plan.loss == "squared_error" else nn.CrossEntropyLoss,
            optimizer=optimizer,
            lr=plan.learning_rate,
            batch_size=batch_size,
            train_split=predefined_split(self.validation) if self.validation else None,
            iterator_train=Batches,
            iterator_valid=Batches,
            device=plan.device,
            verbose=0,
            callbacks=[("course", _Course(self))],
            callbacks__print_log=None,
            callbacks__valid_acc=None,
            optimizer__weight_decay=plan.weight_decay,
            **{f"optimizer__{name}": value for name, value in arguments.items()},
            **{f"iterator_train__{name}": value for name, value in loader.items()},
        )
        if plan.loss == "cross_entropy":
            net.set_params(criterion__label_smoothing=plan.label_smoothing)
        net.initialize()
        if self.state["optimizer"] is not None:
            net.optimizer_.load_state_dict(_copied(self.state["optimizer"]))
        try:
            with seeded(plan.seed, plan.device):
                # net.fit would swallow a KeyboardInterrupt and end the training normally.
                net.fit_loop(self.examples, epochs=plan.epochs - len(self.state["history"]))
        except _EnoughError:
            pass

    def ended(self, net: Any, row: dict[str, Any]) -> None:
        """Record the weights and metrics of an epoch."""
        weights = _copied(net.module_.state_dict())
        if not all(torch.isfinite(w).all() for w in weights.values() if w.is_floating_point()):
            raise self.diverged()
        history = [*self.state["history"], row]
        loss = row.get("validation_loss")
        before = (
            [one["validation_loss"] for one in self.state["history"]] if self.validation else []
        )
        better = loss is not None and loss < min(before, default=math.inf)
        self.state = {
            "module": weights,
            "optimizer": _copied(net.optimizer_.state_dict()),
            "history": history,
            "best": weights if better else self.state["best"],
        }
        self._keep(self.state)
        if self.plan.verbose:
            print(self._line(), file=sys.stderr, flush=True)
        if self.plan.patience is not None and loss is not None:
            losses = [*before, loss]
            if len(losses) - 1 - losses.index(min(losses)) >= self.plan.patience:
                raise _EnoughError

    def diverged(self) -> DivergedError:
        """Return the error for a loss that is NaN or infinite."""
        epoch = len(self.state["history"]) + 1
        kept = f"the weights of epoch {epoch - 1}" if epoch > 1 else "the initial weights"
        return DivergedError(
            f"ConvNet: the loss became NaN or infinite in epoch {epoch}; {kept} are kept. Set "
            f"learning_rate below {self.plan.learning_rate:g}."
        )

    def _line(self) -> str:
        history = self.state["history"]
        row, left = history[-1], self.plan.epochs - len(history)
        seconds = left * sum(one["seconds"] for one in history) / len(history)
        parts = [f"epoch {len(history)}/{self.plan.epochs}"]
        for name in ("training", "validation"):
            if f"{name}_loss" in row:
                loss, accuracy = row[f"{name}_loss"], row[f"{name}_accuracy"]
                parts.append(f"{name} loss {loss:.4f}, accuracy {accuracy:.1%}")
        return "; ".join([*parts, f"{seconds:.0f} s left"])


class _Net(NeuralNetClassifier):
    """Network of skorch with mixed precision on a GPU."""

    def infer(self, x: Any, **parameters: Any) -> Any:
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device == "cuda"):
            return super().infer(x, **parameters)


class _Course(Callback):
    """Callback that seeds each epoch, sets the learning rate of each batch and records metrics."""

    def __init__(self, training: Training) -> None:
        self.training = training

    def on_epoch_begin(self, net: Any, **_: Any) -> None:
        plan = self.training.plan
        self.epoch, self.batch = len(self.training.state["history"]), 0
        self.batches = math.ceil(len(self.training.examples) / net.batch_size)
        self.correct: dict[bool, Any] = {True: 0, False: 0}
        self.loading = 0.0
        self.started = self.ended = time.perf_counter()
        seed_generators((plan.seed << 24) + self.epoch, plan.device)

    def on_batch_begin(self, net: Any, batch: Any = None, training: Any = None, **_: Any) -> None:
        self.loading += time.perf_counter() - self.ended
        if training:
            plan = self.training.plan
            done = (self.epoch + self.batch / self.batches) / plan.epochs
            self.rate = plan.learning_rate * SCHEDULES[plan.schedule](done)
            for group in net.optimizer_.param_groups:
                group["lr"] = self.rate
            self.batch += 1

    def on_batch_end(
        self, net: Any, batch: Any = None, training: bool = False, **step: Any
    ) -> None:
        loss = net.history[-1, "batches", -1, "train_loss" if training else "valid_loss"]
        if not math.isfinite(loss):
            raise self.training.diverged()
        predictions = step["y_pred"].argmax(dim=1)
        # The sum stays on the device: reading it would synchronize with the GPU.
        self.correct[training] += (predictions == batch[1].to(predictions.device)).sum()
        self.ended = time.perf_counter()

    def on_epoch_end(self, net: Any, **_: Any) -> None:
        row = {
            "epoch": self.epoch + 1,
            "learning_rate": self.rate,
            "training_loss": float(net.history[-1, "train_loss"]),
            "training_accuracy": int(self.correct[True]) / len(self.training.examples),
        }
        if self.training.validation:
            row["validation_loss"] = float(net.history[-1, "valid_loss"])
            row["validation_accuracy"] = int(self.correct[False]) / len(self.training.validation)
        row["seconds"] = time.perf_counter() - self.started
        row["loading_seconds"] = self.loading
        self.training.ended(net, row)


class _EnoughError(Exception):
    """Exception that ends the training loop early."""


class _SquaredError(nn.Module):
    """Half the squared distance from 1 for the class and -1 for the others, averaged."""

    def forward(self, scores: Any, classes: Any) -> Any:
        targets = 2 * functional.one_hot(classes, scores.shape[1]).to(scores.dtype) - 1
        return ((scores - targets) ** 2).sum(dim=1).mean() / 2


class Batches:
    """Data loader for skorch, with batches of about equal size.

    Parameters
    ----------
    dataset : TensorDataset
        Images (n, height, width, channels) and classes. Images are yielded as (n, channels,
        height, width).
    batch_size : int
        Maximum number of images per batch. Images are distributed evenly over the batches.
    shuffle : bool, default=False
        Shuffle the images in each epoch.
    augmentation : mapping, optional
        Random augmentation of the images in each epoch.
    """

    def __init__(
        self,
        dataset: TensorDataset,
        batch_size: int,
        shuffle: bool = False,
        augmentation: Mapping[str, Any] | None = None,
    ) -> None:
        self.dataset, self.batch_size = dataset, batch_size
        self.shuffle, self.augmentation = shuffle, augmentation or {}

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        images, classes = self.dataset.tensors
        order = torch.randperm(len(images)) if self.shuffle else torch.arange(len(images))
        for chosen in order.tensor_split(math.ceil(len(images) / self.batch_size)):
            batch = augment(images[chosen], self.augmentation)
            yield batch.permute(0, 3, 1, 2), classes[chosen]


def initialize(module: Any, initialization: str) -> None:
    """Draw the weights of trainable dense and convolutional layers, and set biases to zero."""
    for layer in module.modules():
        if not isinstance(layer, nn.Conv2d | nn.Linear) or not layer.weight.requires_grad:
            continue
        if initialization == "uniform":
            bound = layer.weight[0].numel() ** -0.5
            nn.init.uniform_(layer.weight, -bound, bound)
        elif initialization == "gaussian":
            nn.init.normal_(layer.weight, std=0.01)
        elif initialization == "xavier":
            nn.init.xavier_uniform_(layer.weight)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _copied(state: Any) -> Any:
    """Copy the tensors in nested lists and dictionaries to the processor's memory."""
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, Mapping):
        return {key: _copied(value) for key, value in state.items()}
    return [_copied(value) for value in state] if isinstance(state, list) else state
