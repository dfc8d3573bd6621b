"""Cities: a skyline, a street, a row of houses and a single building."""

from itertools import pairwise

import numpy as np

from featx.datasets.scenes import brushes, facades, landscapes, textures
from featx.datasets.scenes.brushes import Scene
from featx.datasets.scenes.facades import Wall

#: Foregrounds of a skyline: texture, ramp and roughness of the outline.
FOREGROUNDS = (("water", "water", 0.0), ("canopy", "leaves", 0.02), ("grass", "grass", 0.01))


def _skyline(scene: Scene) -> None:
    """Paint rows of towers behind water, trees or grass."""
    rng, unit = scene.rng, scene.unit
    ground = rng.uniform(0.6, 0.9) * scene.height
    for depth, haze in enumerate((0.6, 0.3, 0.05)):
        x = rng.uniform(-30, 0) * unit
        while x < scene.width:
            wide = rng.uniform(18, 50) * unit * (1 + 0.25 * depth)
            corner, end = x + wide * rng.uniform(0.5, 0.85), x + wide
            tall = rng.uniform(0.25, 0.85) * (1.1 - 0.25 * depth) * ground
            top, drop = ground - tall, ground - tall * rng.uniform(0.94, 1)
            floor = rng.uniform(7, 12) * unit * (1 + 0.2 * depth)
            front = Wall((x, corner), (top, top), (ground, ground))
            side = Wall((corner, end), (top, drop), (ground, ground))
            facades.build(scene, front, tall / floor, (corner - x) / floor, 1.0, haze)
            facades.build(
                scene, side, tall / floor, (end - corner) / floor, rng.uniform(0.5, 0.9), haze
            )
            x = end + rng.exponential(22) * unit
    texture, ramp, roughness = brushes.pick(rng, FOREGROUNDS)
    textures.ground(scene, texture, ramp, textures.outline(scene, ground, roughness))


def _street(scene: Scene) -> None:
    """Paint houses on both sides of a road in one-point perspective."""
    rng, height, width = scene.rng, *scene.shape
    middle, horizon = rng.uniform(0.3, 0.7) * width, rng.uniform(0.5, 0.68) * height
    textures.ground(scene, "sand", "road", textures.outline(scene, horizon))
    avenue = rng.random() < 0.35
    for edge in (0, width):
        foot = rng.uniform(0.25, 0.45) * height / abs(edge - middle)
        light = rng.uniform(0.5, 1.1)
        borders = [0.08, *sorted(rng.uniform(0.2, 0.8, rng.integers(1, 4)).tolist()), 1.0]
        for far, near in pairwise(borders):
            rise = rng.uniform(1.6, 4.5) * foot
            ends = np.array([far, near]) * (edge - middle)
            away = np.abs(ends)
            wall = Wall(middle + ends, horizon - rise * away, horizon + foot * away)
            # Floors and bays are slightly smaller than the height of the camera above the road.
            columns = float(1.2 * width * (1 / away[0] - 1 / away[1]) / foot)
            shade, haze = light * rng.uniform(0.85, 1.15), 0.4 * (1 - far) ** 2
            facades.build(scene, wall, 1.2 * (rise / foot + 1), columns, shade, haze)
        for near in (0.2, 0.45, 0.7, 0.95) if avenue else ():
            tall = foot * near * abs(edge - middle)
            x = middle + 0.85 * near * (edge - middle)
            landscapes.tree(
                scene, x, horizon + tall, rng.uniform(1.5, 3) * tall, landscapes.BROADLEAF
            )
    for _ in range(rng.integers(0, 4)):
        base = rng.uniform(horizon + 14 * scene.unit, height)
        _car(scene, rng.uniform(0.1, 0.9) * width, base, horizon)


def _row(scene: Scene) -> None:
    """Paint adjoining houses across a street, some with a pitched roof."""
    rng, unit, height, width = scene.rng, scene.unit, *scene.shape
    ground, slope = rng.uniform(0.75, 0.92) * height, rng.uniform(-0.1, 0.1)
    x, floor = rng.uniform(-60, 0) * unit, rng.uniform(20, 45) * unit
    while x < width:
        wide, tall = rng.uniform(40, 120) * unit, rng.uniform(0.3, 0.8) * height
        ends = np.array([x, x + wide])
        fall = slope * (ends - width / 2)
        wall = Wall(ends, ground - tall - fall, ground + 0.3 * fall)
        if rng.random() < 0.6:
            _roof(scene, wall)
        size = floor * rng.uniform(0.8, 1.2)
        facades.build(scene, wall, tall / size, wide / size, rng.uniform(0.7, 1.1))
        x += wide + brushes.pick(rng, [0, 0, 25]) * unit * rng.random()
    textures.ground(scene, "sand", "road", textures.outline(scene, ground))
    for x in rng.uniform(0, width, rng.integers(0, 4)):
        tall = rng.uniform(0.25, 0.7) * height
        landscapes.tree(
            scene, x, rng.uniform(ground, height), tall, brushes.pick(rng, landscapes.SPECIES)
        )
    for x in rng.uniform(0, width, rng.integers(0, 3)):
        _car(scene, x, rng.uniform(ground + 4 * unit, height), ground - 20 * unit)


def _roof(scene: Scene, wall: Wall) -> None:
    """Paint a pitched roof on a wall."""
    (left, right), tops = wall.x, wall.tops
    inset = scene.rng.uniform(0.05, 0.5) * (right - left)
    ridge = min(tops) - scene.rng.uniform(0.05, 0.16) * scene.height
    eaves = 2 * scene.unit
    slopes = [
        (left - eaves, tops[0]),
        (left + inset, ridge),
        (right - inset, ridge),
        (right + eaves, tops[1]),
    ]
    tiles = brushes.tones(brushes.noise(scene.rng, scene.shape, 4 * scene.unit, 2, 2.0), 0.5, 0.2)
    brushes.paint(
        scene.picture, tiles, brushes.ramp(scene, "roof"), brushes.polygon(scene.shape, slopes)
    )


def _front(scene: Scene) -> None:
    """Paint the corner of one building, seen from nearby and from below."""
    rng, height, width = scene.rng, *scene.shape
    corner, floor = rng.uniform(-0.1, 1.1) * width, rng.uniform(22, 56) * scene.unit
    roof, foot = rng.uniform(-0.4, 0.3) * height, rng.uniform(0.85, 1.3) * height
    textures.ground(scene, "sand", "road", textures.outline(scene, 0.75 * height))
    for edge in (-0.2 * width, 1.2 * width):
        away = abs(edge - corner) / width * height
        tops, feet = (
            (roof, roof + rng.uniform(0, 0.5) * away),
            (foot, foot - rng.uniform(0, 0.2) * away),
        )
        columns = abs(edge - corner) / (floor * rng.uniform(0.7, 1.1))
        wall = Wall((corner, edge), tops, feet)
        facades.build(scene, wall, (foot - roof) / floor, columns, rng.uniform(0.5, 1.1))
    for x in rng.uniform(0, width, rng.integers(0, 3)):
        base, tall = rng.uniform(0.95, 1.2) * height, rng.uniform(0.4, 0.9) * height
        landscapes.tree(scene, x, base, tall, landscapes.BROADLEAF)


CITIES = (_skyline, _street, _row, _front)

#: Outlines of the body, windows and wheels of a car of height 1.
CAR = (
    (-1.5, 0),
    (-1.5, -0.5),
    (-0.9, -0.6),
    (-0.5, -1),
    (0.6, -1),
    (1, -0.6),
    (1.5, -0.5),
    (1.5, 0),
)

CAR_WINDOWS = ((-0.7, -0.6), (-0.4, -0.92), (0.5, -0.92), (0.8, -0.6))

WHEEL = brushes.discs(np.linspace(0, 2 * np.pi, 16), 0.28)


def _car(scene: Scene, x: float, base: float, horizon: float) -> None:
    """Draw a car from the side, scaled by its distance."""
    size = (base - horizon) * scene.rng.uniform(0.35, 0.5)
    paint = scene.rng.uniform(0.15, 0.85) * (1 + 0.1 * brushes.normal(scene.rng, (3,)))
    wheels = [(np.add(WHEEL, (place, 0)), 0.1) for place in (-0.9, 0.9)]
    for outline, shade in ((CAR, 1.0), (CAR_WINDOWS, 0.25), *wheels):
        mask = brushes.polygon(scene.shape, np.asarray(outline) * size + (x, base))
        brushes.paint(scene.picture, mask, (paint * shade, paint * shade), mask)
