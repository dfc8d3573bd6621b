"""Random scenes of cities and landscapes, as a data set that needs no download.

As in photographs, the total amount of edges does not separate the classes, but the amount of long
vertical edges does. Grass, leaves, stones and waves have as many edges as facades, but short,
curved or horizontal ones; tree trunks are vertical too. Exposure, contrast, color, sharpness and
noise of the camera have the same distribution in both classes, so that neither mean nor variance
separates them.

A scene is painted from back to front. A *texture* is a map of tones in [0, 1]. A *ramp* is the pair
of colors at tones 0 and 1. A *mask* is the opacity of the texture per pixel.
"""

from collections.abc import Callable
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featx.core.constraints import Each, Interval, StrOptions, natural, validate
from featx.datasets.scenes import drawing
from featx.datasets.scenes.brushes import Rng
from featx.datasets.scenes.drawing import draw, draw_png, stream, worker_count
from featx.io.writing import new_folder
from featx.pipeline import processes

LABELS = ("city", "landscape")


def make_scenes(
    n: int = 200, size: tuple[int, int] = (256, 256), random_state: int = 0
) -> tuple[NDArray[np.uint8], NDArray[np.str_]]:
    """Generate random scenes of cities and landscapes.

    Parameters
    ----------
    n : int, default=200
        Number of images, half of them cities. If ``n`` is odd, one class has one more.
    size : (int, int), default=(256, 256)
        Height and width, at least 64 pixels each.
    random_state : int, default=0
        Random seed. Image i of a seed does not depend on ``n``.

    Returns
    -------
    images : ndarray of uint8, shape (n, height, width, 3)
        RGB images.
    labels : ndarray of str, shape (n,)
        ``"city"`` or ``"landscape"``.

    Raises
    ------
    ValueError
        If an argument is invalid.

    See Also
    --------
    featx.load_dataset : List the images of a folder and their classes.

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
    _check("make_scenes", n=n, size=size, random_state=random_state)
    labels = _labels(n, random_state)
    images = np.empty((n, *size, 3), np.uint8)
    for index, label in enumerate(labels):
        images[index] = draw(str(label), size, stream(random_state, index))
    return images, labels


def draw_scene(label: str, size: tuple[int, int], rng: Rng) -> NDArray[np.uint8]:
    """Draw one scene.

    Parameters
    ----------
    label : {"city", "landscape"}
        The class of the scene.
    size : (int, int)
        Height and width, at least 64 pixels each.
    rng : numpy.random.Generator
        The random number generator.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        An RGB image.

    Raises
    ------
    ValueError
        If an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from featx.datasets.scenes.generation import draw_scene
    >>> draw_scene("city", (64, 96), np.random.default_rng(0)).shape
    (64, 96, 3)
    """
    _check("draw_scene", label=label, size=size, rng=rng)
    return draw(label, size, rng)


def write_scenes(
    folder: str | Path,
    n: int = 200,
    size: tuple[int, int] = (256, 256),
    random_state: int = 0,
    progress: Callable[[int], Any] | None = None,
    n_jobs: int | None = 1,
) -> None:
    """Write the images of `make_scenes` as PNG files into one subfolder per class.

    Image 12 is ``city/0012.png`` or ``landscape/0012.png``. The write is atomic: the files are
    written to a temporary folder, which is renamed when it is complete.

    Parameters
    ----------
    folder : str or Path
        Output folder; it must not exist or must be empty.
    n, size, random_state
        As in `make_scenes`.
    progress : callable, optional
        Called after each file with the number of files written.
    n_jobs : int, default=1
        Largest number of processes; -1 means one per processor.

    Raises
    ------
    ValueError
        If an argument is invalid, or the folder exists and is not empty.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from featx.datasets.scenes.generation import write_scenes
    >>> with TemporaryDirectory() as place:
    ...     write_scenes(Path(place) / "scenes", n=2, size=(64, 64))
    ...     sorted(file.parent.name for file in Path(place).glob("scenes/*/*.png"))
    ['city', 'landscape']
    """
    _check("write_scenes", n=n, size=size, random_state=random_state)
    digits = max(4, len(str(n - 1)))
    with new_folder(folder) as unfinished:
        for label in LABELS:
            (unfinished / label).mkdir()
        labels = _labels(n, random_state).tolist()
        one = partial(draw_png, size=size, random_state=random_state)
        workers = worker_count(n, processes.count(n_jobs))
        if workers > 1:
            executor = processes.shared(workers, drawing.__name__)
            codes = executor.map(one, labels, range(n), chunksize=4)
        else:
            codes = map(one, labels, range(n))
        for index, (label, code) in enumerate(zip(labels, codes, strict=True)):
            (unfinished / label / f"{index:0{digits}}.png").write_bytes(code)
            if progress is not None:
                progress(index + 1)


_CONSTRAINTS: dict[str, list[Any]] = {
    "n": [natural],
    "size": [Each(Interval(Integral, 64, None, closed="left"), length=2)],
    "random_state": [Interval(Integral, 0, None, closed="left")],
    "label": [StrOptions(set(LABELS))],
    "rng": [Rng],
}


def _check(owner: str, **arguments: Any) -> None:
    validate({name: _CONSTRAINTS[name] for name in arguments}, arguments, owner)


def _labels(n: int, random_state: int) -> NDArray[np.str_]:
    """Shuffle the two classes within each pair: a larger ``n`` keeps the first labels."""
    pairs = [
        np.random.default_rng([random_state, 0, pair]).permutation(2)
        for pair in range((n + 1) // 2)
    ]
    return np.asarray(LABELS)[np.concatenate(pairs)[:n]]
