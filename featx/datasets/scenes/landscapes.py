"""Landscapes, and trees for landscapes and cities."""

from typing import NamedTuple

import numpy as np

from featx.datasets.scenes import brushes, textures
from featx.datasets.scenes.brushes import Scene


class _Layer(NamedTuple):
    """A layer of a landscape, such as hills, water or a meadow."""

    texture: str
    ramp: str
    #: Range of its top row, and roughness of its outline, relative to the picture's height.
    top: tuple[float, float]
    roughness: float
    #: Share of the color of the air.
    haze: float = 0.0


_PEAKS = _Layer("rock", "rock", (0.15, 0.35), 0.12, 0.4)

#: Layers of landscapes, from back to front.
LAYERS = (
    (
        _PEAKS,
        _Layer("rock", "rock", (0.35, 0.5), 0.08, 0.15),
        _Layer("canopy", "leaves", (0.55, 0.75), 0.04),
    ),
    (
        _PEAKS,
        _Layer("canopy", "leaves", (0.45, 0.55), 0.03, 0.1),
        _Layer("grass", "grass", (0.6, 0.7), 0.02),
    ),
    (
        _PEAKS,
        _Layer("canopy", "leaves", (0.4, 0.5), 0.02, 0.2),
        _Layer("water", "water", (0.52, 0.58), 0.0),
        _Layer("grass", "grass", (0.8, 0.9), 0.02),
    ),
    (
        _Layer("canopy", "leaves", (0.3, 0.4), 0.04, 0.4),
        _Layer("canopy", "leaves", (0.42, 0.52), 0.04, 0.15),
        _Layer("grass", "grass", (0.55, 0.65), 0.03),
    ),
    (
        _Layer("canopy", "leaves", (0.35, 0.5), 0.03, 0.25),
        _Layer("grass", "grass", (0.48, 0.58), 0.01),
    ),
    (
        _Layer("rock", "rock", (0.35, 0.42), 0.04, 0.3),
        _Layer("water", "water", (0.44, 0.47), 0.0),
        _Layer("sand", "sand", (0.7, 0.85), 0.02),
    ),
    (
        _Layer("water", "water", (0.3, 0.5), 0.0),
        _Layer("stones", "rock", (0.7, 0.85), 0.02),
    ),
    (_PEAKS, _Layer("stones", "rock", (0.42, 0.55), 0.03)),
)


def landscape(scene: Scene) -> None:
    """Paint layers from back to front and trees on the last one, or in 8% of cases a wood."""
    rng, height = scene.rng, scene.height
    if rng.random() < 0.08:
        _wood(scene)
        return
    layers = brushes.pick(rng, LAYERS)
    for layer in layers:
        line = textures.outline(scene, rng.uniform(*layer.top) * height, layer.roughness)
        textures.ground(scene, layer.texture, layer.ramp, line, layer.haze * rng.uniform(0.5, 1.5))
    species = brushes.pick(rng, SPECIES)
    if layers[-1].texture in ("grass", "canopy"):
        for x in rng.uniform(0, scene.width, rng.integers(0, 6)):
            base = min(float(line[int(x)]) + rng.uniform(0.02, 0.2) * height, height)
            tree(scene, x, base, rng.uniform(0.2, 0.6) * height, species)


def _wood(scene: Scene) -> None:
    """Paint a wood: trunks in front of leaves."""
    rng, height = scene.rng, scene.height
    behind = textures.outline(scene, rng.uniform(-0.2, 0.3) * height, 0.06)
    textures.ground(scene, "canopy", "leaves", behind, 0.3)
    line = textures.outline(scene, rng.uniform(0.65, 0.85) * height, 0.02)
    for x in rng.uniform(0, scene.width, rng.integers(4, 14)):
        tall = rng.uniform(0.7, 1.6) * height
        _trunk(scene, x, float(line[int(x)]) + rng.uniform(0, 0.15) * height, tall, tall)
    textures.ground(scene, brushes.pick(rng, ["grass", "foliage"]), "grass", line + 0.08 * height)


def _trunk(scene: Scene, x: float, base: float, tall: float, length: float) -> float:
    """Draw a slightly bent trunk of this length and return the column of its upper end."""
    rng, steps = scene.rng, np.linspace(0, 1, 7)
    half = tall * rng.uniform(0.012, 0.03) * (1 - 0.6 * steps)
    spine = x + (np.cumsum(rng.normal(0, 0.018, 7)) + rng.normal(0, 0.06) * steps) * length
    rows = base - steps * length
    left, right = (np.stack([spine + side * half, rows], axis=1) for side in (-1, 1))
    across = (np.arange(scene.width, dtype=np.float32) - x) / float(half[1])
    bark = 0.16 * brushes.noise(rng, scene.shape, 10 * scene.unit, 3, 0.4)
    bark += rng.choice([-0.2, 0.2]) * np.clip(across, -1, 1).astype(np.float32)
    mask = brushes.polygon(scene.shape, np.concatenate([left, right[::-1]]))
    brushes.paint(
        scene.picture, brushes.tones(bark, 0.45, 1), brushes.ramp(scene, "bark", 0.3), mask
    )
    return float(spine[-1])


class _Species(NamedTuple):
    """Proportions of a tree, relative to its height."""

    trunk: float
    width: tuple[float, float]
    pointed: bool


BROADLEAF = _Species(0.6, (0.2, 0.4), False)

SPECIES = (BROADLEAF, _Species(0.3, (0.12, 0.2), True))


def tree(scene: Scene, x: float, base: float, tall: float, species: _Species) -> None:
    """Draw a trunk and a crown of leaves."""
    left, right = (int(np.clip(x + side * tall, 0, scene.width)) for side in (-0.55, 0.55))
    top, bottom = (int(np.clip(base + side * tall, 0, scene.height)) for side in (-1.15, 0.05))
    if min(right - left, bottom - top) < 4:
        return
    rng = scene.rng
    part = scene._replace(picture=scene.picture[top:bottom, left:right])
    middle = _trunk(part, x - left, base - top, tall, tall * species.trunk)
    across = np.abs(np.arange(part.width) - middle) / (tall * rng.uniform(*species.width))
    down = ((np.arange(part.height) - (base - top)) / tall + 1)[:, None]
    if species.pointed:
        edge = np.maximum(across - down / 0.85, 4 * (down / 0.85 - 1))
    else:
        edge = np.hypot(across, down / rng.uniform(0.3, 0.4) - 1) - 1
    ragged = 0.12 * brushes.noise(rng, part.shape, 12 * scene.unit) - edge.astype(np.float32)
    leaves = textures.foliage(part, (1.5, 4.0))
    brushes.paint(part.picture, leaves, brushes.ramp(part, "leaves"), brushes.tones(ragged, 0, 8))
