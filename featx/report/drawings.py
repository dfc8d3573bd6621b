"""Pictures of what is no picture: orientations as colours, gradients as strokes, key points."""

import re
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.core.descriptor_sets import DescriptorSet
from featx.filters.edges import OrientedEdges

Pixels = NDArray[np.uint8]
_BIN = re.compile(r"hog_block(\d+)_(\d+)_cell(\d+)_(\d+)_bin(\d+)$")
_CELL = 24  # pixels of a cell of strokes
_CIRCLES = 300  # key points drawn, at most
_ZOOM = 2  # of the picture under key points


def drawing(
    stage: Any, value: Any, names: Sequence[str], pixels: NDArray[Any] | None
) -> tuple[str, Pixels] | None:
    """Draw what a stage gives, where there is a better way than its numbers.

    Parameters
    ----------
    stage : transformer
        The stage.
    value : ndarray or DescriptorSet
        What it gives for an image.
    names : sequence of str
        The names of the entries, where that is a vector.
    pixels : ndarray of shape (height, width, 1 or 3), optional
        The picture as it was read.

    Returns
    -------
    (str, ndarray of uint8 of shape (height, width, 3)) or None
        What is seen, and the picture.
    """
    if isinstance(stage, OrientedEdges) and len(stage._angles()) > 2:
        return "colour: orientation", orientation_colors(value, stage._angles())
    if isinstance(value, DescriptorSet) and value.positions is not None and pixels is not None:
        count = f"{len(value)} descriptors"
        return (f"{count}, some of them" if len(value) > _CIRCLES else count), circles(
            pixels, value
        )
    strokes = hog_strokes(value, names) if getattr(value, "ndim", 0) == 1 else None
    return None if strokes is None else ("strokes along the edges of each cell", strokes)


def orientation_colors(maps: NDArray[Any], angles: Sequence[float]) -> Pixels:
    r"""Give oriented responses one colour a pixel.

    With :math:`e_k` the squares of the responses at angles :math:`\theta_k`, and :math:`z = \sum_k
    e_k e^{2 i \theta_k}`, the hue is the angle of :math:`z`, so that it is the same after half a
    turn; the saturation is :math:`|z| / \sum_k e_k`, which is 0 where no orientation is stronger;
    and the brightness :math:`\sqrt{\sum_k e_k}`, 1 at the largest.
    """
    height, width, _ = maps.shape
    # All responses to the first channel come before those to the next.
    energy = np.square(maps.reshape(height, width, -1, len(angles)).astype(np.float64)).sum(axis=2)
    total = energy.sum(axis=2)
    turned = energy @ np.exp(2j * np.radians(np.asarray(angles)))
    hue = np.angle(turned) % (2 * np.pi) / (2 * np.pi)
    saturation = np.abs(turned) / np.maximum(total, 1e-30)
    brightness = np.sqrt(total / max(float(total.max()), 1e-30))
    # OpenCV counts hues of float32 in degrees.
    hsv = np.stack([360 * hue, saturation, brightness], axis=2).astype(np.float32)
    drawn: Pixels = np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)
    return drawn


def hog_strokes(vector: NDArray[Any], names: Sequence[str]) -> Pixels | None:
    """Draw histograms of oriented gradients as strokes along the edges, longer for more.

    A cell's histogram is the mean of what it is in the blocks that it belongs to. None where the
    names are not those of `HOG`.
    """
    found = [_BIN.match(name) for name in names]
    if not names or not all(found):
        return None
    parts = np.array([[int(part) for part in one.groups()] for one in found if one])
    rows, columns, bins = parts[:, 0] + parts[:, 2], parts[:, 1] + parts[:, 3], parts[:, 4]
    shape = rows.max() + 1, columns.max() + 1, bins.max() + 1
    sums, counts = np.zeros(shape), np.zeros(shape)
    np.add.at(sums, (rows, columns, bins), vector)
    np.add.at(counts, (rows, columns, bins), 1)
    means = sums / np.maximum(counts, 1)
    means /= max(float(means.max()), 1e-30)
    # The gradient is across the edge, and angles are of rows downwards.
    across = np.pi * (np.arange(shape[2]) + 0.5) / shape[2]
    along = np.stack([np.cos(across), -np.sin(across)], axis=1) * _CELL / 2
    drawn = np.zeros((shape[0] * _CELL, shape[1] * _CELL), np.uint8)
    for row, column, number in np.argwhere(means > 0.05).tolist():
        strength = means[row, column, number]
        centre = (np.array([row, column]) + 0.5) * _CELL
        ends = centre + np.outer([-1, 1], along[number]) * min(1.0, 0.35 + strength)
        (top, left), (bottom, right) = np.rint(ends).astype(int).tolist()
        stroke = np.zeros_like(drawn)
        cv2.line(stroke, (left, top), (right, bottom), int(255 * strength), 1, cv2.LINE_AA)
        np.maximum(drawn, stroke, out=drawn)
    return np.repeat(drawn[..., np.newaxis], 3, axis=2)


def circles(pixels: NDArray[Any], descriptors: DescriptorSet) -> Pixels:
    """Draw a circle for each descriptor, as large as its scale, over the picture."""
    height, width = pixels.shape[:2]
    size = (_ZOOM * width, _ZOOM * height)
    whole = np.iinfo(pixels.dtype).max if pixels.dtype.kind == "u" else 1
    gray = pixels.astype(np.float32).mean(axis=2) * (255 / whole)
    drawn = cv2.resize(np.clip(gray, 0, 255).astype(np.uint8), size)
    drawn = np.ascontiguousarray(np.repeat(drawn[..., np.newaxis], 3, axis=2))
    count = len(descriptors)
    chosen = np.unique(np.linspace(0, count - 1, min(_CIRCLES, count)).astype(int))
    positions = np.asarray(descriptors.positions)
    for place in chosen.tolist():
        row, column = (_ZOOM * (positions[place] + 0.5)).tolist()
        scale = 1.0 if descriptors.scales is None else float(descriptors.scales[place])
        centre = (round(column), round(row))
        cv2.circle(drawn, centre, max(2, round(_ZOOM * scale)), (255, 190, 40), 1, cv2.LINE_AA)
    return drawn
