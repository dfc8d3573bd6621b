"""Stages as one transformer: the one place that knows of batches of files and of workers."""

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
    """Stages as one transformer, run depth first over small chunks of images.

    Parameters
    ----------
    stages : list of transformers
        The stages in order. A `sklearn.pipeline.FeatureUnion` branches: each branch takes what
        the stages before it give, and the branches' channels or vectors are put side by side.
        What branches have in common is computed once.
    chunk_size : int, default=16
        How many images go through all stages at a time.
    n_jobs : int, default=1
        How many threads work on chunks; -1 for one a processor.
    refused : {"raise", "nan"}, default="raise"
        What `transform` does with images that cannot be read, or are unsuitable for a stage:
        raise `RefusedImage` for the first, or give a row of NaN for each and warn once.

    Raises
    ------
    RefusedImage
        If an image is refused and ``refused="raise"``; `fit` always raises.

    Notes
    -----
    Results are the same, bit for bit, whatever the chunk size and the number of threads. Stages
    that learn are fitted in `fit`, each on all that the stages before it give.

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
        """Check everything on the first image, and fit the stages that learn.

        Parameters
        ----------
        X : sequence of paths, or batch of images
            The images.
        y : array-like of shape (n,), optional
            Labels, for stages that use them.

        Returns
        -------
        self
        """
        graph = self.graph()
        self._fit_stages(graph, graph.checked(X), y, skip=False)
        return self

    def fit_on_readable(self, X: Batch) -> Self:
        """Fit without labels, on the images that are not refused.

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
            If all of them are refused: the first.
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
        """Give what a stage that learns is to be fitted on.

        Stages of ours may take a few of these images or all; scikit-learn's want all in one array.
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
        """Compute what the last stage gives for every image.

        Parameters
        ----------
        X : sequence of paths, or batch of images
            The images.

        Returns
        -------
        ndarray or list of ndarray
            One result an image.
        """
        graph = self.graph()
        X = graph.checked(X)
        if len(X) == 0:
            return graph.values(X)[graph.outputs[0]]
        (result,) = self._collect(graph, X, self.refused)
        return result

    def iterate(self, X: Iterable[Any]) -> Iterator[Chunk]:
        """Compute chunk by chunk, losing nothing to images that are refused.

        Parameters
        ----------
        X : iterable of paths or images
            The images; only a few chunks of them are held at a time.

        Yields
        ------
        Chunk
            In the order of the images.
        """
        return self.graph().run(X, self.chunk_size, self.n_jobs)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Name what the last stage gives, after `fit`."""
        if not hasattr(self, "feature_names_out_"):
            raise InputError("Stream names its features after fit, which sees how many there are.")
        return self.feature_names_out_

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get parameters; with ``deep``, also ``sobel`` and ``sobel__axis`` of the stages."""
        parameters: dict[str, Any] = super().get_params(deep=False)
        if deep:
            for name, stage in named_stages(self.stages).items():
                parameters[name] = stage
                for key, value in stage.get_params(deep=True).items():
                    parameters[f"{name}__{key}"] = value
        return parameters

    def set_params(self, **parameters: Any) -> Self:
        """Set parameters of the stream, or of its stages as ``sobel__axis``."""
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
        """Give the graph of the stages, whose parameters are checked."""
        validate(self._parameter_constraints, super().get_params(deep=False), "Stream")
        if len(self.stages) == 0:
            raise InputError("Stream: stages is empty. Give one stage at least.")
        graph = Graph.of([self.stages])
        for node in graph.nodes:
            # Before any image is read: else each image would be refused for it.
            if isinstance(node.stage, ImageStage):
                node.stage.check_parameters()
        return graph

    def _collect(self, graph: Graph, X: Batch, refused: str = "raise") -> list[Any]:
        # Closed at once if an image is refused: left to the collector of garbage, the workers might
        # be waited for by one of themselves.
        with closing(graph.run(X, self.chunk_size, self.n_jobs)) as chunks:
            return collect(chunks, len(X), len(graph.outputs), refused)


@dataclass
class Computed:
    """What several streams give for the images that none of them refused."""

    #: For each stream, the results.
    outputs: list[Any]
    #: The positions of these images.
    kept: list[int]
    refused: list[RefusedImage]
    #: For each stream, the processor seconds that an image takes, as if it ran alone.
    seconds: list[float]
    #: The part of them that goes into reading files.
    reading: list[float]


def run_together(
    streams: Sequence[Stream],
    X: Batch,
    n_jobs: int | None = 1,
    progress: Callable[[int], object] = int,
    tried: Iterable[Sequence[Any]] = (),
) -> Computed:
    """Run streams side by side, computing once what they have in common.

    No stage of theirs may have to be fitted first. ``progress`` is told how many more images are
    done; ``tried`` is as for `Graph.of`.
    """
    graph = Graph.of([stream.stages for stream in streams], tried)
    joined = _JoinedChunks(len(X), len(streams))
    seconds: Counter[Node] = Counter()
    for chunk in graph.run(X, min(stream.chunk_size for stream in streams), n_jobs):
        joined.add(chunk)
        seconds.update(chunk.seconds)
        progress(len(chunk.items))

    def per_image(nodes: Iterable[Node]) -> float:
        """Compute the seconds that nodes take for an image."""
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
    """Chunks joined as they come: their outputs, and which images are refused."""

    def __init__(self, total: int, outputs: int) -> None:
        self._outputs = [Joined(total) for _ in range(outputs)]
        #: Images so far, and the positions of those that are not refused.
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
    """Join the outputs of chunks, of which there are ``count``, for ``total`` images in all."""
    joined = _JoinedChunks(total, count)
    for chunk in chunks:
        if chunk.refused and refused == "raise":
            raise next(iter(chunk.refused.values()))
        joined.add(chunk)
    results = joined.results()
    if joined.refused:
        warn(
            f"{len(joined.refused)} of the images are refused, and their rows are NaN. "
            f"The first: {joined.refused[0]}",
            stacklevel=4,
        )
        return [_with_gaps(result, joined.kept, total) for result in results]
    return results


def _with_gaps(vectors: Any, kept: list[int], total: int) -> NDArray[np.float32]:
    """Put vectors into their rows, and NaN into those of the images that were refused."""
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
        raise InputError('refused="nan" needs a stream that gives vectors, of one image at least.')
    rows = np.full((total, vectors.shape[1]), np.nan, np.float32)
    rows[kept] = vectors
    return rows
