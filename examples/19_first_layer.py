r"""
First-layer filters of a trained network
========================================

The first filters of a network trained on photographs become edges of all orientations and color
blobs. They are similar to hand-crafted filters and to the simple cells of the visual cortex.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import GaborBank, PretrainedNet
from featx.explanation.networks import edge_likeness, filters

banks = filters(PretrainedNet())
scores = edge_likeness(banks)
order = np.argsort(-scores)


def draw(bank, titles, suptitle):
    figure, axes = plt.subplots(4, 8, figsize=(9, 5), layout="constrained")
    for kernel, title, axis in zip(bank, titles, axes.flat, strict=True):
        low, high = kernel.min(), kernel.max()
        axis.imshow((kernel - low) / (high - low), cmap="gray")
        axis.set_title(title, fontsize=8)
        axis.axis("off")
    figure.suptitle(suptitle)
    plt.show()


# %%
# Filters of EfficientNet-Lite0, trained on a million photographs, sorted by their similarity to
# edges. The score is the cosine similarity to the best-fitting derivative of a Gaussian.
draw(banks[order], [f"{scores[index]:.2f}" for index in order], "learned")

# %%
# Hand-crafted filters: Gabor functions of four sizes and eight orientations.
impulse = np.zeros((1, 15, 15, 1), dtype=np.float32)
impulse[0, 7, 7] = 1
bank = GaborBank(frequencies=[0.35, 0.25, 0.18, 0.12], orientations=8, response="odd")
kernels = np.moveaxis(bank.fit_transform(impulse)[0, ::-1, ::-1], 2, 0)
draw(kernels, [""] * 32, "hand-crafted")

# %%
# Compare with the scores of random filters of the same size.
noise = np.random.default_rng(0).normal(size=(1000, *banks.shape[1:]))
print(f"mean score: learned {scores.mean():.2f}, random {edge_likeness(noise).mean():.2f}")
