"""Write a model in today's format, to be read by all later versions: python tests/data/write.py.

It writes model-format-N.skops, and beside it the images, predictions and scores that it must give.
Run it once for each new format; files of earlier formats are never written again.
"""

from pathlib import Path

import numpy as np
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from featx import HOG, BagOfWords, DenseSIFT, ReadImages, Sobel, Stream, Summarize, save_model
from featx.jobs.model_files import FORMAT


def main() -> None:
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
    name = Path(__file__).with_name(f"model-format-{FORMAT}")
    save_model(model, name.with_suffix(".skops"))
    np.savez_compressed(
        name.with_suffix(".npz"),
        images=images,
        predictions=model.predict(images),
        scores=model.decision_function(images),
    )


if __name__ == "__main__":
    main()
