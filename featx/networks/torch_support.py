"""What the learned stages need of torch, which is loaded only where they compute."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from featx.core.errors import InputError, MissingDependencyError


def require(*libraries: str) -> None:
    """Raise `ImportError`, in one clear line, before any work, unless the libraries are there."""
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        verb, them = ("are", "them") if len(missing) > 1 else ("is", "it")
        raise MissingDependencyError(
            f"Networks need {' and '.join(missing)}, which {verb} not installed. To install "
            f"{them}: pip install 'featx[learned]'"
        )


def chosen_device(device: str) -> str:
    """Give the device that is meant.

    Raises
    ------
    ValueError
        If it is asked for, and is not there.
    """
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise InputError('device="cuda", but torch finds none. Use device="auto" or "cpu".')
    return "cuda" if there and device == "auto" else device.replace("auto", "cpu")


def seed_generators(seed: int, device: str) -> None:
    """Seed the generators of the processor and of the present GPU, if that is the device.

    ``torch.manual_seed`` seeds those of all GPUs, which ``fork_rng`` does not restore.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def seeded(seed: int = 0, device: str = "cpu") -> Iterator[None]:
    """Draw random numbers from this seed while the block runs, and restore the host's generators.

    Layers draw their weights when they are made, even if these are loaded afterwards.
    """
    import torch

    with torch.random.fork_rng([torch.cuda.current_device()] if device == "cuda" else []):
        seed_generators(seed, device)
        yield


def load_tensors(file: str | Path, what: str) -> Any:
    """Load what torch saved, if it is made of numbers and nothing else.

    Raises
    ------
    ValueError
        If there is no such file, or it holds anything that loading might run.
    """
    import torch

    if not Path(file).is_file():
        raise InputError(f"{file}: there is no such file.")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    # torch raises whatever a broken archive makes it stumble over.
    except Exception:
        raise InputError(
            f"{file}: not {what}, or broken. Only files of numbers, as torch.save writes them, "
            "are opened."
        ) from None
