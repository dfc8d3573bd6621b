r"""
Two layers, on pixels and on features
=====================================

A network of two layers could learn everything in principle, and with few pictures it learns raw
pixels badly. The same network on histograms of gradients and colours has much less to find out.
The pictures are CIFAR-10's where ``FEATX_DATA`` leads to them, else small generated scenes.
"""

import os
from pathlib import Path

import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from featx import HOG, ColorHistogram, ReadImages, Stream, load_dataset, make_scenes

folder = Path(os.environ.get("FEATX_DATA", ""), "cifar10", "train")
if folder.is_dir():
    images, labels = load_dataset(folder)
    chosen = np.random.default_rng(0).permutation(len(images))[:1500]
    images, labels = [images[index] for index in chosen], np.asarray(labels)[chosen]
else:
    images, labels = make_scenes(n=200, size=(64, 64), seed=0)


# %%
class Pixels(ReadImages):
    """An image's pixels as a vector; a stage is a few lines."""

    gives = "vectors"

    def _transform_one(self, image):
        return super()._transform_one(image).reshape(-1).astype(np.float32) / 255


read = ReadImages(size=(32, 32))
features = FeatureUnion(
    [("shape", HOG(pixels_per_cell=(8, 8), cells_per_block=(2, 2))), ("colour", ColorHistogram())]
)
for name, stream in {
    "pixels": Stream([Pixels(size=(32, 32))]),
    "gradients and colours": Stream([read, features]),
}.items():
    network = MLPClassifier((100,), early_stopping=True, random_state=0)
    scores = cross_val_score(make_pipeline(stream, StandardScaler(), network), images, labels, cv=3)
    print(f"{name:22} {scores.mean():.1%}")
