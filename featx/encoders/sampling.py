"""Random samples of descriptors, bounded in size."""

from collections.abc import Sequence

import numpy as np

from featx.core.batches import LazyBatch
from featx.core.descriptor_sets import DescriptorSet

# Descriptors of an image are similar: more than this are drawn only if the images are few.
_MOST_OF_ONE_IMAGE = 250


def draw_descriptors(
    images: LazyBatch, n_samples: int, random_state: int | Sequence[int]
) -> list[DescriptorSet]:
    """Draw up to ``n_samples`` descriptors, from as few images as needed.

    Images are visited in random order. The same number of descriptors is drawn from each, without
    replacement. The sample depends only on the random state and the images.

    Parameters
    ----------
    images : LazyBatch of DescriptorSet
        Descriptors of the images, computed on access.
    n_samples : int
        Number of descriptors to draw.
    random_state : int or list of int
        Random seed.

    Returns
    -------
    list of DescriptorSet
        Descriptors drawn from each image, without empty sets.
    """
    rng = np.random.default_rng(random_state)
    order: list[int] = rng.permutation(len(images)).tolist()
    share = max(_ceil(n_samples / len(images)), _MOST_OF_ONE_IMAGE)
    drawn: list[DescriptorSet] = []
    missing, seen, wanted = n_samples, 0, _ceil(n_samples / share)
    while missing > 0 and seen < len(order):
        chosen = sorted(order[seen : seen + wanted])
        for found in images.take(chosen):
            count = min(share, len(found), missing)
            if count > 0:
                rows = rng.choice(len(found), count, replace=False)
                drawn.append(found[np.sort(rows)])
                missing -= count
        seen += len(chosen)
        # If images had fewer descriptors than their share, more images are visited.
        wanted = _ceil(missing * seen / max(n_samples - missing, 1))
    return drawn


def _ceil(number: float) -> int:
    return int(np.ceil(number))
