"""Random augmentation of training images."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from featx.core.errors import InputError
from featx.core.suggestions import nearest

#: Valid values of each augmentation, for error messages.
AUGMENTATIONS = {
    "cutout": "the side of the masked square, in whole pixels",
    "flip": "true, to mirror half of the images",
    "rotate": "the maximum angle, in degrees",
    "shift": "the maximum shift per axis, in whole pixels",
    "zoom": "the maximum change of size, as a fraction",
}


def check(augmentation: Mapping[str, Any]) -> None:
    """Raise `ValueError` unless all names are known and all amounts are positive numbers."""
    for name, amount in augmentation.items():
        if name not in AUGMENTATIONS:
            raise InputError(
                f"ConvNet: unknown augmentation {name!r}. {nearest(name, [*AUGMENTATIONS])}"
            )
        whole = name in ("cutout", "shift")
        if not isinstance(amount, int if whole else int | float) or not amount > 0:
            raise InputError(
                f"ConvNet: the augmentation {name!r} must be {AUGMENTATIONS[name]}, got {amount!r}."
            )


def augment(images: Any, augmentation: Mapping[str, Any]) -> Any:
    """Augment a batch of images (n, height, width, channels), each image independently.

    Pixels outside an image are filled with the nearest border pixel.
    """
    if "rotate" in augmentation or "zoom" in augmentation:
        images = _turned(images, augmentation.get("rotate", 0), augmentation.get("zoom", 0))
    if "shift" in augmentation:
        images = _shifted(images, augmentation["shift"])
    if "flip" in augmentation:
        mirrored = torch.rand(len(images), 1, 1, 1, device=images.device) < 0.5
        images = torch.where(mirrored, images.flip(2), images)
    if "cutout" in augmentation:
        images = _cut_out(images, augmentation["cutout"])
    return images


def _turned(images: Any, degrees: float, zoom: float) -> Any:
    """Rotate by a uniform random angle and scale by a uniform random factor, about the center."""
    n, height, width, _ = images.shape
    angles = math.radians(degrees) * _between_minus_one_and_one(n, images.device)
    factors = 1 + zoom * _between_minus_one_and_one(n, images.device)
    cos, sin = torch.cos(angles) / factors, torch.sin(angles) / factors
    # Grid coordinates are fractions of half the width and half the height.
    turn = torch.zeros(n, 2, 3, device=images.device)
    turn[:, 0, 0], turn[:, 0, 1] = cos, -sin * (height / width)
    turn[:, 1, 0], turn[:, 1, 1] = sin * (width / height), cos
    grid = functional.affine_grid(turn, [n, 1, height, width], align_corners=False)
    maps = images.permute(0, 3, 1, 2)
    turned = functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)
    return turned.permute(0, 2, 3, 1)


def _shifted(images: Any, most: int) -> Any:
    n, height, width, _ = images.shape

    def places(length: int) -> Any:
        ways = torch.randint(-most, most + 1, (n, 1), device=images.device)
        return (torch.arange(length, device=images.device) + ways).clamp(0, length - 1)

    which = torch.arange(n, device=images.device)[:, None, None]
    return images[which, places(height)[:, :, None], places(width)[:, None, :]]


def _cut_out(images: Any, side: int) -> Any:
    """Set a random square, which may extend beyond the image, to zero."""
    n, height, width, _ = images.shape

    def inside(length: int) -> Any:
        first = torch.randint(1 - side, length, (n, 1), device=images.device)
        places = torch.arange(length, device=images.device)
        return (places >= first) & (places < first + side)

    hidden = inside(height)[:, :, None] & inside(width)[:, None, :]
    return images.masked_fill(hidden[..., None], 0.0)


def _between_minus_one_and_one(n: int, device: Any) -> Any:
    return 2 * torch.rand(n, device=device) - 1
