"""Helpers for torch, which is imported only when a network computes."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from featx.core.errors import InputError, MissingDependencyError


def require(*libraries: str) -> None:
    """Raise `ImportError` unless the libraries are installed."""
    missing = [library for library in libraries if find_spec(library) is None]
    if missing:
        verb, them = ("are", "them") if len(missing) > 1 else ("is", "it")
        raise MissingDependencyError(
            f"Networks require {' and '.join(missing)}, which {verb} not installed. To install "
            f"{them}: pip install 'featx[learned]'"
        )


def chosen_device(device: str) -> str:
    """Return the device to use, ``cpu`` or ``cuda``.

    Raises
    ------
    ValueError
        If ``cuda`` is requested but not available.
    """
    import torch

    there = torch.cuda.is_available()
    if device == "cuda" and not there:
        raise InputError('device="cuda": torch finds no GPU. Use device="auto" or "cpu".')
    return "cuda" if there and device == "auto" else device.replace("auto", "cpu")


def seed_generators(seed: int, device: str) -> None:
    """Seed the generators of the processor and, if it is the device, of the current GPU.

    ``torch.manual_seed`` would seed all GPUs, but ``fork_rng`` restores only the current one.
    """
    import torch

    torch.default_generator.manual_seed(seed)
    if device == "cuda":
        torch.cuda.manual_seed(seed)


@contextmanager
def seeded(seed: int = 0, device: str = "cpu") -> Iterator[None]:
    """Seed torch's generators for the duration of the block, and restore their states afterwards.

    Layers draw random weights when they are created, even if weights are loaded afterwards.
    """
    import torch

    with torch.random.fork_rng([torch.cuda.current_device()] if device == "cuda" else []):
        seed_generators(seed, device)
        yield


def load_tensors(file: str | Path, what: str) -> Any:
    """Load a file of tensors written by `torch.save`, without executing code from it.

    Raises
    ------
    ValueError
        If the file does not exist, is damaged, or contains objects that could execute code.
    """
    import torch

    if not Path(file).is_file():
        raise InputError(f"{file}: the file does not exist.")
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    # A damaged archive can raise any exception in torch.
    except Exception:
        raise InputError(
            f"{file}: not {what}, or damaged. A file of tensors, written by torch.save, is "
            "required."
        ) from None
