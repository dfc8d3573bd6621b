"""Checkpoint files, from which the training of a network resumes."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import featx
from featx.core.errors import ModelError
from featx.io.formats import check_format, parameter_problems, stamp, version_of
from featx.io.writing import new_file
from featx.networks.torch_support import load_tensors

#: Format version of `write_checkpoint`; `read_checkpoint` also reads earlier versions.
FORMAT = 1
#: Parameters that may differ between a checkpoint and the resumed training.
_BESIDE_TRAINING = ("checkpoint", "device", "layer", "verbose")
_DIGEST = "the digest of images and labels"


def purpose_of(
    parameters: Mapping[str, Any], pixels: NDArray[np.float32], numbers: NDArray[np.int64]
) -> dict[str, str]:
    """Return the parameters, and a digest of the images and labels, that identify a training."""
    purpose = {
        name: repr(value) for name, value in parameters.items() if name not in _BESIDE_TRAINING
    }
    digest = hashlib.sha256(pixels.data)
    digest.update(numbers.data)
    return {**purpose, _DIGEST: digest.hexdigest()[:16]}


def write_checkpoint(file: str | Path, state: dict[str, Any], purpose: dict[str, str]) -> None:
    """Write the state of a training, replacing an earlier checkpoint."""
    import torch

    about = json.dumps({**stamp(FORMAT), "purpose": purpose})
    with new_file(file) as unfinished:
        torch.save({"featx": about, **state}, unfinished)


def read_checkpoint(file: str | Path, purpose: dict[str, str]) -> dict[str, Any]:
    """Read the state of a training.

    Raises
    ------
    ModelError
        If the file is not a checkpoint, belongs to another training, or has a newer format.
    """
    loaded = load_tensors(file, "a checkpoint of ConvNet")
    try:
        state: dict[str, Any] = {**loaded}
        about = json.loads(state.pop("featx"))
        if type(about["format"]) is not int:
            raise TypeError
        check_format(file, about, FORMAT, ModelError)
        there: dict[str, str] = dict(about["purpose"])
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError):
        raise ModelError(f"{file}: not a checkpoint of ConvNet.") from None
    if problem := " and ".join(parameter_problems("ConvNet", there, purpose)):
        version = version_of(about)
        raise ModelError(
            f"{file}: {problem}. It was written by featx {version}, and this is featx "
            f"{featx.__version__}. Resume it with the version that wrote it: pip install "
            f"featx=={version}."
        )
    for name, value in purpose.items():
        if there[name] != value:
            raise ModelError(
                f"{file}: the checkpoint belongs to another training: {name} is {there[name]}, "
                f"expected {value}. Remove it, or set checkpoint to another file."
            )
    return state
