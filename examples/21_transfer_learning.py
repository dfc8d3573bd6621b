r"""
Transfer learning
=================

A network that has learned a thousand classes from a million photographs has features for others.
Cut off its last layer, take what is left as a feature, and a linear classifier learns new classes
from a few pictures each.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from featx import HOG, Grayscale, PretrainedNet, Stream, make_scenes

images, labels = make_scenes(n=120, size=(128, 128), random_state=0)

# %%
# Neither stage learns from these images, so features are computed once; then the classifier is
# fitted on more and more of them.
features = {
    "HOG": Stream([Grayscale(), HOG(pixels_per_cell=(16, 16))]).fit_transform(images),
    "transfer": Stream([PretrainedNet()]).fit_transform(images),
}
sizes = [4, 8, 16, 32, 64]
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
for name, vectors in features.items():
    means = []
    for size in sizes:
        folds = StratifiedShuffleSplit(8, train_size=size, test_size=40, random_state=0)
        classifier = make_pipeline(StandardScaler(), LogisticRegression())
        means.append(cross_val_score(classifier, vectors, labels, cv=folds).mean())
    axis.plot(sizes, 100 * np.array(means), "o-", label=f"{name}, {vectors.shape[1]} numbers")
axis.set(xscale="log", xlabel="training images", ylabel="accuracy in per cent")
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.legend()
plt.show()
