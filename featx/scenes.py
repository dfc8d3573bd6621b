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
Color = tuple[int, int, int]
T = TypeVar("T")

LABELS = ("city", "landscape")

#: Colours of a sky, at the top and at the horizon.
SKIES: tuple[tuple[Color, Color], ...] = (
    ((70, 120, 200), (190, 215, 240)),
    ((105, 150, 205), (225, 230, 235)),
    ((150, 160, 175), (215, 215, 215)),
    ((90, 95, 130), (245, 190, 150)),
    ((120, 135, 160), (240, 225, 200)),
)

#: Dark and light colours of what is neither sky nor wall.
RAMPS: dict[str, tuple[tuple[Color, Color], ...]] = {
    "grass": (
        ((30, 50, 18), (150, 175, 80)),
        ((60, 55, 25), (215, 195, 120)),
        ((35, 45, 30), (165, 180, 130)),
        ((70, 50, 30), (205, 170, 110)),
    ),
    "leaves": (
        ((15, 30, 12), (110, 145, 60)),
        ((20, 32, 28), (120, 150, 110)),
        ((55, 28, 14), (225, 150, 60)),
        ((40, 40, 20), (190, 180, 90)),
    ),
    "rock": (
        ((45, 45, 50), (190, 188, 185)),
        ((60, 42, 34), (205, 170, 140)),
        ((40, 48, 55), (225, 230, 240)),
    ),
    "water": (
        ((20, 50, 75), (150, 190, 210)),
        ((40, 60, 65), (190, 200, 200)),
        ((15, 65, 80), (160, 215, 205)),
    ),
    "sand": (((130, 105, 75), (230, 210, 170)), ((95, 85, 75), (200, 190, 175))),
    "bark": (((25, 20, 16), (130, 110, 90)), ((50, 48, 46), (215, 210, 200))),
    "road": (((50, 50, 55), (130, 128, 125)), ((75, 68, 60), (170, 160, 145))),
    "roof": (((60, 30, 22), (180, 100, 75)), ((40, 42, 48), (120, 122, 128))),
}

#: Colours of walls.
WALLS: tuple[Color, ...] = (
    (150, 80, 60),
    (200, 180, 150),
    (175, 170, 165),
    (120, 110, 105),
    (215, 205, 190),
    (165, 130, 90),
    (110, 125, 140),
    (190, 150, 120),
    (85, 95, 105),
    (170, 175, 155),
)


class Layer(NamedTuple):
    """A range of hills, a stretch of water or of meadow, seen as one."""

    #: One of `TEXTURES`.
    texture: str
    #: One of `RAMPS`.
    ramp: str
    #: Between which rows it begins, in heights of the picture.
    top: tuple[float, float]
    #: How far its outline rises and falls, in the same unit.
    roughness: float
    #: How far the air hides it.
    haze: float


#: What landscapes are made of, from back to front.
LAYERS: tuple[tuple[Layer, ...], ...] = (
    (
        Layer("rock", "rock", (0.15, 0.35), 0.12, 0.4),
        Layer("rock", "rock", (0.35, 0.5), 0.08, 0.15),
        Layer("canopy", "leaves", (0.55, 0.75), 0.04, 0.0),
    ),
    (
        Layer("rock", "rock", (0.15, 0.35), 0.12, 0.3),
        Layer("canopy", "leaves", (0.45, 0.55), 0.03, 0.1),
        Layer("grass", "grass", (0.6, 0.7), 0.02, 0.0),
    ),
    (
        Layer("rock", "rock", (0.2, 0.35), 0.1, 0.4),
        Layer("canopy", "leaves", (0.4, 0.5), 0.02, 0.2),
        Layer("water", "water", (0.52, 0.58), 0.0, 0.0),
        Layer("grass", "grass", (0.8, 0.9), 0.02, 0.0),
    ),
    (
        Layer("canopy", "leaves", (0.3, 0.4), 0.04, 0.4),
        Layer("canopy", "leaves", (0.42, 0.52), 0.04, 0.15),
        Layer("grass", "grass", (0.55, 0.65), 0.03, 0.0),
    ),
    (
        Layer("canopy", "leaves", (0.35, 0.5), 0.03, 0.25),
        Layer("grass", "grass", (0.48, 0.58), 0.01, 0.0),
    ),
    (
        Layer("rock", "rock", (0.35, 0.42), 0.04, 0.3),
        Layer("water", "water", (0.44, 0.47), 0.0, 0.0),
        Layer("sand", "sand", (0.7, 0.85), 0.02, 0.0),
    ),
    (
        Layer("water", "water", (0.3, 0.5), 0.0, 0.0),
        Layer("stones", "rock", (0.7, 0.85), 0.02, 0.0),
    ),
    (
        Layer("rock", "rock", (0.2, 0.4), 0.1, 0.3),
        Layer("stones", "rock", (0.42, 0.55), 0.03, 0.0),
    ),
)


class Scene(NamedTuple):
    """What every brush needs."""

    picture: Floats
    rng: Rng
    #: The colour of the air at the horizon, into which what is far away fades.
    air: Floats
    #: 1/256 of the picture's shorter side, in pixels.
    unit: float

    @property
    def height(self) -> int:
        """The picture's height in pixels."""
        return self.picture.shape[0]

    @property
    def width(self) -> int:
        """The picture's width in pixels."""
        return self.picture.shape[1]

    @property
    def shape(self) -> Shape:
        """Both."""
        return self.height, self.width


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
    zenith, horizon = map(_rgb, _pick(rng, SKIES))
    picture = np.empty((*size, 3), np.float32)
    scene = Scene(picture, rng, horizon, min(size) / 256)
    _sky(scene, zenith)
    if label == "landscape":
        _landscape(scene)
    else:
        _pick(rng, CITIES)(scene)
    return _photograph(scene)


# Brushes.


def _pick(rng: Rng, choices: Sequence[T]) -> T:
    return choices[rng.integers(len(choices))]


def _rgb(color: Color) -> Floats:
    return np.asarray(color, np.float32) / 255


def _ramp(scene: Scene, name: str, haze: float = 0.0) -> tuple[Floats, Floats]:
    """Choose a ramp, vary it a little, and fade it into the air."""
    tint = scene.rng.normal(1, 0.07, 3)
    dark, light = (_rgb(color) * tint for color in _pick(scene.rng, RAMPS[name]))
    return _faded(scene, dark, haze), _faded(scene, light, haze)


def _faded(scene: Scene, color: Floats, haze: float) -> Floats:
    return np.asarray(color + haze * (scene.air - color), np.float32)


def _noise(
    rng: Rng,
    shape: Shape,
    period: float,
    octaves: int = 4,
    stretch: float = 1.0,
    persistence: float = 0.65,
) -> Floats:
    """Draw random hills and hollows, with mean 0 and variance 1, ``stretch`` times as wide."""
    height, width = shape
    total = np.zeros((1, 1), np.float32)
    for octave in range(octaves):
        length = max(period / 2**octave, 1.0)
        grid = (int(height / length) + 2, int(width / max(length * stretch, 1.0)) + 2)
        total = _resized(total, grid)
        total += np.float32(persistence**octave) * scene_normal(rng, grid)
    total = _resized(total, shape)
    mean, deviation = cv2.meanStdDev(total)
    return (total - np.float32(mean[0, 0])) * np.float32(1 / (deviation[0, 0] + 1e-6))


def scene_normal(rng: Rng, shape: Shape) -> Floats:
    return rng.standard_normal(shape, np.float32)


def _resized(values: Floats, shape: Shape) -> Floats:
    return np.asarray(cv2.resize(values, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def _tones(noise: Floats, mean: float, spread: float) -> Floats:
    return np.clip(np.float32(mean) + np.float32(spread) * noise, 0, 1)


def _paint(picture: Floats, tones: Floats, ramp: tuple[Floats, Floats], mask: Floats) -> None:
    """Cover the picture with a texture, where the mask says so."""
    dark, light = ramp
    tones, mask = np.asarray(tones, np.float32), np.asarray(mask, np.float32)
    colors = cv2.transform(tones, np.stack([light - dark, dark], axis=1))
    cv2.blendLinear(colors, picture, mask, 1 - mask, picture)


def _below(shape: Shape, line: ArrayLike) -> Floats:
    """Mask what is below a row, or below a row for each column, softly over one pixel."""
    rows = np.arange(shape[0], dtype=np.float32)[:, None]
    mask = np.clip(rows - np.asarray(line, np.float32) + np.float32(0.5), 0, 1)
    return np.broadcast_to(mask, shape).copy()


def _fixed(points: ArrayLike) -> NDArray[np.int32]:
    """Give points as OpenCV draws them smoothly: in sixteenths of a pixel."""
    return np.rint(np.asarray(points) * 16).astype(np.int32)


def _polygon(shape: Shape, points: ArrayLike) -> Floats:
    """Mask a polygon, softly along its edges."""
    mask = np.zeros(shape, np.uint8)
    cv2.fillPoly(mask, [_fixed(points)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / np.float32(255)


def _strokes(tones: NDArray[np.uint8], lines: ArrayLike, tone: float, thickness: float) -> None:
    """Draw bent lines (n, points, 2) of one tone."""
    value = int(255 * np.clip(tone, 0, 1))
    width = max(1, round(thickness))
    cv2.polylines(tones, list(_fixed(lines)), False, value, width, cv2.LINE_AA, 4)


def _bytes(tones: Floats) -> NDArray[np.uint8]:
    return (tones * 255).astype(np.uint8)


def _floats(tones: NDArray[np.uint8]) -> Floats:
    return tones.astype(np.float32) / np.float32(255)


# The sky, and the textures of nature, which begin at the row ``top``.


def _sky(scene: Scene, zenith: Floats) -> None:
    rng, unit = scene.rng, scene.unit
    depth = np.linspace(0, 1.3, scene.height, dtype=np.float32).clip(0, 1)[:, None]
    everywhere = np.ones(scene.shape, np.float32)
    _paint(scene.picture, depth * everywhere, (zenith, scene.air), everywhere)
    clouds = _noise(rng, scene.shape, rng.uniform(30, 90) * unit, 5, rng.uniform(1, 3))
    white = np.full(3, rng.uniform(0.85, 1), np.float32)
    cover = _tones(clouds, rng.uniform(-0.7, 0.6), 0.6) * np.float32(0.9)
    _paint(scene.picture, _tones(clouds, 0.8, -0.25), (white * np.float32(0.6), white), cover)


def _grass(scene: Scene, top: float) -> Floats:
    """Blades that grow longer towards the foreground."""
    rng, unit, height, width = scene.rng, scene.unit, scene.height, scene.width
    tones = _bytes(_tones(_noise(rng, scene.shape, 40 * unit), 0.3, 0.12))
    longest = unit * _pick(rng, [rng.uniform(8, 22), rng.uniform(15, 60)])
    lean, contrast = rng.normal(0, 0.25), rng.uniform(0.2, 0.4)
    for depth in np.linspace(0.02, 1.1, 14):
        count = int(width / (unit * (1.1 + 1.2 * depth)))
        length = (2 * unit + longest * depth) * rng.uniform(0.5, 1.2, count)
        bend = rng.normal(lean, 0.35, count) * length
        x = rng.uniform(0, width, count)
        y = top + depth * (height - top) + rng.normal(0, 0.4, count) * length
        blades = np.stack(
            [np.stack([x + bend * t**2, y - length * t], axis=1) for t in (0, 0.6, 1)], axis=1
        )
        for part, tone in enumerate(rng.normal(0.5, contrast, 4)):
            _strokes(tones, blades[part::4], tone, unit * (0.6 + 0.9 * depth))
    return _floats(tones)


def _foliage(scene: Scene, top: float, leaf: tuple[float, float] = (2.0, 5.0)) -> Floats:
    """Leaves in clumps that are lit from above."""
    rng, height, width = scene.rng, scene.height, scene.width
    size = max(1.0, rng.uniform(*leaf) * scene.unit)
    clumps = _noise(rng, scene.shape, 9 * size, 3)
    lit = clumps - np.roll(clumps, -round(size), axis=0)
    tones = _bytes(_tones(lit, 0.25, 0.25))
    count = int(min(1200, 0.6 * width * (height - top) / size**2)) + 1
    places = rng.uniform((0, max(0, top)), (width - 1, height - 1), (count, 2))
    turn, length = rng.uniform(0, np.pi, count), size * rng.uniform(0.4, 0.9, count)
    half = np.stack([np.cos(turn), np.sin(turn)], axis=1) * length[:, None]
    leaves = np.stack([places - half, places + half], axis=1)
    light = 0.4 * lit[tuple(places.astype(int).T[::-1])] + rng.normal(0.45, 0.18, count)
    level = np.clip(8 * light, 0, 7).astype(int)
    for tone in range(8):
        _strokes(tones, leaves[level == tone], (tone + 0.5) / 8, 0.6 * size)
    return _floats(tones)


def _canopy(scene: Scene, top: float) -> Floats:
    """Trees far away."""
    return _foliage(scene, top, (1.2, 2.6))


def _rock(scene: Scene, top: float) -> Floats:
    """A rough slope that is lit from one side."""
    rng = scene.rng
    period, stretch = rng.uniform(40, 90) * scene.unit, rng.uniform(0.6, 1.2)
    relief = _noise(rng, scene.shape, period, 6, stretch, rng.uniform(0.5, 0.65))
    light = cv2.Sobel(relief, cv2.CV_32F, 1, 0) * rng.choice([-1.3, 1.3])
    light += cv2.Sobel(relief, cv2.CV_32F, 0, 1) * 0.5
    return _tones(light / (light.std() + 1e-6), 0.5, rng.uniform(0.15, 0.28))


def _stones(scene: Scene, top: float) -> Floats:
    """Boulders with a lit top and a dark foot, larger towards the foreground."""
    rng, unit = scene.rng, scene.unit
    tones = _bytes(_tones(_noise(rng, scene.shape, 6 * unit, 3), 0.35, 0.15))
    largest = rng.uniform(10, 30)
    for depth in np.sort(rng.uniform(0, 1.1, rng.integers(90, 170))):
        radius = unit * (1.5 + largest * depth * rng.uniform(0.3, 1.1))
        center = (rng.uniform(0, scene.width), top + depth * (scene.height - top))
        turn = np.sort(rng.uniform(0, 2 * np.pi, 9))
        outline = np.stack([np.cos(turn), 0.7 * np.sin(turn)], axis=1) * radius
        tone = rng.uniform(60, 150)
        for shift, size, shade in ((0.1, 1.0, 0.3), (0.0, 1.0, 1.0), (-0.12, 0.75, 1.5)):
            points = _fixed(outline * size + center + (0, shift * radius))
            cv2.fillPoly(tones, [points], min(255, int(tone * shade)), cv2.LINE_AA, 4)
    return np.clip(_floats(tones) + 0.06 * _noise(rng, scene.shape, 3 * unit, 2), 0, 1)


def _water(scene: Scene, top: float) -> Floats:
    """Waves, closer to each other towards the horizon, and foam."""
    rng, height, width = scene.rng, scene.height, scene.width
    tile = _noise(rng, (256, 256), rng.uniform(8, 16), 4, 2.0)
    near = np.arange(height, dtype=np.float32)[:, None] / height - np.float32(top / height)
    distance = 1 / np.maximum(near, 0.02)
    x = (np.arange(width, dtype=np.float32) - width / 2) / scene.unit * distance**0.5 * 0.35
    y = np.broadcast_to(distance * rng.uniform(15, 50), scene.shape)
    mirror = cv2.BORDER_REFLECT_101
    waves = cv2.remap(
        tile, x.astype(np.float32) + 128, y.astype(np.float32), cv2.INTER_LINEAR, borderMode=mirror
    )
    foam = _tones(waves, -2 * rng.uniform(0.9, 1.8), 2)
    return np.clip(_tones(waves, 0.4, rng.uniform(0.1, 0.22)) + 0.5 * foam, 0, 1)


def _sand(scene: Scene, top: float) -> Floats:
    """Ripples and grains."""
    rng = scene.rng
    ripples = _noise(rng, scene.shape, 8 * scene.unit, 3, rng.uniform(1.5, 4))
    return np.clip(0.6 + 0.12 * ripples + 0.1 * scene_normal(rng, scene.shape), 0, 1)


def _tarmac(scene: Scene, top: float) -> Floats:
    """A road that is level, with patches."""
    return _tones(_noise(scene.rng, scene.shape, 6 * scene.unit, 3, 2.0), 0.5, 0.12)


TEXTURES: dict[str, Callable[[Scene, float], Floats]] = {
    "grass": _grass,
    "foliage": _foliage,
    "canopy": _canopy,
    "rock": _rock,
    "stones": _stones,
    "water": _water,
    "sand": _sand,
    "tarmac": _tarmac,
}


def _ground(scene: Scene, texture: str, ramp: str, line: Floats, haze: float = 0.0) -> None:
    """Cover everything below a line with a texture."""
    tones = TEXTURES[texture](scene, float(line.min()))
    _paint(scene.picture, tones, _ramp(scene, ramp, haze), _below(scene.shape, line))


def _outline(scene: Scene, row: float, roughness: float) -> Floats:
    """Draw the outline of a range of hills about a row: how high it is in each column."""
    rng, width = scene.rng, scene.width
    line, count = np.full(width, row), rng.integers(3, 6)
    for octave in range(7):
        heights = rng.standard_normal(count * 2**octave) * roughness * scene.height * 0.5**octave
        line += np.interp(np.linspace(0, len(heights) - 1, width), range(len(heights)), heights)
    return line.astype(np.float32)


# Landscapes, and trees, which also grow in cities.


def _landscape(scene: Scene) -> None:
    rng, height, width = scene.rng, scene.height, scene.width
    if rng.random() < 0.2:
        _wood(scene)
        return
    layers = _pick(rng, LAYERS)
    for layer in layers:
        line = _outline(scene, rng.uniform(*layer.top) * height, layer.roughness)
        _ground(scene, layer.texture, layer.ramp, line, layer.haze * rng.uniform(0.5, 1.5))
    if layers[-1].texture in ("grass", "canopy"):
        species = _pick(rng, SPECIES)
        for x in rng.uniform(0, width, rng.integers(0, 6)):
            base = min(line[int(x)] + rng.uniform(0.02, 0.2) * height, height)
            _tree(scene, x, base, rng.uniform(0.2, 0.6) * height, species)


def _wood(scene: Scene) -> None:
    """Trunks before leaves."""
    rng, height, width = scene.rng, scene.height, scene.width
    _ground(scene, "foliage", "leaves", _outline(scene, rng.uniform(-0.2, 0.3) * height, 0.06), 0.2)
    line = _outline(scene, rng.uniform(0.65, 0.85) * height, 0.02)
    for x in rng.uniform(0, width, rng.integers(4, 16)):
        tall = rng.uniform(0.7, 1.6) * height
        _trunk(scene, x, line[int(x)] + rng.uniform(0, 0.15) * height, tall, tall)
    _ground(scene, _pick(rng, ["grass", "foliage"]), "grass", line + 0.08 * height)


def _trunk(scene: Scene, x: float, base: float, tall: float, length: float) -> tuple[float, float]:
    """Draw a trunk, a little bent, and tell where it ends."""
    rng = scene.rng
    steps = np.linspace(0, 1, 7)
    half = tall * rng.uniform(0.012, 0.035) * (1 - 0.6 * steps) * (1 + 0.5 * (steps == 0))
    spine = x + (np.cumsum(rng.normal(0, 0.012, 7)) + rng.normal(0, 0.04) * steps) * length
    rows = base - steps * length
    left, right = np.stack([spine - half, rows], 1), np.stack([spine + half, rows], 1)
    bark = _noise(rng, scene.shape, 10 * scene.unit, 3, 0.3)
    across = np.arange(scene.width, dtype=np.float32) - np.float32(x)
    round_ = np.clip(across / np.float32(2 * half[1]), -1, 1) * np.float32(rng.choice([-0.25, 0.25]))
    mask = _polygon(scene.shape, np.concatenate([left, right[::-1]]))
    _paint(scene.picture, np.clip(_tones(bark, 0.45, 0.22) + round_, 0, 1), _ramp(scene, "bark", 0.1), mask)
    return float(spine[-1]), float(rows[-1])


class Species(NamedTuple):
    """How a tree grows, in heights of the tree."""

    trunk: float
    width: tuple[float, float]
    pointed: bool


SPECIES = (Species(0.6, (0.2, 0.4), False), Species(0.3, (0.12, 0.2), True))


def _tree(scene: Scene, x: float, base: float, tall: float, species: Species) -> None:
    """A trunk and a crown of leaves."""
    left, right = (int(np.clip(x + side * 0.55 * tall, 0, scene.width)) for side in (-1, 1))
    above, under = (int(np.clip(base - part * tall, 0, scene.height)) for part in (1.15, -0.05))
    if right - left < 4 or under - above < 4:
        return
    rng = scene.rng
    part = scene._replace(picture=np.ascontiguousarray(scene.picture[above:under, left:right]))
    end, foot = _trunk(part, x - left, base - above, tall, tall * species.trunk)
    across = np.abs(np.arange(part.width, dtype=np.float32) - np.float32(end))[None]
    rows = np.arange(part.height, dtype=np.float32)[:, None] - np.float32(base - above - tall)
    half = tall * rng.uniform(*species.width)
    if species.pointed:
        reach = across / np.float32(half) - rows / np.float32(tall * 0.85)
        edge = np.maximum(reach, (rows / np.float32(0.85 * tall) - 1) * 4)
    else:
        crown = tall * rng.uniform(0.3, 0.4)
        edge = np.hypot(across / np.float32(half), rows / np.float32(crown) - 1) - 1
    mask = np.clip((0.12 * _noise(rng, part.shape, 12 * scene.unit, 4) - edge) * 8, 0, 1)
    _paint(part.picture, _foliage(part, 0, (1.5, 4.0)), _ramp(part, "leaves"), mask)
    scene.picture[above:under, left:right] = part.picture


# Facades.


def _wall_color(scene: Scene) -> Floats:
    color = _rgb(_pick(scene.rng, WALLS)) * scene.rng.normal(1, 0.07, 3)
    return np.clip(color * scene.rng.uniform(0.7, 1.15), 0, 1).astype(np.float32)


def _bay(rng: Rng, cell: Shape, wall: Floats) -> tuple[Floats, Floats]:
    """One window in its piece of wall, and the mask of its panes."""
    rows, columns = cell
    wide, high = _pick(rng, [(0.5, 0.6), (0.6, 0.55), (0.4, 0.65), (1.0, 0.5), (0.75, 0.8)])
    top, left = int(rows * (1 - high) * rng.uniform(0.3, 0.7)), int(columns * (1 - wide) / 2)
    bottom, right = top + int(rows * high), columns - left
    line = max(1, columns // 14)
    bay = np.empty((*cell, 3), np.float32)
    bay[:] = wall
    if rng.random() < 0.5:
        bay[-line:] = wall * rng.uniform(0.6, 1.25)
    bay[max(0, top - line) : bottom + line, max(0, left - line) : right + line] = wall * rng.uniform(0.6, 1.5)
    bay[bottom : bottom + line, max(0, left - 2 * line) : right + 2 * line] = wall * rng.uniform(0.5, 1.4)
    pane = np.zeros(cell, np.float32)
    pane[top:bottom, left:right] = 1
    if rng.random() < 0.6:
        pane[:, columns // 2 : columns // 2 + line] = 0
    if rng.random() < 0.5:
        bar = top + int((bottom - top) * rng.uniform(0.25, 0.5))
        pane[bar : bar + line] = 0
    return np.clip(bay, 0, 1), pane


def _floors(rng: Rng, floors: int, columns: int, cell: Shape, wall: Floats) -> Floats:
    """Floors of like windows, seen from straight in front; behind each is another light."""
    bay, pane = _bay(rng, cell, wall)
    facade, panes = np.tile(bay, (floors, columns, 1)), np.tile(pane, (floors, columns))
    lights = rng.normal(1, 0.4, (floors, columns)).clip(0.3, 2.5)
    lights += 1.5 * (rng.random(lights.shape) < rng.uniform(0, 0.2))
    glass = np.kron(lights, np.ones(cell)).astype(np.float32)
    glass *= 1 + np.float32(0.3) * _noise(rng, panes.shape, 1.5 * cell[1], 2)
    color = np.asarray(rng.uniform(0.05, 0.45) * rng.normal(1, 0.1, 3), np.float32)
    _paint(facade, glass, (np.zeros(3, np.float32), color), panes)
    return facade


def _facade(rng: Rng, floors: int, columns: int, cell: Shape, wall: Floats) -> Floats:
    """Floors above a ground floor with larger windows, and a cornice; weathered."""
    facade = _floors(rng, floors, columns, cell, wall)
    if floors > 1 and rng.random() < 0.7:
        shops = _floors(rng, 1, max(1, columns // 2), (cell[0], 2 * cell[1]), wall * np.float32(rng.uniform(0.6, 1.2)))
        facade[-cell[0] :] = cv2.resize(shops, (facade.shape[1], cell[0]))
    facade[: max(1, cell[0] // 5)] = wall * np.float32(rng.uniform(0.5, 1.3))
    shape = facade.shape[:2]
    grain = rng.uniform(0.02, 0.12) * _noise(rng, shape, rng.uniform(2, 6), 2, 2.0)
    grain += 0.07 * _noise(rng, shape, 3 * cell[0], 2)
    return np.clip(facade * (1 + grain[..., None]), 0, 1).astype(np.float32)


def _place(scene: Scene, facade: Floats, corners: ArrayLike, light: float, haze: float) -> None:
    """Put a facade between corners: top left, top right, bottom right, bottom left."""
    points = np.asarray(corners, np.float32)
    low = np.floor(np.maximum(points.min(axis=0) - 1, 0)).astype(int)
    high = np.ceil(np.minimum(points.max(axis=0) + 1, scene.shape[::-1])).astype(int)
    if (high - low < 2).any():
        return
    rows, columns = facade.shape[:2]
    source = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    matrix = cv2.getPerspectiveTransform(source, points - low.astype(np.float32))
    extent = (int(high[0] - low[0]), int(high[1] - low[1]))
    seen = cv2.warpPerspective(facade, matrix, extent, borderMode=cv2.BORDER_REPLICATE)
    seen = seen * np.float32(light * (1 - haze)) + scene.air * np.float32(haze)
    mask = _polygon(extent[::-1], points - low)
    region = (slice(low[1], high[1]), slice(low[0], high[0]))
    scene.picture[region] = cv2.blendLinear(seen.astype(np.float32), np.ascontiguousarray(scene.picture[region]), mask, 1 - mask)


def _wall(scene: Scene, x: Sequence[float], tops: Sequence[float], feet: Sequence[float], bays: tuple[float, float], light: float = 1.0, haze: float = 0.0) -> None:
    """A wall from one column to another, of so many floors and columns of windows."""
    floors, columns = int(np.clip(bays[0], 1, 30)), int(np.clip(bays[1], 1, 40))
    tall = max(feet[0] - tops[0], feet[1] - tops[1])
    cell = int(np.clip(tall / floors, 8, 48)), int(np.clip(abs(x[1] - x[0]) / columns, 8, 48))
    facade = _facade(scene.rng, floors, columns, cell, _wall_color(scene))
    corners = [(x[0], tops[0]), (x[1], tops[1]), (x[1], feet[1]), (x[0], feet[0])]
    _place(scene, facade, corners, light, haze)


# Cities.


def _skyline(scene: Scene) -> None:
    """Towers one behind the other, beyond water, grass or trees."""
    rng, unit, height, width = scene.rng, scene.unit, scene.height, scene.width
    ground = rng.uniform(0.6, 0.9) * height
    for depth, haze in enumerate((0.6, 0.3, 0.05)):
        x = rng.uniform(-30, 0) * unit
        while x < width:
            wide = rng.uniform(18, 50) * unit * (1 + 0.25 * depth)
            tall = rng.uniform(0.25, 0.85) * (1.1 - 0.25 * depth) * ground
            corner = x + wide * rng.uniform(0.5, 0.85)
            top, floor = ground - tall, rng.uniform(7, 12) * unit * (1 + 0.2 * depth)
            drop = top + rng.uniform(0, 0.06) * tall
            for columns, tops, light in (
                ((x, corner), (top, top), 1.0),
                ((corner, x + wide), (top, drop), rng.uniform(0.5, 0.9)),
            ):
                bays = tall / floor, (columns[1] - columns[0]) / floor
                _wall(scene, columns, tops, (ground, ground), bays, light, haze)
            x += wide + rng.exponential(22) * unit
    texture, ramp, roughness = _pick(rng, [("water", "water", 0.0), ("canopy", "leaves", 0.02), ("grass", "grass", 0.01)])
    _ground(scene, texture, ramp, _outline(scene, ground, roughness))


def _street(scene: Scene) -> None:
    """A road between houses, towards a vanishing point."""
    rng, height, width = scene.rng, scene.height, scene.width
    vanish = rng.uniform(0.3, 0.7) * width, rng.uniform(0.5, 0.68) * height
    _ground(scene, "tarmac", "road", np.full(width, vanish[1], np.float32))
    species, planted = SPECIES[0], rng.random() < 0.4
    for edge in (0, width):
        reach = edge - vanish[0]
        foot = rng.uniform(0.25, 0.45) * height / abs(reach)
        ends = [1.0, *np.sort(rng.uniform(0.2, 0.8, rng.integers(1, 4)))[::-1], 0.08]
        light = rng.uniform(0.5, 1.1)
        for far, near in zip(ends[1:], ends):
            rise = rng.uniform(1.6, 4.5) * foot
            away = np.array([far, near]) * abs(reach)
            bays = (rise + foot) / (0.8 * foot), 0.9 * width * foot * (1 / away[0] - 1 / away[1]) / (0.8 * foot) * 1.2
            _wall(scene, vanish[0] + np.array([far, near]) * reach, vanish[1] - rise * away, vanish[1] + foot * away, bays, light * rng.uniform(0.85, 1.15), 0.4 * (1 - far) ** 2)
        for near in np.arange(0.2, 0.95, 0.25) if planted else ():
            x = vanish[0] + near * 0.85 * reach
            _tree(scene, x, vanish[1] + foot * near * abs(reach), 3.0 * foot * near * abs(reach), species)
    for _ in range(rng.integers(0, 4)):
        _car(scene, rng.uniform(0.1, 0.9) * width, rng.uniform(vanish[1] + 14 * scene.unit, height), vanish[1])


def _row(scene: Scene) -> None:
    """Houses side by side, some with a pitched roof, across a street."""
    rng, unit, height, width = scene.rng, scene.unit, scene.height, scene.width
    ground, slope = rng.uniform(0.75, 0.92) * height, rng.uniform(-0.1, 0.1)
    floor = rng.uniform(20, 45) * unit
    x = rng.uniform(-60, 0) * unit
    while x < width:
        wide = rng.uniform(40, 120) * unit
        ends = np.array([x, x + wide])
        tall = rng.uniform(0.3, 0.8) * height
        tops, feet = ground - tall - slope * (ends - width / 2), ground + 0.3 * slope * (ends - width / 2)
        if rng.random() < 0.6:
            inset, peak = rng.uniform(0.05, 0.5) * wide, tops.min() - rng.uniform(0.05, 0.16) * height
            roof = [(x - 2 * unit, tops[0]), (x + inset, peak), (x + wide - inset, peak), (x + wide + 2 * unit, tops[1])]
            tiles = _tones(_noise(rng, scene.shape, 4 * unit, 2, 2.0), 0.5, 0.2)
            _paint(scene.picture, tiles, _ramp(scene, "roof"), _polygon(scene.shape, roof))
        size = floor * rng.uniform(0.8, 1.2)
        _wall(scene, ends, tops, feet, (tall / size, wide / size), rng.uniform(0.7, 1.1))
        x += wide + unit * _pick(rng, [0, 0, rng.uniform(0, 25)])
    _ground(scene, "tarmac", "road", np.full(width, ground, np.float32))
    for _ in range(rng.integers(0, 4)):
        _tree(scene, rng.uniform(0, width), rng.uniform(ground, height), rng.uniform(0.25, 0.7) * height, _pick(rng, SPECIES))
    for _ in range(rng.integers(0, 3)):
        _car(scene, rng.uniform(0, width), rng.uniform(ground + 4 * unit, height), ground - 20 * unit)


def _front(scene: Scene) -> None:
    """The corner of one building, from close by and from below."""
    rng, height, width = scene.rng, scene.height, scene.width
    corner, floor = rng.uniform(-0.1, 1.1) * width, rng.uniform(22, 56) * scene.unit
    roof, foot = rng.uniform(-0.4, 0.3) * height, rng.uniform(0.85, 1.3) * height
    _ground(scene, "tarmac", "road", np.full(width, 0.8 * height, np.float32))
    for edge in (-0.2 * width, 1.2 * width):
        away = abs(edge - corner) / width * height
        tops = (roof, roof + rng.uniform(0.0, 0.5) * away)
        feet = (foot, foot - rng.uniform(0, 0.2) * away)
        bays = (foot - roof) / floor, abs(edge - corner) / (floor * rng.uniform(0.7, 1.1))
        _wall(scene, (corner, edge), tops, feet, bays, rng.uniform(0.5, 1.1))
    for x in rng.uniform(0, width, rng.integers(0, 3)):
        _tree(scene, x, height * rng.uniform(0.95, 1.2), rng.uniform(0.4, 0.9) * height, SPECIES[0])


CITIES = (_skyline, _street, _row, _front)

#: The outlines of a car, facing right, its wheels' radius and places, in halves of its height.
CAR = ((-1.5, 0), (-1.5, -0.5), (-0.9, -0.6), (-0.5, -1), (0.6, -1), (1, -0.6), (1.5, -0.5), (1.5, 0))
CAR_WINDOWS = ((-0.7, -0.6), (-0.4, -0.92), (0.5, -0.92), (0.8, -0.6))


def _car(scene: Scene, x: float, base: float, horizon: float) -> None:
    """A car from the side, of a size that suits its distance."""
    size = (base - horizon) * scene.rng.uniform(0.35, 0.5)
    paint = scene.rng.uniform(0.15, 0.85) * scene.rng.normal(1, 0.25, 3).clip(0, 1.6)
    turn = np.linspace(0, 2 * np.pi, 16)
    wheel = 0.28 * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    parts = [(CAR, 1.0), (CAR_WINDOWS, 0.25), (wheel - (0.9, 0), 0.1), (wheel + (0.9, 0), 0.1)]
    for outline, shade in parts:
        color = (paint * shade).astype(np.float32)
        mask = _polygon(scene.shape, np.asarray(outline) * size + (x, base))
        _paint(scene.picture, mask, (color, color), mask)


# The camera, which is the same for both classes.


def _photograph(scene: Scene) -> NDArray[np.uint8]:
    """Tilt, blur, grade, add noise and compress."""
    rng, picture = scene.rng, _tilted(scene)
    cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 1.0) * scene.unit, picture)
    y, x = np.linspace(-1, 1, scene.height)[:, None], np.linspace(-1, 1, scene.width)
    picture *= (1 - rng.uniform(0, 0.18) * (x**2 + y**2)).astype(np.float32)[..., None]
    picture = _graded(picture, rng)
    picture += (rng.uniform(0, 0.03) * scene_normal(rng, scene.shape))[..., None]
    pixels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(70, 97))]
    code = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), quality)[1]
    return np.asarray(cv2.cvtColor(cv2.imdecode(code, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), np.uint8)


def _tilted(scene: Scene) -> Floats:
    """Hold the camera a little askew, and up or down."""
    rng, (height, width) = scene.rng, scene.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    center, roll = corners.mean(axis=0), np.deg2rad(rng.normal(0, 1.5))
    turn = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
    seen = (corners - center) @ turn * 1.12
    seen[:2, 0] *= 1 + rng.normal(0, 0.05)
    matrix = cv2.getPerspectiveTransform(corners, (seen + center).astype(np.float32))
    reflect = cv2.BORDER_REFLECT_101
    return np.asarray(cv2.warpPerspective(scene.picture, matrix, (width, height), borderMode=reflect), np.float32)


def _graded(picture: Floats, rng: Rng) -> Floats:
    """Give the picture an exposure, a contrast and colours that do not depend on what it shows.

    Means and standard deviations of grey and of colour are drawn; what of the colours goes along
    with the grey values is replaced by a drawn share.
    """
    exposure, contrast = rng.uniform(0.38, 0.56), rng.uniform(0.13, 0.22)
    warm = np.array([1.0, 0.1, -1.2], np.float32)
    cast = rng.normal(0.012, 0.025) * warm + np.array([-0.012, 0.008, -0.008], np.float32)
    share, saturation = rng.normal(0.05, 0.06) * warm, rng.uniform(0.015, 0.05)
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    grey = (grey - grey.mean()) / (grey.std() + 1e-3)
    colors = picture.reshape(-1, 3) - picture.mean(axis=(0, 1))
    colors -= np.outer(grey, grey.ravel() @ colors / grey.size)
    colors *= saturation / (colors.std() + 1e-3)
    toned = grey
    for _ in range(2):
        toned = np.clip((toned - toned.mean()) * (contrast / toned.std()) + exposure, 0.02, 0.98)
    colors += cast + np.outer(toned - exposure, share + 1) + exposure
    return np.asarray(colors, np.float32).reshape(picture.shape)
