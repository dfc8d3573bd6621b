"""Visualizations of orientations, HOG vectors and keypoints."""

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
_CELL = 24  # side of a HOG cell in pixels
_CIRCLES = 300  # maximum number of keypoints drawn
_ZOOM = 2  # magnification of the picture under keypoints


def drawing(
    stage: Any, value: Any, names: Sequence[str], pixels: NDArray[Any] | None
) -> tuple[str, Pixels] | None:
    """Draw a stage's output, if it has a special visualization.

    Parameters
    ----------
    stage : transformer
        The stage.
    value : ndarray or DescriptorSet
        Its output for an image.
    names : sequence of str
        Feature names, if the output is a vector.
    pixels : ndarray of shape (height, width, 1 or 3), optional
        The image.

    Returns
    -------
    (str, ndarray of uint8 of shape (height, width, 3)) or None
        Title and picture; None without a special visualization.
    """
    if isinstance(stage, OrientedEdges) and len(stage._angles()) > 2:
        return "hue: orientation", orientation_colors(value, stage._angles())
    if isinstance(value, DescriptorSet) and value.positions is not None and pixels is not None:
        count = f"{len(value)} descriptors"
        return (f"{_CIRCLES} of {count}" if len(value) > _CIRCLES else count), circles(
            pixels, value
        )
    strokes = hog_strokes(value, names) if getattr(value, "ndim", 0) == 1 else None
    return None if strokes is None else ("strokes: edge orientations per cell", strokes)


def orientation_colors(maps: NDArray[Any], angles: Sequence[float]) -> Pixels:
    r"""Map oriented responses to one color per pixel.

    With :math:`e_k` the squared responses at angles :math:`\theta_k`, and :math:`z = \sum_k e_k
    e^{2 i \theta_k}`, the hue is the angle of :math:`z`, with period 180°. The saturation is
    :math:`|z| / \sum_k e_k`, which is 0 without a dominant orientation. The brightness is
    :math:`\sqrt{\sum_k e_k}`, scaled to a maximum of 1.
    """
    height, width, _ = maps.shape
    # Orientations vary fastest, then channels.
    energy = np.square(maps.reshape(height, width, -1, len(angles)).astype(np.float64)).sum(axis=2)
    total = energy.sum(axis=2)
    turned = energy @ np.exp(2j * np.radians(np.asarray(angles)))
    hue = np.angle(turned) % (2 * np.pi) / (2 * np.pi)
    saturation = np.abs(turned) / np.maximum(total, 1e-30)
    brightness = np.sqrt(total / max(float(total.max()), 1e-30))
    # OpenCV expects the hue of float32 images in degrees.
    hsv = np.stack([360 * hue, saturation, brightness], axis=2).astype(np.float32)
    drawn: Pixels = np.rint(255 * cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)).astype(np.uint8)
    return drawn


def hog_strokes(vector: NDArray[Any], names: Sequence[str]) -> Pixels | None:
    """Draw a HOG vector as strokes along the edges; length and brightness show the magnitude.

    The histogram of a cell is the mean over all blocks that contain the cell. Returns None if the
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
    # Edges are orthogonal to gradients; angles are measured with rows pointing down.
    across = np.pi * (np.arange(shape[2]) + 0.5) / shape[2]
    along = np.stack([np.cos(across), -np.sin(across)], axis=1) * _CELL / 2
    drawn = np.zeros((shape[0] * _CELL, shape[1] * _CELL), np.uint8)
    for row, column, number in np.argwhere(means > 0.05).tolist():
        strength = means[row, column, number]
        center = (np.array([row, column]) + 0.5) * _CELL
        ends = center + np.outer([-1, 1], along[number]) * min(1.0, 0.35 + strength)
        (top, left), (bottom, right) = np.rint(ends).astype(int).tolist()
        stroke = np.zeros_like(drawn)
        cv2.line(stroke, (left, top), (right, bottom), int(255 * strength), 1, cv2.LINE_AA)
        np.maximum(drawn, stroke, out=drawn)
    return np.repeat(drawn[..., np.newaxis], 3, axis=2)


def circles(pixels: NDArray[Any], descriptors: DescriptorSet) -> Pixels:
    """Draw a circle over the image for each descriptor, with the scale as its radius."""
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
        center = (round(column), round(row))
        cv2.circle(drawn, center, max(2, round(_ZOOM * scale)), (255, 190, 40), 1, cv2.LINE_AA)
    return drawn
