"""Facades: floors of windows, bays and doors, in perspective."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.datasets.scenes import brushes
from featx.datasets.scenes.brushes import Floats, Rng, Scene, Shape

#: Colors of walls.
WALLS = ("96503c", "c8b496", "afaaa5", "786e69", "d7cdbe", "a5825a", "6e7d8c", "be9678", "555f69")

#: Widths and heights of windows, relative to the bay.
WINDOWS = ((0.5, 0.6), (0.6, 0.55), (0.4, 0.65), (0.35, 0.6), (0.8, 0.5), (0.75, 0.8))


def _floors(rng: Rng, floors: int, columns: int, cell: Shape, wall: Floats) -> Floats:
    """Render floors of equal windows in frontal view, each with a random light."""
    bay, pane = _bay(rng, cell, wall)
    facade, panes = np.tile(bay, (floors, columns, 1)), np.tile(pane, (floors, columns))
    lights = rng.normal(1, 0.4, (floors, columns)).clip(0.3, 2.5)
    lights += 1.5 * (rng.random(lights.shape) < rng.uniform(0, 0.2))
    light = np.kron(lights, np.ones(cell)).astype(np.float32)
    light *= 1 + 0.3 * brushes.noise(rng, panes.shape, 1.5 * cell[1], 2)
    glass = rng.uniform(0.05, 0.4) * (1 + 0.05 * brushes.normal(rng, (3,)))
    brushes.paint(facade, light, (0 * glass, glass), panes)
    return facade


def _bay(rng: Rng, cell: Shape, wall: Floats) -> tuple[Floats, Floats]:
    """Render a window with the wall around it, and the mask of its panes."""
    rows, columns = cell
    wide, high = brushes.pick(rng, WINDOWS)
    top, left = int(rows * (1 - high) * rng.uniform(0.3, 0.7)), int(columns * (1 - wide) / 2)
    bottom, right = top + int(rows * high), columns - left
    line = max(1, columns // 14)
    bay, pane = np.tile(wall, (*cell, 1)), np.zeros(cell, np.float32)
    if rng.random() < 0.5:
        bay[-line:] *= rng.uniform(0.6, 1.25)
    if rng.random() < 0.4:
        bay[:, : 2 * line] *= rng.uniform(0.6, 1.25)
    around, sill = max(0, left - line), max(0, left - 2 * line)
    bay[max(0, top - line) : bottom + line, around : right + line] = wall * rng.uniform(0.5, 1.6)
    bay[bottom : bottom + line, sill : right + 2 * line] = wall * rng.uniform(0.5, 1.4)
    pane[top:bottom, left:right] = 1
    if rng.random() < 0.7:
        pane[:, columns // 2 : columns // 2 + line] = 0
    if rng.random() < 0.5:
        bar = top + int((bottom - top) * rng.uniform(0.25, 0.5))
        pane[bar : bar + line] = 0
    return np.clip(bay, 0, 1), pane


def _facade(rng: Rng, floors: int, columns: int, cell: Shape) -> Floats:
    """Render a weathered facade with a cornice and, in most cases, larger shop windows."""
    rows, bay = cell
    (wall,) = brushes.colors(brushes.pick(rng, WALLS))
    wall = np.clip(wall * rng.uniform(0.7, 1.15) * (1 + 0.07 * brushes.normal(rng, (3,))), 0, 1)
    facade = _floors(rng, floors, columns, cell, wall)
    if floors > 1 and rng.random() < 0.7:
        shops = _floors(rng, 1, max(1, columns // 2), (rows, 2 * bay), wall * rng.uniform(0.6, 1.2))
        facade[-rows:] = cv2.resize(shops, (facade.shape[1], rows))
    facade[: max(1, rows // 5)] = wall * rng.uniform(0.5, 1.3)
    shape = (floors * rows, columns * bay)
    grain = rng.uniform(0.02, 0.14) * brushes.noise(rng, shape, rng.uniform(2, 6), 2, 2.0)
    weather = 1 + grain + 0.07 * brushes.noise(rng, shape, 3 * rows, 2)
    return np.asarray(np.clip(facade * cv2.merge([weather] * 3), 0, 1), np.float32)


class Wall(NamedTuple):
    """Position of a wall: its left and right column, and its top and bottom rows there."""

    x: Sequence[float] | NDArray[np.float64]
    tops: Sequence[float] | NDArray[np.float64]
    feet: Sequence[float] | NDArray[np.float64]


def build(
    scene: Scene, wall: Wall, floors: float, columns: float, light: float, haze: float = 0.0
) -> None:
    """Paint a facade with this number of floors and window columns onto a wall."""
    (left, right), tops, feet = wall
    points = np.array(
        [(left, tops[0]), (right, tops[1]), (right, feet[1]), (left, feet[0])], np.float32
    )
    low = np.floor(np.maximum(points.min(axis=0) - 1, 0)).astype(int)
    high = np.ceil(np.minimum(points.max(axis=0) + 1, scene.shape[::-1])).astype(int)
    if (high - low < 2).any():
        return
    floors, columns = int(np.clip(floors, 1, 30)), int(np.clip(columns, 1, 40))
    tall = max(feet[0] - tops[0], feet[1] - tops[1])
    cell = int(np.clip(tall / floors, 8, 48)), int(np.clip(abs(right - left) / columns, 8, 48))
    facade = _facade(scene.rng, floors, columns, cell)
    rows, width = floors * cell[0], columns * cell[1]
    corners = np.array([(0, 0), (width, 0), (width, rows), (0, rows)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, points - low.astype(np.float32))
    extent = (int(high[0] - low[0]), int(high[1] - low[1]))
    seen = cv2.warpPerspective(facade, matrix, extent, borderMode=cv2.BORDER_REPLICATE)
    lit = np.column_stack([np.eye(3) * light * (1 - haze), scene.air * haze])
    mask = brushes.polygon(extent[::-1], points - low)
    brushes.cover(scene.picture[low[1] : high[1], low[0] : high[0]], cv2.transform(seen, lit), mask)
