r"""
The winners of 2010 and 2012
============================

ImageNet's winner of 2010 and the best hand-made entry of 2012 did the same in three steps: local
descriptors on a dense grid, a *code* that says of which kinds they are and how they differ from
these, and a linear classifier. The classical codes, from the simplest to the Fisher vector, differ
in how much they keep of each descriptor.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from featx import LLC, VLAD, BagOfWords, DenseSIFT, FisherVector, Grayscale, Stream, make_scenes

# %%
# Generated cities and landscapes; descriptors on a grid, in two sizes.
images, labels = make_scenes(n=80, size=(128, 128), random_state=0)
local = [Grayscale(), DenseSIFT(step=8, bin_sizes=[4, 8], root=True)]

# %%
# - a *bag of words* counts which of 64 typical descriptors is nearest;
# - *LLC* writes each descriptor as a mixture of its nearest words, and keeps the largest weights;
# - *VLAD* adds up the differences from the nearest word;
# - a *Fisher vector* has the mean and the variance of the differences from each of 16 Gaussians.
encoders = {
    "bag of words": BagOfWords(n_words=64),
    "LLC": LLC(n_words=64),
    "VLAD": VLAD(n_words=16, n_components=32),
    "Fisher vector": FisherVector(n_modes=16, n_components=32),
}
figure, axis = plt.subplots(figsize=(7, 3), layout="constrained")
for place, (name, encoder) in enumerate(encoders.items()):
    began = time.perf_counter()
    model = make_pipeline(Stream([*local, encoder]), LinearSVC())
    scores = cross_val_score(model, images, labels, cv=4)
    numbers = (
        encoder.fit(Stream(local).fit_transform(images[:8]))
        .transform(Stream(local).transform(images[:1]))
        .shape[1]
    )
    print(f"{name:14} {scores.mean():.1%}, {numbers} numbers, {time.perf_counter() - began:.0f} s")
    axis.barh(place, 100 * scores.mean(), xerr=100 * scores.std() / np.sqrt(len(scores)))
axis.set_yticks(range(len(encoders)), encoders)
axis.set(xlim=(50, 100), xlabel="accuracy in per cent, four folds")
axis.invert_yaxis()
plt.show()

# %%
# The recipes ``nec-uiuc-2010`` and ``isi-2012`` are built of these parts: ``featx recipes show
# nec-uiuc-2010``.
