r"""
A two-layer network on pixels and on features
=============================================

A two-layer network is a universal approximator, but with few training images it generalizes poorly
from raw pixels. The same network is more accurate on histograms of gradients and colors. The images
are those of CIFAR-10 if the environment variable ``FEATX_DATA`` points to them, otherwise small
generated scenes.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import learning_curve
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from featx import HOG, ColorHistogram, ReadImages, Stream, load_dataset, make_scenes

folder = Path(os.environ.get("FEATX_DATA", ""), "cifar10", "train")
if folder.is_dir():
    images, labels = load_dataset(folder)
    chosen = np.random.default_rng(0).permutation(len(images))[:1500]
    images, labels = [images[index] for index in chosen], np.asarray(labels)[chosen]
    size = (32, 32)
else:
    size = (64, 64)
    images, labels = make_scenes(n=200, size=size, random_state=0)


# %%
class Pixels(ReadImages):
    """Read an image as a vector of its pixels, an example of a custom stage."""

    gives = "vectors"

    def _transform_one(self, image):
        return super()._transform_one(image).reshape(-1).astype(np.float32) / 255


read = ReadImages(size=size)
features = FeatureUnion(
    [("shape", HOG(pixels_per_cell=(8, 8), cells_per_block=(2, 2))), ("color", ColorHistogram())]
)
network = make_pipeline(StandardScaler(), MLPClassifier((100,), random_state=0))

# %%
# Compute learning curves by cross-validation. The error bars span the worst and the best fold.
_, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, stream in {
    "pixels": Stream([Pixels(size=size)]),
    "gradients and colors": Stream([read, features]),
}.items():
    vectors = stream.fit_transform(images)
    counts, _, scores = learning_curve(
        network, vectors, labels, cv=3, train_sizes=[0.1, 0.3, 1.0], shuffle=True, random_state=0
    )
    mean = scores.mean(axis=1)
    around = [mean - scores.min(axis=1), scores.max(axis=1) - mean]
    axes.errorbar(counts, mean, around, marker="o", capsize=3, label=f"{name}, {vectors.shape[1]}")
    print(f"{name:22} {mean[-1]:.1%}")
classes = len(set(labels))
axes.axhline(1 / classes, color="gray", linestyle=":", label=f"chance, {classes} classes")
axes.set(xscale="log", xticks=counts, xticklabels=counts, xlabel="training images")
axes.minorticks_off()
axes.set(ylim=(0, None), ylabel="accuracy")
axes.legend(title="input, dimensions", loc="lower right")
plt.show()
