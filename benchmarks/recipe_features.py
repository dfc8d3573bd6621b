"""Store the features of every recipe for twenty inputs, and compare two runs bit for bit.

    python benchmarks/recipe_features.py DIR              writes DIR/<recipe>.npz
    python benchmarks/recipe_features.py DIR --like OLD   and compares each with OLD/<recipe>.npz

A refactoring must not change any bit. The inputs are generated scenes (PNG) or tones (WAV).
"""

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

import featx
from featx import load_recipe, make_scenes

ROOT = Path(featx.__file__).parents[1]
COUNT = 20


def scenes(folder: Path) -> tuple[list[str], list[str]]:
    images, labels = make_scenes(n=COUNT, size=(128, 160))
    files = [str(folder / f"scene-{index:02}.png") for index in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(np.asarray(image)).save(file)
    return files, [str(label) for label in labels]


def tones(folder: Path) -> tuple[list[str], list[str]]:
    rng = np.random.default_rng(0)
    files = [str(folder / f"tone-{index:02}.wav") for index in range(COUNT)]
    time_axis = np.arange(22050) / 22050
    for index, file in enumerate(files):
        pitch = 220 * 2 ** (index / 12)
        signal = 0.3 * np.sin(2 * np.pi * pitch * time_axis) + 0.05 * rng.standard_normal(22050)
        soundfile.write(file, signal.astype(np.float32), 22050)
    return files, ["low" if index < COUNT // 2 else "high" for index in range(COUNT)]


def arrays(prefix: str, value: Any) -> dict[str, np.ndarray]:
    """Flatten vectors, maps or descriptor sets into named arrays."""
    if isinstance(value, np.ndarray):
        return {prefix: value}
    found: dict[str, np.ndarray] = {}
    for index, one in enumerate(value):
        if isinstance(one, np.ndarray):
            found[f"{prefix}-{index}"] = one
            continue
        for name in ("values", "positions", "scales"):
            if getattr(one, name) is not None:
                found[f"{prefix}-{index}-{name}"] = getattr(one, name)
    return found


def features(name: str, inputs: dict[str, tuple[list[str], list[str]]]) -> dict[str, np.ndarray]:
    np.random.seed(0)  # noqa: NPY002 - used by scikit-learn estimators without random_state
    pipeline = load_recipe(name)
    first = type(pipeline[0].stages[0]).__name__
    files, labels = inputs["sounds" if first == "ReadAudio" else "images"]
    if "convnet" in pipeline.named_steps:
        pipeline.set_params(convnet__epochs=2)
    vectors = pipeline[0].fit(files, labels).transform(files)
    found = arrays("features", vectors)
    rest = pipeline[1:].fit(vectors, labels)
    for method in ("predict_proba", "decision_function"):
        if hasattr(rest, method):
            found[method] = np.asarray(getattr(rest, method)(vectors))
    return found | {"predict": rest.predict(vectors).astype(str)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--like", type=Path)
    parser.add_argument("--only", nargs="*")
    options = parser.parse_args()
    raw = options.folder / "inputs"
    raw.mkdir(parents=True, exist_ok=True)
    inputs = {"images": scenes(raw), "sounds": tones(raw)}
    different = 0
    for file in sorted((ROOT / "pipelines").glob("*.yaml")):
        if options.only and file.stem not in options.only:
            continue
        began = time.perf_counter()
        found = features(file.stem, inputs)
        np.savez(options.folder / f"{file.stem}.npz", **found)
        note = f"{len(found)} arrays, {sum(one.size for one in found.values())} numbers"
        if options.like:
            old = dict(np.load(options.like / f"{file.stem}.npz"))
            equal = old.keys() == found.keys() and all(
                one.dtype == old[key].dtype
                and one.shape == old[key].shape
                and one.tobytes() == old[key].tobytes()
                for key, one in found.items()
            )
            different += not equal
            note += ", equal" if equal else ", DIFFERENT"
        print(f"{file.stem:24} {note} ({time.perf_counter() - began:.1f} s)", flush=True)
    return different


if __name__ == "__main__":
    sys.exit(main())
