"""Base classes for encoders with a k-means code book."""

from dataclasses import field
from typing import Any, ClassVar, Self

import numpy as np

from featx.core.constraints import StrOptions, natural
from featx.core.stage import Batch
from featx.core.threads import one_thread_inside
from featx.encoders.encoder import Encoder, Float32, Float64
from featx.encoders.k_means import fit_words, move_words
from featx.encoders.sampling import draw_descriptors


class CodeBookEncoder(Encoder):
    """Base class for encoders whose code book is fitted by k-means.

    Parameters
    ----------
    n_words : int
        Number of visual words, the k-means centers.

    Attributes
    ----------
    words_ : ndarray of float32, (n_words, d)
        Visual words, in the space of the projected descriptors with their positions appended.
    counts_ : ndarray of shape (n_words,)
        Number of descriptors averaged into each word.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **Encoder._parameter_constraints,
        "n_words": [natural],
    }

    n_words: int = field(kw_only=False)

    def _least_sample(self) -> tuple[str, int]:
        return "n_words", self.n_words

    def _learn(self, x: Float32) -> None:
        self.words_, self.counts_ = fit_words(x, self.n_words, self.random_state)

    def partial_fit(self, X: Batch, y: Any = None) -> Self:
        """Update the code book with more images.

        The first call is equivalent to `fit`. Each later call draws a sample of descriptors and
        moves every word to the mean of its earlier descriptors and those now nearest to it. The
        projection stays fixed, because the words live in its space.

        Parameters
        ----------
        X : list of DescriptorSet
            Descriptors of the images.
        y : object, optional
            Not used.

        Returns
        -------
        self
        """
        if not hasattr(self, "words_"):
            return self.fit(X, y)
        images = self.check_items(X)
        # A new seed per call avoids sampling the same image positions in every batch.
        seed = [self.random_state, int(self.counts_.sum())]
        sample = draw_descriptors(images, self.n_samples, seed) if len(images) > 0 else []
        for found in sample:
            self._check_length(found)
        if sample:
            with one_thread_inside:
                x = self._projected(np.concatenate([found.values for found in sample]), sample)
                self.words_, self.counts_ = move_words(x, self.words_, self.counts_)
        return self


class PooledCodes(CodeBookEncoder):
    """Base class for encoders that pool the codes of descriptors, with one entry per word.

    Parameters
    ----------
    pooling : {"average", "sum", "max"}
        Pooling of the codes over the descriptors of a cell.
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        **CodeBookEncoder._parameter_constraints,
        "pooling": [StrOptions({"average", "sum", "max"})],
    }

    pooling: str

    def _combine(self, statistics: Float64) -> Float64:
        if self.pooling == "max":
            return np.asarray(statistics.max(axis=0))
        return super()._combine(statistics)

    def _encode(self, statistics: Float64, count: int) -> Float64:
        return statistics / count if self.pooling == "average" else statistics

    def _codes(self, x: Float32) -> Float64:
        """Compute the codes of the descriptors, an array of shape (k, n_words)."""
        raise NotImplementedError

    def _parts(self, x: Float32, weights: Float64) -> Float64:
        codes = self._codes(x)
        if self.pooling == "max":
            largest = codes == codes.max(axis=0)
            codes = codes * largest / largest.sum(axis=0)
        elif self.pooling == "average":
            weights = weights / len(x)
        return np.asarray(codes @ weights)

    def _length(self) -> int:
        return self.n_words

    def _entry_names(self) -> list[str]:
        return [f"word{word}" for word in range(self.n_words)]
