r"""
Encoders of the ImageNet entries of 2010 and 2012
=================================================

The ImageNet winner of 2010 and the best hand-crafted entry of 2012 have the same steps: local
descriptors on a dense grid, an *encoder*, and a linear classifier. Encoders, from the bag of words
to the Fisher vector, differ in the information that they keep of each descriptor.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from featx import LLC, VLAD, BagOfWords, DenseSIFT, FisherVector, Grayscale, Stream, make_scenes

# %%
# The data are generated cities and landscapes, with descriptors on a grid in two sizes.
images, labels = make_scenes(n=80, size=(128, 128), random_state=0)
local = [Grayscale(), DenseSIFT(step=8, bin_sizes=[4, 8], root=True)]

# %%
# - a *bag of words* is a histogram over the nearest of 64 visual words;
# - *LLC* represents each descriptor by its nearest words and pools the maximum of the weights;
# - *VLAD* sums the residuals from the nearest word;
# - a *Fisher vector* has first and second moments of the residuals from each of 16 Gaussians.
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
    dimensions = (
        encoder.fit(Stream(local).fit_transform(images[:8]))
        .transform(Stream(local).transform(images[:1]))
        .shape[1]
    )
    seconds = time.perf_counter() - began
    print(f"{name:14} {scores.mean():.1%}, {dimensions} dimensions, {seconds:.0f} s")
    axis.barh(place, 100 * scores.mean(), xerr=100 * scores.std() / np.sqrt(len(scores)))
axis.set_yticks(range(len(encoders)), encoders)
axis.set(xlim=(50, 100), xlabel="accuracy (%), mean of four folds")
axis.invert_yaxis()
plt.show()

# %%
# The recipes ``nec-uiuc-2010`` and ``isi-2012`` combine these parts. Show one with ``featx recipes
# show nec-uiuc-2010``.
