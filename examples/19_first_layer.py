r"""
What the first layer learns
===========================

Trained on photographs, the first filters of a network become edges of all orientations and spots
of colour: close to what was built by hand, and to the simple cells of the visual cortex.
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
# Learned by EfficientNet-Lite0 from a million photographs, the most edge-like first: the score is
# the cosine with the best-fitting derivative of a Gaussian.
draw(banks[order], [f"{scores[index]:.2f}" for index in order], "learned")

# %%
# Built by hand: Gabor functions of four sizes and eight orientations.
impulse = np.zeros((1, 15, 15, 1), dtype=np.float32)
impulse[0, 7, 7] = 1
bank = GaborBank(frequencies=[0.35, 0.25, 0.18, 0.12], orientations=8, response="odd")
kernels = np.moveaxis(bank.fit_transform(impulse)[0, ::-1, ::-1], 2, 0)
draw(kernels, [""] * 32, "built")

# %%
# Against chance: how edge-like are random filters of this size?
noise = np.random.default_rng(0).normal(size=(1000, *banks.shape[1:]))
print(f"learned {scores.mean():.2f} on average, noise {edge_likeness(noise).mean():.2f}")
