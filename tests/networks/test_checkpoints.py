import hashlib
import json

import numpy as np
import pytest
import torch

from featx import __version__
from featx.core.errors import ModelError
from featx.networks.checkpoints import purpose_of, read_checkpoint, write_checkpoint

PIXELS, NUMBERS = np.zeros((2, 3, 3, 1), np.float32), np.array([0, 1])
PURPOSE = purpose_of({"epochs": 2, "verbose": True}, PIXELS, NUMBERS)
STATE = {"module": {"weight": torch.arange(6.0)}, "optimizer": None, "history": [], "best": None}


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "training.pt"
    write_checkpoint(file, STATE, PURPOSE)
    return file


def edit(file, **about):
    """Change what a checkpoint says of itself."""
    state = torch.load(file, weights_only=True)
    state["featx"] = json.dumps(json.loads(state["featx"]) | about)
    torch.save(state, file)


def refusal(file, purpose=PURPOSE):
    with pytest.raises(ModelError) as error:
        read_checkpoint(file, purpose)
    return str(error.value)


def test_what_is_written_is_read(file):
    found = read_checkpoint(file, PURPOSE)
    assert found.pop("module")["weight"].tolist() == [0, 1, 2, 3, 4, 5]
    assert found == {"optimizer": None, "history": [], "best": None}
    about = json.loads(torch.load(file, weights_only=True)["featx"])
    assert about == {"format": 1, "featx_version": __version__, "purpose": PURPOSE}
    digest = hashlib.sha256(PIXELS.tobytes() + NUMBERS.tobytes()).hexdigest()[:16]
    assert {"epochs": "2", "the digest of images and labels": digest} == PURPOSE


def test_another_version_may_resume(file):
    edit(file, featx_version="0.0.9")
    assert read_checkpoint(file, PURPOSE)["history"] == []


def test_another_purpose(file):
    other = purpose_of({"epochs": 3, "verbose": False}, PIXELS, NUMBERS)
    assert refusal(file, other) == (
        f"{file}: the checkpoint belongs to another training: epochs is 2, expected 3. Remove it, "
        "or set checkpoint to another file."
    )
    there, here = (
        purpose_of({"epochs": 2}, PIXELS, numbers)["the digest of images and labels"]
        for numbers in (NUMBERS, 1 - NUMBERS)
    )
    assert refusal(file, purpose_of({"epochs": 2}, PIXELS, 1 - NUMBERS)) == (
        f"{file}: the checkpoint belongs to another training: the digest of images and labels is "
        f"{there}, expected {here}. Remove it, or set checkpoint to another file."
    )


def test_a_parameter_that_was_renamed(file):
    edit(file, featx_version="0.0.9")
    assert refusal(file, purpose_of({"rounds": 2}, PIXELS, NUMBERS)) == (
        f"{file}: ConvNet has no parameter 'epochs' and a value for the parameter 'rounds' of "
        f"ConvNet is missing. It was written by featx 0.0.9, and this is featx {__version__}. "
        "Resume it with the version that wrote it: pip install featx==0.0.9."
    )


def test_a_newer_format(file):
    edit(file, format=2, featx_version="9.1", purpose=None)
    assert refusal(file) == (
        f"{file}: written by featx 9.1 in format 2, but this version, featx {__version__}, reads "
        "only format 1. Upgrade featx: pip install --upgrade featx."
    )


@pytest.mark.parametrize(
    "state",
    [
        [1, 2],
        torch.ones(3),
        {"weights": torch.ones(3)},
        {"featx": "nonsense"},
        {"featx": "[]"},
        {"featx": "{}"},
        {"featx": 1},
        {"featx": '{"format": "1"}'},
        {"featx": '{"format": true}'},
        {"featx": '{"format": 1}'},
        {"featx": '{"format": 1, "purpose": null}'},
    ],
)
def test_what_is_no_checkpoint(tmp_path, state):
    file = tmp_path / "training.pt"
    torch.save(state, file)
    assert refusal(file) == f"{file}: not a checkpoint of ConvNet."
