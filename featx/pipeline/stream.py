"""`Stream`: a sequence of stages as one scikit-learn transformer."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from numbers import Integral
from typing import Any, ClassVar, Self
from warnings import warn

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from featx.core.batches import Joined, LazyBatch
from featx.core.constraints import Options, StrOptions, natural, validate
from featx.core.errors import InputError, RefusedImage
from featx.core.stage import Batch, ImageStage
from featx.pipeline.graph import Chunk, Graph, Node, compute, learns


class Stream(TransformerMixin, BaseEstimator):
    """Apply a sequence of stages to images, depth first over small chunks.

    Parameters
    ----------
    stages : list of transformers
        The stages in order. Each branch of a `sklearn.pipeline.FeatureUnion` transforms the output
        of the stages before it. The channels or vectors of the branches are concatenated. Equal
        stages of several branches are computed once.
    chunk_size : int, default=16
        Number of images that pass through all stages at a time.
    n_jobs : int, default=1
        Number of threads; -1 means one per processor.
    refused : {"raise", "nan"}, default="raise"
        Behavior of `transform` for images that cannot be read or are unsuitable for a stage.
        "raise" raises `RefusedImage` for the first one. "nan" returns a row of NaN for each and
        warns once.

    Raises
    ------
    RefusedImage
        If an image is rejected and ``refused="raise"``; `fit` always raises.

    Notes
    -----
    Results do not depend on the chunk size and the number of threads, bit for bit. `fit` fits each
    trainable stage on the output of the stages before it.

    Examples
    --------
    >>> import numpy as np
    >>> from featx import Sobel, Stream, Summarize
    >>> images = np.random.default_rng(0).random((100, 32, 32, 1), dtype=np.float32)
    >>> stream = Stream([Sobel(axis="vertical"), Summarize(statistics=["mean_square"])])
    >>> stream.fit_transform(images).shape
    (100, 1)
    """

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "stages": [list, tuple],
        "chunk_size": [natural],
        "n_jobs": [natural, Options(Integral, {-1}), None],
        "refused": [StrOptions({"raise", "nan"})],
    }

    def __init__(
        self,
        stages: Sequence[Any],
        chunk_size: int = 16,
        n_jobs: int | None = 1,
        refused: str = "raise",
    ) -> None:
        self.stages = stages
        self.chunk_size = chunk_size
        self.n_jobs = n_jobs
        self.refused = refused

    def fit(self, X: Batch, y: Any = None) -> Self:
        """Check all stages on the first image, and fit the trainable stages.

        Parameters
        ----------
        X : sequence of paths, or batch of images
            The images.
        y : array-like of shape (n,), optional
            Labels for stages that use them.

        Returns
        -------
        self
        """
        graph = self.graph()
        self._fit_stages(graph, graph.checked(X), y, skip=False)
        return self

    def fit_on_readable(self, X: Batch) -> Self:
        """Fit without labels, and skip rejected images.

        Parameters
        ----------
        X : sequence of paths, or batch of images
            The images.

        Returns
        -------
        self

        Raises
        ------
        RefusedImage
            If all images are rejected; the error is that of the first.
        """
        graph = self.graph()
        X = graph.checked(X)
        refused: list[RefusedImage] = []
        before = Graph.of([], tried=[self.stages])
        with closing(before.run(X, 1, 1)) as chunks:
            for chunk in chunks:
                if chunk.kept:
                    break
                refused += chunk.refused.values()
        if refused and len(refused) == len(X):
            raise refused[0]
        self._fit_stages(graph, X[len(refused) :], None, skip=True)
        return self

    def _fit_stages(self, graph: Graph, X: Batch, y: Any, skip: bool) -> None:
        first = list(X[:1])
        values: dict[Node, Any] = {}
        for node in graph.nodes:
            if learns(node.stage):
                node.stage.fit(self._inputs(node, X, skip), y)
            elif node.stage is not None:
                node.stage.fit(values[node.inputs[0]])
            values[node] = compute(node, first, values)
        self.feature_names_out_ = graph.feature_names(graph.outputs[0])

    def _inputs(self, node: Node, X: Batch, skip: bool) -> Any:
        """Return the training data of a trainable stage.

        Stages of featx may sample from a lazy batch; scikit-learn's require all data in one array.
        """
        graph = Graph(node.inputs)

        def batches(positions: Sequence[int]) -> Iterator[Any]:
            chosen = (X[index] for index in positions)
            with closing(graph.run(chosen, self.chunk_size, self.n_jobs)) as chunks:
                for chunk in chunks:
                    if chunk.refused and not skip:
                        raise next(iter(chunk.refused.values()))
                    yield chunk.outputs[0]

        if isinstance(node.stage, ImageStage):
            return LazyBatch(len(X), lambda chosen: chain.from_iterable(batches(chosen)))
        joined = Joined(len(X))
        for batch in batches(range(len(X))):
            joined.add(batch)
        return joined.result()

    def transform(self, X: Batch) -> Any:
        """Compute the output of the last stage for all images.

        Parameters
        ----------
        X : sequence of paths, or batch of images
            The images.

        Returns
        -------
        ndarray or list of ndarray
            One result per image.
        """
        graph = self.graph()
        X = graph.checked(X)
        if len(X) == 0:
            return graph.values(X)[graph.outputs[0]]
        (result,) = self._collect(graph, X, self.refused)
        return result

    def iterate(self, X: Iterable[Any]) -> Iterator[Chunk]:
        """Compute outputs chunk by chunk, and report rejected images instead of raising.

        Parameters
        ----------
        X : iterable of paths or images
            The images; only a few chunks are in memory at a time.

        Yields
        ------
        Chunk
            Outputs and rejected images of consecutive images, in order.
        """
        return self.graph().run(X, self.chunk_size, self.n_jobs)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the output feature names of the last stage; requires `fit`."""
        if not hasattr(self, "feature_names_out_"):
            raise InputError("Stream: the feature names are unknown before fit. Call fit first.")
        return self.feature_names_out_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return parameters; if ``deep``, also those of stages as ``sobel`` and ``sobel__axis``."""
        parameters: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, stage in named_stages(self.stages).items():
                parameters[name] = stage
                for key, value in stage.get_params(deep=True).items():
                    parameters[f"{name}__{key}"] = value
        return parameters

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters of the stream, or of its stages by names such as ``sobel__axis``."""
        if "stages" in parameters:
            self.stages = parameters.pop("stages")
        for key in [key for key in parameters if key in named_stages(self.stages)]:
            position = list(named_stages(self.stages)).index(key)
            self.stages = [*self.stages]
            self.stages[position] = parameters.pop(key)
        super().set_params(**parameters)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "feature_names_out_") or not any(map(learns, self.stages))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = any(map(learns, self.stages))
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags

    def graph(self) -> Graph:
        """Check all parameters and return the graph of the stages."""
        validate(self._parameter_constraints, super().get_params(deep=False), "Stream")
        if len(self.stages) == 0:
            raise InputError("Stream: stages is empty. Pass at least one stage.")
        graph = Graph.of([self.stages])
        for node in graph.nodes:
            # Before any image is read: otherwise each image would be rejected with this error.
            if isinstance(node.stage, ImageStage):
                node.stage.check_parameters()
        return graph

    def _collect(self, graph: Graph, X: Batch, refused: str = "raise") -> list[Any]:
        # Closed at once if an image is rejected: a garbage collection that runs in a worker thread
        # could otherwise close the pool and wait for that same thread.
        with closing(graph.run(X, self.chunk_size, self.n_jobs)) as chunks:
            return collect(chunks, len(X), len(graph.outputs), refused)


@dataclass
class Computed:
    """Outputs of several streams for the images that none of them rejected."""

    #: The results of each stream.
    outputs: list[Any]
    #: The positions of the accepted images.
    kept: list[int]
    refused: list[RefusedImage]
    #: CPU seconds per image of each stream, as if it ran alone.
    seconds: list[float]
    #: The part of these seconds spent on reading files.
    reading: list[float]


def run_together(
    streams: Sequence[Stream],
    X: Batch,
    n_jobs: int | None = 1,
    progress: Callable[[int], object] = int,
    tried: Iterable[Sequence[Any]] = (),
) -> Computed:
    """Run several streams on the same images, and compute shared stages once.

    All stages must be stateless or fitted. ``progress`` is called with the number of images of each
    finished chunk; for ``tried`` see `Graph.of`.
    """
    graph = Graph.of([stream.stages for stream in streams], tried)
    joined = _JoinedChunks(len(X), len(streams))
    seconds: Counter[Node] = Counter()
    for chunk in graph.run(X, min(stream.chunk_size for stream in streams), n_jobs):
        joined.add(chunk)
        seconds.update(chunk.seconds)
        progress(len(chunk.items))

    def per_image(nodes: Iterable[Node]) -> float:
        """Compute the CPU seconds of nodes per image."""
        return sum(seconds[node] for node in nodes) / max(joined.count, 1)

    above = [graph.above(output) for output in graph.outputs]
    return Computed(
        joined.results(),
        joined.kept,
        joined.refused,
        [per_image(nodes) for nodes in above],
        [per_image(filter(_reads, nodes)) for nodes in above],
    )


class _JoinedChunks:
    """Concatenates the outputs of chunks and collects the rejected images."""

    def __init__(self, total: int, outputs: int) -> None:
        self._outputs = [Joined(total) for _ in range(outputs)]
        #: Number of images so far, and the positions of the accepted ones.
        self.count = 0
        self.kept: list[int] = []
        self.refused: list[RefusedImage] = []

    def add(self, chunk: Chunk) -> None:
        """Add the outputs of the next images."""
        self.kept += [self.count + index for index in chunk.kept]
        self.refused += chunk.refused.values()
        self.count += len(chunk.items)
        for output, joined in zip(chunk.outputs, self._outputs, strict=True):
            joined.add(output)

    def results(self) -> list[Any]:
        """Return all results of each output as one batch."""
        return [joined.result() for joined in self._outputs]


def _reads(node: Node) -> bool:
    return getattr(node.stage, "takes", None) == "paths"


def named_stages(stages: Sequence[Any]) -> dict[str, Any]:
    """Name stages as `sklearn.pipeline.make_pipeline` does: sobel, or sobel-1, sobel-2."""
    names = [type(stage).__name__.lower() for stage in stages]
    count, seen = Counter(names), Counter[str]()
    named = {}
    for name, stage in zip(names, stages, strict=True):
        seen[name] += 1
        named[name if count[name] == 1 else f"{name}-{seen[name]}"] = stage
    return named


def collect(chunks: Iterable[Chunk], total: int, count: int, refused: str) -> list[Any]:
    """Concatenate the ``count`` outputs of all chunks, for ``total`` images."""
    joined = _JoinedChunks(total, count)
    for chunk in chunks:
        if chunk.refused and refused == "raise":
            raise next(iter(chunk.refused.values()))
        joined.add(chunk)
    results = joined.results()
    if joined.refused:
        warn(
            f"{len(joined.refused)} of {total} images were rejected, and their rows are NaN. "
            f"The first: {joined.refused[0]}",
            stacklevel=4,
        )
        return [_with_gaps(result, joined.kept, total) for result in results]
    return results


def _with_gaps(vectors: Any, kept: list[int], total: int) -> NDArray[np.float32]:
    """Insert rows of NaN for the rejected images."""
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
        raise InputError(
            'Stream: refused="nan" requires a stream that outputs vectors, and at least one '
            "readable image."
        )
    rows = np.full((total, vectors.shape[1]), np.nan, np.float32)
    rows[kept] = vectors
    return rows
