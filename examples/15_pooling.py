r"""
Pooling and translation invariance
==================================

Pooling replaces a neighborhood by its maximum or its mean. It keeps the presence of a feature and
discards its exact position. To measure the invariance, this example shifts images and compares
their pooled features.
"""

import matplotlib.pyplot as plt
import numpy as np

from featx import AveragePool, MaxPool, Rectify, Sobel, make_scenes

image = np.array(
    [[29, 15, 28, 184], [0, 100, 70, 38], [12, 12, 7, 2], [12, 12, 45, 6]], dtype=np.float32
)
print(MaxPool(2).fit_transform([image])[0, :, :, 0])
print(AveragePool(2).fit_transform([image])[0, :, :, 0])

# %%
# Shift scenes by up to eight pixels to the right. For several pool sizes, compute the cosine
# similarity between the pooled edges of the original and the shifted scenes.
scenes, _ = make_scenes(n=20, size=(128, 136), random_state=0)
gray = [scene.mean(axis=2, keepdims=True) / 255 for scene in scenes]
shifts = np.arange(9)


def edges_moved_by(shift):
    moved = [scene[:, 8 - shift : 136 - shift] for scene in gray]
    return Rectify("absolute").fit_transform(Sobel().fit_transform(np.stack(moved)))


def likeness(a, b):
    a, b = (x.reshape(len(x), -1) - x.mean(axis=(1, 2, 3))[:, np.newaxis] for x in (a, b))
    return np.mean((a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1))


edges = [edges_moved_by(shift) for shift in shifts]
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained", sharey=True)
for pool, axis in ((MaxPool, axes[0]), (AveragePool, axes[1])):
    for size in (1, 4, 16):
        pooled = [pool(size).fit_transform(maps) for maps in edges]
        axis.plot(
            shifts, [likeness(pooled[0], other) for other in pooled], label=f"{size} x {size}"
        )
    axis.set(title=pool.__name__, xlabel="shift in pixels")
axes[0].set_ylabel("cosine similarity")
axes[0].legend()
plt.show()
