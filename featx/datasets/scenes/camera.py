"""Simulated camera: tilt, exposure, color, sharpness and noise, independent of the class."""

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.datasets.scenes import brushes
from featx.datasets.scenes.brushes import Floats, Rng, Scene


def photograph(scene: Scene) -> NDArray[np.uint8]:
    """Tilt, blur, grade and compress a scene."""
    rng, picture = scene.rng, _tilted(scene)
    cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9) * scene.unit, picture)
    pixels = cv2.convertScaleAbs(np.clip(_graded(picture, rng), 0, 1), alpha=255)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))]
    code = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)[1]
    seen = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(seen[..., ::-1])


def _tilted(scene: Scene) -> Floats:
    """Apply a small random roll and pitch of the camera."""
    rng, height, width = scene.rng, *scene.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    center, roll = corners.mean(axis=0), np.deg2rad(rng.normal(0, 1.5))
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    seen = (corners - center) @ turn * 1.12
    seen[:2, 0] *= 1 + rng.normal(0, 0.05)
    matrix = cv2.getPerspectiveTransform(corners, (seen + center).astype(np.float32))
    mirror = cv2.BORDER_REFLECT_101
    tilted = cv2.warpPerspective(scene.picture, matrix, (width, height), borderMode=mirror)
    return np.asarray(tilted, np.float32)


Gray = np.array([0.299, 0.587, 0.114])

WARM = np.array([1.0, 0.1, -1.2], np.float32)


def _graded(picture: Floats, rng: Rng) -> Floats:
    """Set exposure, contrast and color statistics independently of the scene.

    Means and standard deviations of gray and color are random. The component of color that is
    correlated with gray is replaced by a random one. Corners are darkened; noise is gray.
    """
    exposure, contrast = rng.uniform(0.42, 0.6), rng.uniform(0.14, 0.22)
    y, x = (np.linspace(-1, 1, extent, dtype=np.float32) for extent in picture.shape[:2])
    gray = cv2.transform(picture, Gray[None]) * (
        1 - rng.uniform(0, 0.18) * (y[:, None] ** 2 + x**2)
    )
    for _ in range(2):
        mean, deviation = brushes.moments(gray)
        gray = np.clip((gray - mean) * (contrast / deviation) + exposure, 0.02, 0.98)
    gray += rng.uniform(0, 0.03) * brushes.normal(rng, gray.shape)

    cast = rng.normal(0.012, 0.025) * WARM + (-0.012, 0.008, -0.008)
    share, saturation = 1 + rng.normal(0.05, 0.06) * WARM, rng.uniform(0.025, 0.065)
    how = cv2.COVAR_NORMAL | cv2.COVAR_ROWS | cv2.COVAR_SCALE
    some = picture[::2, ::2].reshape(-1, 3)
    covariance, average = cv2.calcCovarMatrix(some, np.zeros((1, 3)), how, ctype=cv2.CV_64F)
    along = 0.1 + 0.9 * (covariance @ Gray) / (Gray @ covariance @ Gray + 1e-6)
    apart = np.eye(3) - np.outer(along, Gray)
    apart *= min(1.6, saturation / (np.sqrt(np.trace(apart @ covariance @ apart.T) / 3) + 1e-3))
    colors = cv2.transform(picture, np.column_stack([apart, cast - apart @ average[0]]))
    toned = brushes.between([exposure * (1 - share), exposure * (1 - share) + share], gray)
    return np.asarray(cv2.add(colors, toned), np.float32)
