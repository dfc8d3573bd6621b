"""Painting tools of scenes: colors, noise, masks and strokes."""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Rng = np.random.Generator

#: An unfinished picture (height, width, 3), a map of tones or opacities, or a color.
Floats = NDArray[np.float32]

Shape = tuple[int, int]

T = TypeVar("T")

#: Dark and light colors of the materials other than sky and walls.
RAMPS = {
    "grass": ("1e3212 96af50", "3c3719 d7c378", "2d371e a5b482", "46321e cdaa6e"),
    "leaves": ("0f1e0c 6e913c", "14201c 78966e", "371c0e d2913c", "282814 beb45a"),
    "rock": ("2d2d32 bebcb9", "3c2a22 cdaa8c", "283037 e1e6f0"),
    "water": ("14324b 96bed2", "283c41 bec8c8", "0f4150 a0d7cd"),
    "sand": ("82694b e6d2aa", "5f554b c8beaf"),
    "bark": ("191410 826e5a", "32302e d7d2c8"),
    "road": ("323237 82807d", "4b443c aaa091"),
    "roof": ("3c1e16 b4644b", "282a30 787a80"),
}


class Scene(NamedTuple):
    """State of a scene shared by all painting functions."""

    picture: Floats
    rng: Rng
    #: Color of the air at the horizon; distant objects fade into it.
    air: Floats
    #: 1/256 of the shorter side of the picture, in pixels.
    unit: float

    @property
    def shape(self) -> Shape:
        """Height and width."""
        height, width, _ = self.picture.shape
        return height, width

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return self.shape[0]

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return self.shape[1]


def pick(rng: Rng, choices: Sequence[T]) -> T:
    """Draw one of the choices uniformly."""
    return choices[int(rng.integers(len(choices)))]


def colors(names: str) -> list[Floats]:
    """Parse hexadecimal colors."""
    return [from_bytes(np.frombuffer(bytes.fromhex(name), np.uint8)) for name in names.split()]


def ramp(scene: Scene, name: str, haze: float = 0.0) -> list[Floats]:
    """Draw a ramp, vary its colors slightly and fade it into the air."""
    tint = 1 + 0.07 * normal(scene.rng, (3,))
    chosen = colors(pick(scene.rng, RAMPS[name]))
    return [color * tint + haze * (scene.air - color * tint) for color in chosen]


def normal(rng: Rng, shape: tuple[int, ...]) -> Floats:
    """Draw from the standard normal distribution."""
    return rng.standard_normal(shape, np.float32)


def noise(
    rng: Rng,
    shape: Shape,
    period: float,
    octaves: int = 4,
    stretch: float = 1.0,
    fall: float = 0.65,
) -> Floats:
    """Draw fractal noise with mean 0 and variance 1, stretched horizontally by ``stretch``.

    Each octave has half the period of the one before and ``fall`` times its amplitude.
    """
    total = np.zeros((1, 1), np.float32)
    for octave in range(octaves):
        lengths = max(period / 2**octave, 1.0), max(period * stretch / 2**octave, 1.0)
        rows, columns = (
            int(extent / length) + 2 for extent, length in zip(shape, lengths, strict=True)
        )
        total = _resized(total, (rows, columns)) + fall**octave * normal(rng, (rows, columns))
    total = _resized(total, shape)
    mean, deviation = moments(total)
    return (total - mean) / (deviation + 1e-6)


def moments(values: Floats) -> tuple[float, float]:
    """Compute mean and standard deviation."""
    mean, deviation = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(deviation[0, 0])


def _resized(values: Floats, shape: Shape) -> Floats:
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def tones(noise: Floats, mean: float, spread: float) -> Floats:
    """Scale noise to tones of a mean and standard deviation, and clip to [0, 1]."""
    return np.asarray(np.clip(mean + spread * noise, 0, 1), np.float32)


def paint(picture: Floats, tones: Floats, ramp: Sequence[Floats], mask: Floats) -> None:
    """Blend a texture into the picture by a mask."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if len(rows) > 0:
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        cover(picture[part], between(ramp, tones[part]), mask[part])


def between(colors: Sequence[Floats], shares: Floats) -> Floats:
    """Interpolate between two colors, pixel by pixel."""
    first, second = colors
    mixed = [a + shares * (b - a) for a, b in zip(first, second, strict=True)]
    return np.asarray(cv2.merge(mixed), np.float32)


def cover(picture: Floats, colors: Any, mask: Floats) -> None:
    """Blend colors into the picture by a mask."""
    picture[:] = cv2.blendLinear(colors, picture, mask, 1 - mask)


def below(shape: Shape, line: Floats) -> Floats:
    """Return the mask below a line, given as a row per column, antialiased over one pixel."""
    return tones(np.arange(shape[0], dtype=np.float32)[:, None] - line, 0.5, 1)


def fixed(points: ArrayLike) -> NDArray[np.int32]:
    """Convert points to OpenCV's fixed-point coordinates, in sixteenths of a pixel."""
    return np.asarray(np.rint(np.asarray(points) * 16), np.int32)


def polygon(shape: Shape, points: ArrayLike) -> Floats:
    """Return the antialiased mask of a polygon."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [fixed(points)], 255, cv2.LINE_AA, 4)
    return from_bytes(mask)


def strokes(tones: NDArray[np.uint8], lines: ArrayLike, tone: float, thickness: float) -> None:
    """Draw polylines (n, points, 2) of one tone."""
    value, width = int(255 * np.clip(tone, 0, 1)), max(1, round(thickness))
    cv2.polylines(tones, list(fixed(lines)), False, value, width, cv2.LINE_AA, 4)


def to_bytes(tones: Floats) -> NDArray[np.uint8]:
    """Convert tones to uint8 for drawing with OpenCV."""
    return (tones * 255).astype(np.uint8)


def from_bytes(tones: NDArray[np.uint8]) -> Floats:
    """Convert uint8 to tones."""
    return tones.astype(np.float32) * np.float32(1 / 255)


def discs(turns: NDArray[np.float64], radius: float, flat: float = 1.0) -> NDArray[np.float64]:
    """Return the points of an ellipse at these angles."""
    return np.stack([radius * np.cos(turns), radius * flat * np.sin(turns)], axis=1)
