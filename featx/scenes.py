"""Scenes drawn by the program: cities and landscapes, each different, for work without data.

They are made so that what the lecture says of photographs holds: how much edge there is does not
tell a city from a landscape, and how much of it lies in long vertical lines does. Grass, leaves,
stones and waves have as many edges as facades, but short, bent or level ones; trunks are upright
too. What a camera does, exposure, contrast, colour, sharpness and noise, is drawn from the same
distributions for both classes, so that no mean and no variance tells them apart.

A scene is painted from back to front. A *texture* is a map of tones in [0, 1], a *ramp* the two
colours between which its tones lie, and a *mask* says where it covers what is behind it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from numbers import Integral
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from featx.constraints import Each, Interval, StrOptions, natural, validate
from featx.writing import new_folder

Rng = np.random.Generator
#: A picture in the making (height, width, 3), a map of tones or of opacities, or a colour.
Floats = NDArray[np.float32]
Shape = tuple[int, int]
T = TypeVar("T")

LABELS = ("city", "landscape")

#: Colours of a sky, at its top and at the horizon.
SKIES = ("4678c8 bed7f0", "6996cd e1e6eb", "96a0af d7d7d7", "5a5f82 f5be96", "7887a0 f0e1c8")

#: Dark and light colours of what is neither sky nor wall.
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

#: Colours of walls.
WALLS = ("96503c", "c8b496", "afaaa5", "786e69", "d7cdbe", "a5825a", "6e7d8c", "be9678", "555f69")


class _Layer(NamedTuple):
    """A range of hills, or a stretch of water or of meadow."""

    texture: str
    ramp: str
    #: Between which rows it begins, and how far its outline strays, in heights of the picture.
    top: tuple[float, float]
    roughness: float
    #: How far the air hides it.
    haze: float = 0.0


_PEAKS = _Layer("rock", "rock", (0.15, 0.35), 0.12, 0.4)
#: What landscapes are made of, from back to front.
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


class _Scene(NamedTuple):
    """What every brush needs."""

    picture: Floats
    rng: Rng
    #: The colour of the air at the horizon, into which what is far away fades.
    air: Floats
    #: 1/256 of the picture's shorter side, in pixels.
    unit: float

    @property
    def shape(self) -> Shape:
        height, width, _ = self.picture.shape
        return height, width

    @property
    def height(self) -> int:
        return self.shape[0]

    @property
    def width(self) -> int:
        return self.shape[1]


def make_scenes(
    n: int = 200, size: tuple[int, int] = (256, 256), seed: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Draw cities and landscapes.

    Parameters
    ----------
    n : int, default=200
        How many images, half of them cities; where ``n`` is odd, one class has one more.
    size : (int, int), default=(256, 256)
        Height and width, at least 64 pixels each.
    seed : int, default=0
        Which scenes. Image i of a seed is the same whatever ``n``.

    Returns
    -------
    images : ndarray of uint8, shape (n, height, width, 3)
        RGB images.
    labels : ndarray of str, shape (n,)
        ``"city"`` or ``"landscape"``.

    Raises
    ------
    ValueError
        If an argument is not as above.

    See Also
    --------
    featx.load_dataset : Photographs, from folders.

    Notes
    -----
    The same versions of NumPy and OpenCV give the same images.

    Examples
    --------
    >>> from featx import make_scenes
    >>> images, labels = make_scenes(n=4, size=(64, 96))
    >>> images.shape
    (4, 64, 96, 3)
    >>> sorted(labels.tolist())
    ['city', 'city', 'landscape', 'landscape']
    """
    _check("make_scenes", n=n, size=size, seed=seed)
    labels = _labels(n, seed)
    images = np.empty((n, *size, 3), np.uint8)
    for index, label in enumerate(labels):
        images[index] = _draw(str(label), size, _stream(seed, index))
    return images, labels


def draw_scene(label: str, size: tuple[int, int], rng: Rng) -> NDArray[np.uint8]:
    """Draw one scene.

    Parameters
    ----------
    label : {"city", "landscape"}
        What is drawn.
    size : (int, int)
        Height and width, at least 64 pixels each.
    rng : numpy.random.Generator
        Where chance comes from.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        An RGB image.

    Raises
    ------
    ValueError
        If an argument is not as above.

    Examples
    --------
    >>> import numpy as np
    >>> from featx.scenes import draw_scene
    >>> draw_scene("city", (64, 96), np.random.default_rng(0)).shape
    (64, 96, 3)
    """
    _check("draw_scene", label=label, size=size, rng=rng)
    return _draw(label, size, rng)


def write_scenes(
    folder: str | Path,
    n: int = 200,
    size: tuple[int, int] = (256, 256),
    seed: int = 0,
    progress: Callable[[int], Any] | None = None,
) -> None:
    """Write the images of `make_scenes` as PNG files into one sub-folder for each class.

    Image 12 is ``city/0012.png`` or ``landscape/0012.png``. The folder is there whole or not at
    all: the files are written beside it, and moved when all are there.

    Parameters
    ----------
    folder : str or Path
        A folder that does not exist yet, or is empty.
    n, size, seed
        As in `make_scenes`.
    progress : callable, optional
        Called after each file with the number of files written.

    Raises
    ------
    ValueError
        If an argument is not as above, or the folder is there and not empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from featx.scenes import write_scenes
    >>> with TemporaryDirectory() as place:
    ...     write_scenes(Path(place) / "scenes", n=2, size=(64, 64))
    ...     sorted(file.parent.name for file in Path(place).glob("scenes/*/*.png"))
    ['city', 'landscape']
    """
    _check("write_scenes", n=n, size=size, seed=seed)
    digits = max(4, len(str(n - 1)))
    with new_folder(folder) as unfinished:
        for label in LABELS:
            (unfinished / label).mkdir()
        for index, label in enumerate(_labels(n, seed)):
            image = _draw(str(label), size, _stream(seed, index))
            code = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
            (unfinished / label / f"{index:0{digits}}.png").write_bytes(code.tobytes())
            if progress is not None:
                progress(index + 1)


_CONSTRAINTS: dict[str, list[Any]] = {
    "n": [natural],
    "size": [Each(Interval(Integral, 64, None, closed="left"), length=2)],
    "seed": [Interval(Integral, 0, None, closed="left")],
    "label": [StrOptions(set(LABELS))],
    "rng": [Rng],
}


def _check(owner: str, **arguments: Any) -> None:
    validate({name: _CONSTRAINTS[name] for name in arguments}, arguments, owner)


def _labels(n: int, seed: int) -> NDArray[np.str_]:
    """Shuffle the two classes within each pair, so that more images leave the first as they are."""
    pairs = [np.random.default_rng([seed, 0, pair]).permutation(2) for pair in range((n + 1) // 2)]
    return np.asarray(LABELS)[np.concatenate(pairs)[:n]]


def _stream(seed: int, index: int) -> Rng:
    return np.random.default_rng([seed, 1, index])


def _draw(label: str, size: tuple[int, int], rng: Rng) -> NDArray[np.uint8]:
    zenith, air = _colors(_pick(rng, SKIES))
    scene = _Scene(np.zeros((*size, 3), np.float32), rng, air, min(size) / 256)
    _sky(scene, zenith)
    if label == "landscape":
        _landscape(scene)
    else:
        _pick(rng, CITIES)(scene)
    return _photograph(scene)


# Brushes.


def _pick(rng: Rng, choices: Sequence[T]) -> T:
    return choices[int(rng.integers(len(choices)))]


def _colors(names: str) -> list[Floats]:
    return [_from_bytes(np.frombuffer(bytes.fromhex(name), np.uint8)) for name in names.split()]


def _ramp(scene: _Scene, name: str, haze: float = 0.0) -> list[Floats]:
    """Choose a ramp, vary it a little, and fade it into the air."""
    tint = 1 + 0.07 * _normal(scene.rng, (3,))
    colors = _colors(_pick(scene.rng, RAMPS[name]))
    return [color * tint + haze * (scene.air - color * tint) for color in colors]


def _normal(rng: Rng, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape, np.float32)


def _noise(
    rng: Rng,
    shape: Shape,
    period: float,
    octaves: int = 4,
    stretch: float = 1.0,
    fall: float = 0.65,
) -> Floats:
    """Draw random hills and hollows, with mean 0 and variance 1, ``stretch`` times as wide.

    Each octave has half the period of the one before, and ``fall`` times its height.
    """
    total = np.zeros((1, 1), np.float32)
    for octave in range(octaves):
        lengths = max(period / 2**octave, 1.0), max(period * stretch / 2**octave, 1.0)
        rows, columns = (
            int(extent / length) + 2 for extent, length in zip(shape, lengths, strict=True)
        )
        total = _resized(total, (rows, columns)) + fall**octave * _normal(rng, (rows, columns))
    total = _resized(total, shape)
    mean, deviation = _moments(total)
    return (total - mean) / (deviation + 1e-6)


def _moments(values: Floats) -> tuple[float, float]:
    """Compute mean and standard deviation."""
    mean, deviation = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(deviation[0, 0])


def _resized(values: Floats, shape: Shape) -> Floats:
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _tones(noise: Floats, mean: float, spread: float) -> Floats:
    return np.asarray(np.clip(mean + spread * noise, 0, 1), np.float32)


def _paint(picture: Floats, tones: Floats, ramp: Sequence[Floats], mask: Floats) -> None:
    """Cover the picture with a texture, where the mask says so."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if len(rows) > 0:
        part = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        _cover(picture[part], _between(ramp, tones[part]), mask[part])


def _between(colors: Sequence[Floats], shares: Floats) -> Floats:
    """Mix two colours, pixel by pixel."""
    first, second = colors
    mixed = [a + shares * (b - a) for a, b in zip(first, second, strict=True)]
    return np.asarray(cv2.merge(mixed), np.float32)


def _cover(picture: Floats, colors: Any, mask: Floats) -> None:
    picture[:] = cv2.blendLinear(colors, picture, mask, 1 - mask)


def _below(shape: Shape, line: Floats) -> Floats:
    """Mask what is below a line, a row for each column, softly over one pixel."""
    return _tones(np.arange(shape[0], dtype=np.float32)[:, None] - line, 0.5, 1)


def _fixed(points: ArrayLike) -> NDArray[np.int32]:
    """Give points as OpenCV draws them smoothly: in sixteenths of a pixel."""
    return np.asarray(np.rint(np.asarray(points) * 16), np.int32)


def _polygon(shape: Shape, points: ArrayLike) -> Floats:
    """Mask a polygon, softly along its edges."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, 4)
    return _from_bytes(mask)


def _strokes(tones: NDArray[np.uint8], lines: ArrayLike, tone: float, thickness: float) -> None:
    """Draw bent lines (n, points, 2) of one tone."""
    value, width = int(255 * np.clip(tone, 0, 1)), max(1, round(thickness))
    cv2.polylines(tones, list(_fixed(lines)), False, value, width, cv2.LINE_AA, 4)


def _to_bytes(tones: Floats) -> NDArray[np.uint8]:
    return (tones * 255).astype(np.uint8)


def _from_bytes(tones: NDArray[np.uint8]) -> Floats:
    return tones.astype(np.float32) * np.float32(1 / 255)


def _discs(turns: NDArray[np.float64], radius: float, flat: float = 1.0) -> NDArray[np.float64]:
    return np.stack([radius * np.cos(turns), radius * flat * np.sin(turns)], axis=1)


# The sky, and textures of the ground, which reaches from the top of its scene to the foreground.


def _sky(scene: _Scene, zenith: Floats) -> None:
    rng, shape = scene.rng, scene.shape
    depth = np.linspace(0, 1.3, scene.height, dtype=np.float32).clip(0, 1)[:, None, None]
    scene.picture[:] = zenith + depth * (scene.air - zenith)
    clouds = _noise(rng, shape, rng.uniform(30, 90) * scene.unit, 5, rng.uniform(1, 3))
    cover = 0.9 * _tones(clouds, rng.uniform(-0.7, 0.6), 0.6)
    _paint(scene.picture, _tones(clouds, 0.8, -0.25), _colors("9a9a9a f7f7f7"), cover)


def _grass(scene: _Scene) -> Floats:
    """Blades that grow longer towards the foreground."""
    rng, unit, height, width = scene.rng, scene.unit, *scene.shape
    tones = _to_bytes(_tones(_noise(rng, scene.shape, 40 * unit), 0.3, 0.12))
    longest = unit * _pick(rng, [rng.uniform(8, 22), rng.uniform(15, 60)])
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
            _strokes(tones, blades[part::4], tone, unit * (0.6 + 0.9 * depth))
    return _from_bytes(tones)


def _foliage(scene: _Scene, leaf: tuple[float, float] = (2.0, 5.0)) -> Floats:
    """Leaves in clumps that are lit from above."""
    rng, height, width = scene.rng, *scene.shape
    size = max(1.0, rng.uniform(*leaf) * scene.unit)
    clumps = _noise(rng, scene.shape, 9 * size, 3)
    lit = clumps - np.roll(clumps, -round(size), axis=0)
    tones = _to_bytes(_tones(lit, 0.25, 0.2))
    count = int(min(1200, 0.6 * width * height / size**2)) + 1
    places = rng.uniform(0, (width - 1, height - 1), (count, 2))
    half = _discs(rng.uniform(0, np.pi, count), size) * rng.uniform(0.4, 0.9, (count, 1))
    leaves = np.stack([places - half, places + half], axis=1)
    light = 0.4 * lit[tuple(places.astype(int).T[::-1])] + rng.normal(0.45, 0.15, count)
    level = np.clip(8 * light, 0, 7).astype(int)
    for tone in range(8):
        _strokes(tones, leaves[level == tone], (tone + 0.5) / 8, 0.6 * size)
    return _from_bytes(tones)


def _rock(scene: _Scene) -> Floats:
    """Slopes, rough, lit from one side."""
    rng = scene.rng
    period, stretch = rng.uniform(40, 90) * scene.unit, rng.uniform(0.6, 1.2)
    relief = _noise(rng, scene.shape, period, 6, stretch, rng.uniform(0.5, 0.65))
    across, down = (cv2.Sobel(relief, cv2.CV_32F, *axis) for axis in ((1, 0), (0, 1)))
    light = np.asarray(rng.choice([-1, 1]) * across + 0.5 * down, np.float32)
    return _tones(light / light.std(), 0.5, rng.uniform(0.18, 0.3))


def _stones(scene: _Scene) -> Floats:
    """Boulders with a lit top and a dark foot, larger towards the foreground."""
    rng, unit = scene.rng, scene.unit
    tones = _to_bytes(_tones(_noise(rng, scene.shape, 6 * unit, 3), 0.35, 0.15))
    largest = rng.uniform(10, 30)
    for depth in np.sort(rng.uniform(0, 1.1, rng.integers(90, 170))):
        radius = unit * (1.5 + largest * depth * rng.uniform(0.3, 1.1))
        center = (rng.uniform(0, scene.width), depth * scene.height)
        outline = _discs(np.sort(rng.uniform(0, 2 * np.pi, 9)), radius, 0.7)
        tone = rng.uniform(60, 150)
        for shift, size, shade in ((0.1, 1.0, 0.3), (0.0, 1.0, 1.0), (-0.12, 0.75, 1.5)):
            points = _fixed(outline * size + center + (0, shift * radius))
            cv2.fillPoly(tones, [points], int(tone * shade), cv2.LINE_AA, 4)
    return np.clip(_from_bytes(tones) + 0.06 * _noise(rng, scene.shape, 3 * unit, 2), 0, 1)


def _water(scene: _Scene) -> Floats:
    """Waves, closer to each other towards the horizon, and foam."""
    rng, height, width = scene.rng, *scene.shape
    tile = _noise(rng, (256, 256), rng.uniform(7, 14), 4, 1.4)
    near = np.linspace(0.008, 0.6, height)[:, None]
    x = 128 + (np.arange(width) - width / 2) / scene.unit * 0.35 / near**0.5
    y = np.broadcast_to(rng.uniform(15, 50) / near, x.shape)
    places = x.astype(np.float32), y.astype(np.float32)
    mirror = cv2.BORDER_REFLECT_101
    waves = np.asarray(cv2.remap(tile, *places, cv2.INTER_LINEAR, borderMode=mirror), np.float32)
    foam = _tones(waves, -2 * rng.uniform(0.9, 1.8), 2)
    return np.clip(_tones(waves, 0.4, rng.uniform(0.1, 0.2)) + 0.4 * foam, 0, 1)


def _sand(scene: _Scene) -> Floats:
    """Ripples and grains, of a beach or a road."""
    rng = scene.rng
    ripples = _noise(rng, scene.shape, 8 * scene.unit, 3, rng.uniform(1.5, 4))
    return np.clip(0.55 + 0.12 * ripples + rng.uniform(0, 0.1) * _normal(rng, scene.shape), 0, 1)


TEXTURES: dict[str, Callable[[_Scene], Floats]] = {
    "grass": _grass,
    "foliage": _foliage,
    "canopy": partial(_foliage, leaf=(1.2, 2.6)),
    "rock": _rock,
    "stones": _stones,
    "water": _water,
    "sand": _sand,
}


def _ground(scene: _Scene, texture: str, ramp: str, line: Floats, haze: float = 0.0) -> None:
    """Cover everything below a line with a texture."""
    top = max(0, int(line.min()))
    part = scene._replace(picture=scene.picture[top:])
    tones = TEXTURES[texture](part)
    _paint(part.picture, tones, _ramp(scene, ramp, haze), _below(part.shape, line - top))


def _outline(scene: _Scene, row: float, roughness: float = 0.0) -> Floats:
    """Draw the outline of hills about a row: how high they are in each column."""
    line, count = np.full(scene.width, row), scene.rng.integers(3, 6)
    for octave in range(7):
        heights = (
            scene.rng.standard_normal(count * 2**octave) * roughness * scene.height / 2**octave
        )
        places = np.linspace(0, len(heights) - 1, scene.width)
        line += np.interp(places, np.arange(len(heights)), heights)
    return line.astype(np.float32)


# Landscapes, and trees, which grow in cities too.


def _landscape(scene: _Scene) -> None:
    rng, height = scene.rng, scene.height
    if rng.random() < 0.08:
        _wood(scene)
        return
    layers = _pick(rng, LAYERS)
    for layer in layers:
        line = _outline(scene, rng.uniform(*layer.top) * height, layer.roughness)
        _ground(scene, layer.texture, layer.ramp, line, layer.haze * rng.uniform(0.5, 1.5))
    species = _pick(rng, SPECIES)
    if layers[-1].texture in ("grass", "canopy"):
        for x in rng.uniform(0, scene.width, rng.integers(0, 6)):
            base = min(float(line[int(x)]) + rng.uniform(0.02, 0.2) * height, height)
            _tree(scene, x, base, rng.uniform(0.2, 0.6) * height, species)


def _wood(scene: _Scene) -> None:
    """Trunks before leaves."""
    rng, height = scene.rng, scene.height
    _ground(scene, "canopy", "leaves", _outline(scene, rng.uniform(-0.2, 0.3) * height, 0.06), 0.3)
    line = _outline(scene, rng.uniform(0.65, 0.85) * height, 0.02)
    for x in rng.uniform(0, scene.width, rng.integers(4, 14)):
        tall = rng.uniform(0.7, 1.6) * height
        _trunk(scene, x, float(line[int(x)]) + rng.uniform(0, 0.15) * height, tall, tall)
    _ground(scene, _pick(rng, ["grass", "foliage"]), "grass", line + 0.08 * height)


def _trunk(scene: _Scene, x: float, base: float, tall: float, length: float) -> float:
    """Draw so much of a tree's trunk, a little bent, and tell in which column it ends."""
    rng, steps = scene.rng, np.linspace(0, 1, 7)
    half = tall * rng.uniform(0.012, 0.03) * (1 - 0.6 * steps)
    spine = x + (np.cumsum(rng.normal(0, 0.018, 7)) + rng.normal(0, 0.06) * steps) * length
    rows = base - steps * length
    left, right = (np.stack([spine + side * half, rows], axis=1) for side in (-1, 1))
    across = (np.arange(scene.width, dtype=np.float32) - x) / float(half[1])
    bark = 0.16 * _noise(rng, scene.shape, 10 * scene.unit, 3, 0.4)
    bark += rng.choice([-0.2, 0.2]) * np.clip(across, -1, 1).astype(np.float32)
    mask = _polygon(scene.shape, np.concatenate([left, right[::-1]]))
    _paint(scene.picture, _tones(bark, 0.45, 1), _ramp(scene, "bark", 0.3), mask)
    return float(spine[-1])


class _Species(NamedTuple):
    """How a tree grows, in heights of the tree."""

    trunk: float
    width: tuple[float, float]
    pointed: bool


BROADLEAF = _Species(0.6, (0.2, 0.4), False)
SPECIES = (BROADLEAF, _Species(0.3, (0.12, 0.2), True))


def _tree(scene: _Scene, x: float, base: float, tall: float, species: _Species) -> None:
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
    ragged = 0.12 * _noise(rng, part.shape, 12 * scene.unit) - edge.astype(np.float32)
    leaves = _foliage(part, (1.5, 4.0))
    _paint(part.picture, leaves, _ramp(part, "leaves"), _tones(ragged, 0, 8))


# Facades.

#: Widths and heights of windows, in those of a bay.
WINDOWS = ((0.5, 0.6), (0.6, 0.55), (0.4, 0.65), (0.35, 0.6), (0.8, 0.5), (0.75, 0.8))


def _floors(rng: Rng, floors: int, columns: int, cell: Shape, wall: Floats) -> Floats:
    """Floors of like windows, seen from straight in front; behind each is another light."""
    bay, pane = _bay(rng, cell, wall)
    facade, panes = np.tile(bay, (floors, columns, 1)), np.tile(pane, (floors, columns))
    lights = rng.normal(1, 0.4, (floors, columns)).clip(0.3, 2.5)
    lights += 1.5 * (rng.random(lights.shape) < rng.uniform(0, 0.2))
    light = np.kron(lights, np.ones(cell)).astype(np.float32)
    light *= 1 + 0.3 * _noise(rng, panes.shape, 1.5 * cell[1], 2)
    glass = rng.uniform(0.05, 0.4) * (1 + 0.05 * _normal(rng, (3,)))
    _paint(facade, light, (0 * glass, glass), panes)
    return facade


def _bay(rng: Rng, cell: Shape, wall: Floats) -> tuple[Floats, Floats]:
    """One window in its piece of wall, and the mask of its panes."""
    rows, columns = cell
    wide, high = _pick(rng, WINDOWS)
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
    """Floors above a ground floor with larger windows, and a cornice; weathered."""
    rows, bay = cell
    (wall,) = _colors(_pick(rng, WALLS))
    wall = np.clip(wall * rng.uniform(0.7, 1.15) * (1 + 0.07 * _normal(rng, (3,))), 0, 1)
    facade = _floors(rng, floors, columns, cell, wall)
    if floors > 1 and rng.random() < 0.7:
        shops = _floors(rng, 1, max(1, columns // 2), (rows, 2 * bay), wall * rng.uniform(0.6, 1.2))
        facade[-rows:] = cv2.resize(shops, (facade.shape[1], rows))
    facade[: max(1, rows // 5)] = wall * rng.uniform(0.5, 1.3)
    shape = (floors * rows, columns * bay)
    grain = rng.uniform(0.02, 0.14) * _noise(rng, shape, rng.uniform(2, 6), 2, 2.0)
    weather = 1 + grain + 0.07 * _noise(rng, shape, 3 * rows, 2)
    return np.asarray(np.clip(facade * cv2.merge([weather] * 3), 0, 1), np.float32)


class _Wall(NamedTuple):
    """Where a wall stands in the picture: its left and right columns, and the rows there."""

    x: Sequence[float] | NDArray[np.float64]
    tops: Sequence[float] | NDArray[np.float64]
    feet: Sequence[float] | NDArray[np.float64]


def _build(
    scene: _Scene, wall: _Wall, floors: float, columns: float, light: float, haze: float = 0.0
) -> None:
    """Put a facade with so many floors and columns of windows where the wall stands."""
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
    mask = _polygon(extent[::-1], points - low)
    _cover(scene.picture[low[1] : high[1], low[0] : high[0]], cv2.transform(seen, lit), mask)


# Cities.

#: What lies before a skyline: texture, ramp and roughness of its outline.
FOREGROUNDS = (("water", "water", 0.0), ("canopy", "leaves", 0.02), ("grass", "grass", 0.01))


def _skyline(scene: _Scene) -> None:
    """Towers one behind the other, beyond water, grass or trees."""
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
            front = _Wall((x, corner), (top, top), (ground, ground))
            side = _Wall((corner, end), (top, drop), (ground, ground))
            _build(scene, front, tall / floor, (corner - x) / floor, 1.0, haze)
            _build(scene, side, tall / floor, (end - corner) / floor, rng.uniform(0.5, 0.9), haze)
            x = end + rng.exponential(22) * unit
    texture, ramp, roughness = _pick(rng, FOREGROUNDS)
    _ground(scene, texture, ramp, _outline(scene, ground, roughness))


def _street(scene: _Scene) -> None:
    """Houses on both sides of a road, towards a vanishing point."""
    rng, height, width = scene.rng, *scene.shape
    middle, horizon = rng.uniform(0.3, 0.7) * width, rng.uniform(0.5, 0.68) * height
    _ground(scene, "sand", "road", _outline(scene, horizon))
    avenue = rng.random() < 0.35
    for edge in (0, width):
        foot = rng.uniform(0.25, 0.45) * height / abs(edge - middle)
        light = rng.uniform(0.5, 1.1)
        borders = [0.08, *sorted(rng.uniform(0.2, 0.8, rng.integers(1, 4)).tolist()), 1.0]
        for far, near in pairwise(borders):
            rise = rng.uniform(1.6, 4.5) * foot
            ends = np.array([far, near]) * (edge - middle)
            away = np.abs(ends)
            wall = _Wall(middle + ends, horizon - rise * away, horizon + foot * away)
            # Floors and bays are somewhat smaller than the eye's height above the road.
            columns = float(1.2 * width * (1 / away[0] - 1 / away[1]) / foot)
            shade, haze = light * rng.uniform(0.85, 1.15), 0.4 * (1 - far) ** 2
            _build(scene, wall, 1.2 * (rise / foot + 1), columns, shade, haze)
        for near in (0.2, 0.45, 0.7, 0.95) if avenue else ():
            tall = foot * near * abs(edge - middle)
            x = middle + 0.85 * near * (edge - middle)
            _tree(scene, x, horizon + tall, rng.uniform(1.5, 3) * tall, BROADLEAF)
    for _ in range(rng.integers(0, 4)):
        base = rng.uniform(horizon + 14 * scene.unit, height)
        _car(scene, rng.uniform(0.1, 0.9) * width, base, horizon)


def _row(scene: _Scene) -> None:
    """Houses side by side, some with a pitched roof, across a street."""
    rng, unit, height, width = scene.rng, scene.unit, *scene.shape
    ground, slope = rng.uniform(0.75, 0.92) * height, rng.uniform(-0.1, 0.1)
    x, floor = rng.uniform(-60, 0) * unit, rng.uniform(20, 45) * unit
    while x < width:
        wide, tall = rng.uniform(40, 120) * unit, rng.uniform(0.3, 0.8) * height
        ends = np.array([x, x + wide])
        fall = slope * (ends - width / 2)
        wall = _Wall(ends, ground - tall - fall, ground + 0.3 * fall)
        if rng.random() < 0.6:
            _roof(scene, wall)
        size = floor * rng.uniform(0.8, 1.2)
        _build(scene, wall, tall / size, wide / size, rng.uniform(0.7, 1.1))
        x += wide + _pick(rng, [0, 0, 25]) * unit * rng.random()
    _ground(scene, "sand", "road", _outline(scene, ground))
    for x in rng.uniform(0, width, rng.integers(0, 4)):
        tall = rng.uniform(0.25, 0.7) * height
        _tree(scene, x, rng.uniform(ground, height), tall, _pick(rng, SPECIES))
    for x in rng.uniform(0, width, rng.integers(0, 3)):
        _car(scene, x, rng.uniform(ground + 4 * unit, height), ground - 20 * unit)


def _roof(scene: _Scene, wall: _Wall) -> None:
    """Pitch a roof on a wall."""
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
    tiles = _tones(_noise(scene.rng, scene.shape, 4 * scene.unit, 2, 2.0), 0.5, 0.2)
    _paint(scene.picture, tiles, _ramp(scene, "roof"), _polygon(scene.shape, slopes))


def _front(scene: _Scene) -> None:
    """One building's corner, from close by and from below."""
    rng, height, width = scene.rng, *scene.shape
    corner, floor = rng.uniform(-0.1, 1.1) * width, rng.uniform(22, 56) * scene.unit
    roof, foot = rng.uniform(-0.4, 0.3) * height, rng.uniform(0.85, 1.3) * height
    _ground(scene, "sand", "road", _outline(scene, 0.75 * height))
    for edge in (-0.2 * width, 1.2 * width):
        away = abs(edge - corner) / width * height
        tops, feet = (
            (roof, roof + rng.uniform(0, 0.5) * away),
            (foot, foot - rng.uniform(0, 0.2) * away),
        )
        columns = abs(edge - corner) / (floor * rng.uniform(0.7, 1.1))
        wall = _Wall((corner, edge), tops, feet)
        _build(scene, wall, (foot - roof) / floor, columns, rng.uniform(0.5, 1.1))
    for x in rng.uniform(0, width, rng.integers(0, 3)):
        base, tall = rng.uniform(0.95, 1.2) * height, rng.uniform(0.4, 0.9) * height
        _tree(scene, x, base, tall, BROADLEAF)


CITIES = (_skyline, _street, _row, _front)

#: The outlines of a car, of its windows and of its wheels; its height is 1.
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
WHEEL = _discs(np.linspace(0, 2 * np.pi, 16), 0.28)


def _car(scene: _Scene, x: float, base: float, horizon: float) -> None:
    """Draw a car from the side, of a size that suits its distance."""
    size = (base - horizon) * scene.rng.uniform(0.35, 0.5)
    paint = scene.rng.uniform(0.15, 0.85) * (1 + 0.1 * _normal(scene.rng, (3,)))
    wheels = [(np.add(WHEEL, (place, 0)), 0.1) for place in (-0.9, 0.9)]
    for outline, shade in ((CAR, 1.0), (CAR_WINDOWS, 0.25), *wheels):
        mask = _polygon(scene.shape, np.asarray(outline) * size + (x, base))
        _paint(scene.picture, mask, (paint * shade, paint * shade), mask)


# The camera, which is the same for both classes.


def _photograph(scene: _Scene) -> NDArray[np.uint8]:
    """Tilt, blur, grade and compress."""
    rng, picture = scene.rng, _tilted(scene)
    cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9) * scene.unit, picture)
    pixels = cv2.convertScaleAbs(np.clip(_graded(picture, rng), 0, 1), alpha=255)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))]
    code = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)[1]
    seen = np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(seen[..., ::-1])


def _tilted(scene: _Scene) -> Floats:
    """Hold the camera a little askew, and up or down."""
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


GREY = np.array([0.299, 0.587, 0.114])
WARM = np.array([1.0, 0.1, -1.2], np.float32)


def _graded(picture: Floats, rng: Rng) -> Floats:
    """Give the picture an exposure, a contrast and colours that do not depend on what it shows.

    Means and standard deviations of grey and of colour are drawn; what of the colours goes along
    with the grey values is replaced by a drawn share. Corners are darker; noise is grey.
    """
    exposure, contrast = rng.uniform(0.42, 0.6), rng.uniform(0.14, 0.22)
    y, x = (np.linspace(-1, 1, extent, dtype=np.float32) for extent in picture.shape[:2])
    grey = cv2.transform(picture, GREY[None]) * (
        1 - rng.uniform(0, 0.18) * (y[:, None] ** 2 + x**2)
    )
    for _ in range(2):
        mean, deviation = _moments(grey)
        grey = np.clip((grey - mean) * (contrast / deviation) + exposure, 0.02, 0.98)
    grey += rng.uniform(0, 0.03) * _normal(rng, grey.shape)

    cast = rng.normal(0.012, 0.025) * WARM + (-0.012, 0.008, -0.008)
    share, saturation = 1 + rng.normal(0.05, 0.06) * WARM, rng.uniform(0.025, 0.065)
    how = cv2.COVAR_NORMAL | cv2.COVAR_ROWS | cv2.COVAR_SCALE
    some = picture[::2, ::2].reshape(-1, 3)
    covariance, average = cv2.calcCovarMatrix(some, np.zeros((1, 3)), how, ctype=cv2.CV_64F)
    along = 0.1 + 0.9 * (covariance @ GREY) / (GREY @ covariance @ GREY + 1e-6)
    apart = np.eye(3) - np.outer(along, GREY)
    apart *= min(1.6, saturation / (np.sqrt(np.trace(apart @ covariance @ apart.T) / 3) + 1e-3))
    colors = cv2.transform(picture, np.column_stack([apart, cast - apart @ average[0]]))
    toned = _between([exposure * (1 - share), exposure * (1 - share) + share], grey)
    return np.asarray(cv2.add(colors, toned), np.float32)
