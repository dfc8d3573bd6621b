r"""
Transfer learning
=================

Features of a network trained on a million photographs of a thousand classes transfer to new
classes. The last layer is removed, and a linear classifier is trained on the features of a few
images per class.
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
# Both streams are stateless, so features are computed once. The classifier is then fitted on an
# increasing number of images.
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
    axis.plot(sizes, 100 * np.array(means), "o-", label=f"{name}, {vectors.shape[1]} dimensions")
axis.set(xscale="log", xlabel="training images", ylabel="accuracy (%)")
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.legend()
plt.show()
