"""Checkpoints of the training of a network: files from which it resumes."""

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

#: The format that `write_checkpoint` writes; `read_checkpoint` reads it and all before it.
FORMAT = 1
#: Parameters that may differ between a checkpoint and the training that resumes from it.
_BESIDE_TRAINING = ("checkpoint", "device", "layer", "verbose")
_DIGEST = "the digest of images and labels"


def purpose_of(
    parameters: Mapping[str, Any], pixels: NDArray[np.float32], numbers: NDArray[np.int64]
) -> dict[str, str]:
    """Describe what is trained, how, and on which images: a checkpoint is of one purpose."""
    purpose = {
        name: repr(value) for name, value in parameters.items() if name not in _BESIDE_TRAINING
    }
    digest = hashlib.sha256(pixels.data)
    digest.update(numbers.data)
    return {**purpose, _DIGEST: digest.hexdigest()[:16]}


def write_checkpoint(file: str | Path, state: dict[str, Any], purpose: dict[str, str]) -> None:
    """Write the state of a training, in place of the one before."""
    import torch

    about = json.dumps({**stamp(FORMAT), "purpose": purpose})
    with new_file(file) as unfinished:
        torch.save({"featx": about, **state}, unfinished)


def read_checkpoint(file: str | Path, purpose: dict[str, str]) -> dict[str, Any]:
    """Read the state of a training.

    Raises
    ------
    ModelError
        If it is no checkpoint, or one of another training or of a newer format.
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
                f"{file}: a checkpoint of another training: {name} is {there[name]} there, and "
                f"{value} here. Remove it, or name another file."
            )
    return state
