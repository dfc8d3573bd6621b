"""A bounded sample of the descriptors of any number of images."""

from collections.abc import Sequence

import numpy as np

from featx.core.batches import LazyBatch
from featx.core.descriptor_sets import DescriptorSet

# Descriptors of one image are alike: more of them than this are drawn only where images are few.
_MOST_OF_ONE_IMAGE = 250


def draw_descriptors(
    images: LazyBatch, n_samples: int, random_state: int | Sequence[int]
) -> list[DescriptorSet]:
    """Draw up to ``n_samples`` descriptors, from no more images than that takes.

    Images are taken in random order, and as many descriptors from each, without replacement.
    What is drawn depends on the random state and on the images alone.

    Parameters
    ----------
    images : LazyBatch of DescriptorSet
        The images' descriptors, which are computed when they are taken.
    n_samples : int
        How many descriptors are wanted.
    random_state : int or list of int
        Seeds the random numbers.

    Returns
    -------
    list of DescriptorSet
        The drawn descriptors of each image that gave any.
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
        # Where images gave fewer than their share, more of them are taken.
        wanted = _ceil(missing * seen / max(n_samples - missing, 1))
    return drawn


def _ceil(number: float) -> int:
    return int(np.ceil(number))
