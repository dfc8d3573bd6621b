"""Write files in today's format, to be read by later versions: python tests/data/write.py KIND.

``model`` writes model-format-N.skops, and beside it the images, predictions and scores that it
must give. ``store`` writes the folders store-format-N, of vectors, and store-format-N-sets, of
descriptor sets, and beside each what must be read from it. Run it once for each new format; files
of earlier formats are never written again.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import HOG, BagOfWords, DenseSIFT, ReadImages, Sobel, Stream, Summarize, save_model
from featx.jobs import model_files
from featx.store import store
from featx.store.extraction import write_features

HERE = Path(__file__).resolve().parent


def write_model() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (12, 32, 32, 1), np.uint8)
    labels = np.array(["stripes", "noise"])[np.arange(12) % 2]
    images[labels == "stripes", ::2] //= 4
    branches = [
        ("hog", HOG(pixels_per_cell=(16, 16), cells_per_block=(1, 1))),
        ("edges", Pipeline([("sobel", Sobel(axis="both")), ("summarize", Summarize())])),
        ("words", Pipeline([("sift", DenseSIFT(8, [4])), ("bag", BagOfWords(4))])),
    ]
    stream = Stream([ReadImages(size=(32, 32), mode="gray"), FeatureUnion(branches)])
    model = make_pipeline(stream, StandardScaler(), LinearSVC(random_state=0)).fit(images, labels)
    name = HERE / f"model-format-{model_files.FORMAT}"
    save_model(model, name.with_suffix(".skops"))
    np.savez_compressed(
        name.with_suffix(".npz"),
        images=images,
        predictions=model.predict(images),
        scores=model.decision_function(images),
    )


def write_stores() -> None:
    rng = np.random.default_rng(0)
    paths, labels = [f"photos/{index}.png" for index in range(6)], ["a", "b", None, "b", "a", "b"]
    read = ReadImages(mode="gray")
    vectors = Stream([read, HOG(pixels_per_cell=(16, 16), cells_per_block=(1, 1))])
    sets = Stream([read, DenseSIFT(16, [4])])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("photos").mkdir()
        for path in paths:
            Image.fromarray(rng.integers(0, 256, (32, 48), np.uint8)).save(path)
        Path(paths[3]).write_bytes(b"none")
        kept = [index for index in range(6) if index != 3]
        known = {
            "paths": [paths[index] for index in kept],
            "labels": [labels[index] or "" for index in kept],
        }
        name = HERE / f"store-format-{store.FORMAT}"
        write_features(name, zip(paths, labels, strict=True), vectors, recipe="hog")
        values = vectors.transform(known["paths"])
        names = vectors.get_feature_names_out().astype(str)
        np.savez_compressed(name.with_suffix(".npz"), vectors=values, names=names, **known)
        name = HERE / f"store-format-{store.FORMAT}-sets"
        write_features(name, zip(paths, labels, strict=True), sets, recipe="sift")
        found = sets.transform(known["paths"])
        np.savez_compressed(
            name.with_suffix(".npz"),
            values=[one.values for one in found],
            positions=[one.positions for one in found],
            scales=[one.scales for one in found],
            sizes=[one.size for one in found],
            **known,
        )
    for ledger in HERE.glob("store-*.refused.csv"):
        ledger.unlink()


if __name__ == "__main__":
    {"model": write_model, "store": write_stores}[sys.argv[1]]()
