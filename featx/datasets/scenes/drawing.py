"""One scene of a city or a landscape, as an image or a PNG file.

Worker processes import this module: it loads NumPy and OpenCV only.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from featx.datasets.scenes import brushes, camera, cities, landscapes, textures
from featx.datasets.scenes.brushes import Rng, Scene

#: Colors of a sky at the zenith and at the horizon.
SKIES = ("4678c8 bed7f0", "6996cd e1e6eb", "96a0af d7d7d7", "5a5f82 f5be96", "7887a0 f0e1c8")

#: Fewest images per worker process, which takes as long to start as to draw about so many.
_WORTH_A_PROCESS = 50


def worker_count(n: int, most: int) -> int:
    """Return the number of processes, up to a limit, that are worth starting for ``n`` images."""
    return min(most, n // _WORTH_A_PROCESS)


def stream(random_state: int, index: int) -> Rng:
    """Return the random number generator of an image."""
    return np.random.default_rng([random_state, 1, index])


def draw(label: str, size: tuple[int, int], rng: Rng) -> NDArray[np.uint8]:
    """Draw one scene as an RGB image of a height and width."""
    zenith, air = brushes.colors(brushes.pick(rng, SKIES))
    scene = Scene(np.zeros((*size, 3), np.float32), rng, air, min(size) / 256)
    textures.sky(scene, zenith)
    if label == "landscape":
        landscapes.landscape(scene)
    else:
        brushes.pick(rng, cities.CITIES)(scene)
    return camera.photograph(scene)


def draw_png(label: str, index: int, size: tuple[int, int], random_state: int) -> bytes:
    """Draw one scene and encode it as PNG."""
    image = draw(label, size, stream(random_state, index))
    code: bytes = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
    return code
