"""The sky and the textures of the ground."""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np

from featx.datasets.scenes import brushes
from featx.datasets.scenes.brushes import Floats, Scene


def sky(scene: Scene, zenith: Floats) -> None:
    """Paint a sky with clouds, as a gradient from the zenith to the horizon."""
    rng, shape = scene.rng, scene.shape
    depth = np.linspace(0, 1.3, scene.height, dtype=np.float32).clip(0, 1)[:, None, None]
    scene.picture[:] = zenith + depth * (scene.air - zenith)
    clouds = brushes.noise(rng, shape, rng.uniform(30, 90) * scene.unit, 5, rng.uniform(1, 3))
    cover = 0.9 * brushes.tones(clouds, rng.uniform(-0.7, 0.6), 0.6)
    brushes.paint(
        scene.picture, brushes.tones(clouds, 0.8, -0.25), brushes.colors("9a9a9a f7f7f7"), cover
    )


def _grass(scene: Scene) -> Floats:
    """Render blades of grass, longer towards the foreground."""
    rng, unit, height, width = scene.rng, scene.unit, *scene.shape
    tones = brushes.to_bytes(brushes.tones(brushes.noise(rng, scene.shape, 40 * unit), 0.3, 0.12))
    longest = unit * brushes.pick(rng, [rng.uniform(8, 22), rng.uniform(15, 60)])
    lean, contrast = rng.normal(0, 0.25), rng.uniform(0.15, 0.35)
    for depth in np.linspace(0.02, 1.1, 14):
        count = int(width / (unit * (1.1 + 1.2 * depth)))
        length = (2 * unit + longest * depth) * rng.uniform(0.5, 1.2, count)
        bend = rng.normal(lean, 0.35, count) * length
        x = rng.uniform(0, width, count)
        y = depth * height + rng.normal(0, 0.4, count) * length
        joints = [np.stack([x + bend * t**2, y - length * t], axis=1) for t in (0, 0.6, 1)]
        blades = np.stack(joints, axis=1)
        for part, tone in enumerate(rng.normal(0.5, contrast, 4)):
            brushes.strokes(tones, blades[part::4], tone, unit * (0.6 + 0.9 * depth))
    return brushes.from_bytes(tones)


def foliage(scene: Scene, leaf: tuple[float, float] = (2.0, 5.0)) -> Floats:
    """Render clumps of leaves lit from above."""
    rng, height, width = scene.rng, *scene.shape
    size = max(1.0, rng.uniform(*leaf) * scene.unit)
    clumps = brushes.noise(rng, scene.shape, 9 * size, 3)
    lit = clumps - np.roll(clumps, -round(size), axis=0)
    tones = brushes.to_bytes(brushes.tones(lit, 0.25, 0.2))
    count = int(min(1200, 0.6 * width * height / size**2)) + 1
    places = rng.uniform(0, (width - 1, height - 1), (count, 2))
    half = brushes.discs(rng.uniform(0, np.pi, count), size) * rng.uniform(0.4, 0.9, (count, 1))
    leaves = np.stack([places - half, places + half], axis=1)
    light = 0.4 * lit[tuple(places.astype(int).T[::-1])] + rng.normal(0.45, 0.15, count)
    level = np.clip(8 * light, 0, 7).astype(int)
    for tone in range(8):
        brushes.strokes(tones, leaves[level == tone], (tone + 0.5) / 8, 0.6 * size)
    return brushes.from_bytes(tones)


def _rock(scene: Scene) -> Floats:
    """Render rough slopes lit from one side."""
    rng = scene.rng
    period, stretch = rng.uniform(40, 90) * scene.unit, rng.uniform(0.6, 1.2)
    relief = brushes.noise(rng, scene.shape, period, 6, stretch, rng.uniform(0.5, 0.65))
    across, down = (cv2.Sobel(relief, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
    light = np.asarray(rng.choice([-1, 1]) * across + 0.5 * down, np.float32)
    return brushes.tones(light / light.std(), 0.5, rng.uniform(0.18, 0.3))


def _stones(scene: Scene) -> Floats:
    """Render boulders with a bright top and a dark bottom, larger towards the foreground."""
    rng, unit = scene.rng, scene.unit
    tones = brushes.to_bytes(
        brushes.tones(brushes.noise(rng, scene.shape, 6 * unit, 3), 0.35, 0.15)
    )
    largest = rng.uniform(10, 30)
    for depth in np.sort(rng.uniform(0, 1.1, rng.integers(90, 170))):
        radius = unit * (1.5 + largest * depth * rng.uniform(0.3, 1.1))
        center = (rng.uniform(0, scene.width), depth * scene.height)
        outline = brushes.discs(np.sort(rng.uniform(0, 2 * np.pi, 9)), radius, 0.7)
        tone = rng.uniform(60, 150)
        for shift, size, shade in ((0.1, 1.0, 0.3), (0.0, 1.0, 1.0), (-0.12, 0.75, 1.5)):
            points = brushes.fixed(outline * size + center + (0, shift * radius))
            cv2.fillPoly(tones, [points], int(tone * shade), cv2.LINE_AA, 4)
    return np.clip(
        brushes.from_bytes(tones) + 0.06 * brushes.noise(rng, scene.shape, 3 * unit, 2), 0, 1
    )


def _water(scene: Scene) -> Floats:
    """Render waves, closer together towards the horizon, and foam."""
    rng, height, width = scene.rng, *scene.shape
    tile = brushes.noise(rng, (256, 256), rng.uniform(7, 14), 4, 1.4)
    near = np.linspace(0.008, 0.6, height)[:, None]
    x = 128 + (np.arange(width) - width / 2) / scene.unit * 0.35 / near**0.5
    y = np.broadcast_to(rng.uniform(15, 50) / near, x.shape)
    places = x.astype(np.float32), y.astype(np.float32)
    mirror = cv2.BORDER_REFLECT_101
    waves = np.asarray(cv2.remap(tile, *places, cv2.INTER_LINEAR, borderMode=mirror), np.float32)
    foam = brushes.tones(waves, -2 * rng.uniform(0.9, 1.8), 2)
    return np.clip(brushes.tones(waves, 0.4, rng.uniform(0.1, 0.2)) + 0.4 * foam, 0, 1)


def _sand(scene: Scene) -> Floats:
    """Render the ripples and grains of a beach or a road."""
    rng = scene.rng
    ripples = brushes.noise(rng, scene.shape, 8 * scene.unit, 3, rng.uniform(1.5, 4))
    return np.clip(
        0.55 + 0.12 * ripples + rng.uniform(0, 0.1) * brushes.normal(rng, scene.shape), 0, 1
    )


TEXTURES: dict[str, Callable[[Scene], Floats]] = {
    "grass": _grass,
    "foliage": foliage,
    "canopy": partial(foliage, leaf=(1.2, 2.6)),
    "rock": _rock,
    "stones": _stones,
    "water": _water,
    "sand": _sand,
}


def ground(scene: Scene, texture: str, ramp: str, line: Floats, haze: float = 0.0) -> None:
    """Cover everything below a line with a texture."""
    top = max(0, int(line.min()))
    part = scene._replace(picture=scene.picture[top:])
    tones = TEXTURES[texture](part)
    brushes.paint(
        part.picture, tones, brushes.ramp(scene, ramp, haze), brushes.below(part.shape, line - top)
    )


def outline(scene: Scene, row: float, roughness: float = 0.0) -> Floats:
    """Draw a random outline around a row, one height per column."""
    line, count = np.full(scene.width, row), scene.rng.integers(3, 6)
    for octave in range(7):
        heights = (
            scene.rng.standard_normal(count * 2**octave) * roughness * scene.height / 2**octave
        )
        places = np.linspace(0, len(heights) - 1, scene.width)
        line += np.interp(places, np.arange(len(heights)), heights)
    return line.astype(np.float32)
