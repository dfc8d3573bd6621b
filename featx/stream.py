"""Stages run depth first over chunks of files: the one place that knows of chunks and workers.

The stages of one stream, or of several that are compared, make a graph in which equal stages on
equal input are one node. A chunk of images goes through the whole graph before the next is
begun, so that maps stay in cache and memory does not grow with the number of images.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from itertools import chain, islice
from numbers import Integral
from typing import Any, ClassVar, Self
from warnings import warn

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from featx.constraints import Options, StrOptions, natural, validate
from featx.descriptor_sets import DescriptorSet
from featx.files import RefusedImage
from featx.lazy_batch import LazyBatch
from featx.one_thread import one_thread_inside
from featx.stage import Batch, ImageStage, Kind


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

    def _fit_stages(self, graph: "Graph", X: Batch, y: Any, skip: bool) -> None:
        first = list(X[:1])
        values: dict[Node, Any] = {}
        for node in graph.nodes:
            if learns(node.stage):
                node.stage.fit(self._inputs(node, X, skip), y)
            elif node.stage is not None:
                node.stage.fit(values[node.inputs[0]])
            values[node] = _value(node, first, values)
        self.feature_names_out_ = graph.feature_names(graph.outputs[0])

    def _inputs(self, node: "Node", X: Batch, skip: bool) -> Any:
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

    def iterate(self, X: Iterable[Any]) -> Iterator["Chunk"]:
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
            raise ValueError("Stream names its features after fit, which sees how many there are.")
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

    def graph(self) -> "Graph":
        """Give the graph of the stages, whose parameters are checked."""
        validate(self._parameter_constraints, super().get_params(deep=False), "Stream")
        if len(self.stages) == 0:
            raise ValueError("Stream: stages is empty. Give one stage at least.")
        graph = Graph.of([self.stages])
        for node in graph.nodes:
            # Before any image is read: else each image would be refused for it.
            if isinstance(node.stage, ImageStage):
                node.stage._check_parameters()
        return graph

    def _collect(self, graph: "Graph", X: Batch, refused: str = "raise") -> list[Any]:
        # Closed at once if an image is refused: left to the collector of garbage, the workers might
        # be waited for by one of themselves.
        with closing(graph.run(X, self.chunk_size, self.n_jobs)) as chunks:
            return collect(chunks, len(X), len(graph.outputs), refused)


@dataclass(eq=False)
class Node:
    """A stage and the nodes that give its input, or, without a stage, the source or a union."""

    stage: Any = None
    inputs: tuple["Node", ...] = ()
    #: The names of a union's branches.
    branches: tuple[str, ...] = ()


@dataclass
class Chunk:
    """What a graph gives for a few consecutive images."""

    #: The images, as they came.
    items: list[Any]
    #: For each output of the graph, one result for every image that was not refused.
    outputs: list[Any]
    #: The refused images, by their position in ``items``, in their order.
    refused: dict[int, RefusedImage]
    #: Processor seconds that each node took.
    seconds: Counter[Node] = field(default_factory=Counter)

    @property
    def kept(self) -> list[int]:
        """The positions of the images that were not refused."""
        return [index for index in range(len(self.items)) if index not in self.refused]


class Graph:
    """Nodes in an order in which each comes after its inputs, and those whose values are wanted."""

    def __init__(self, outputs: Sequence[Node], tried: Sequence[Node] = ()) -> None:
        self.outputs = list(outputs)
        self.nodes: list[Node] = []
        for node in (*outputs, *tried):
            self._add(node)
        self._uses = Counter(chain.from_iterable(node.inputs for node in self.nodes))
        self._uses.update(self.outputs)

    @classmethod
    def of(cls, streams: Iterable[Sequence[Any]], tried: Iterable[Sequence[Any]] = ()) -> "Graph":
        """Make the graph of several lists of stages, each of which gives one output.

        Of those that are ``tried``, what stands before the stages that learn is computed and not
        kept: images that are unsuitable for it are refused.
        """
        source, known = Node(), dict[Any, Node]()
        outputs = [_extend(source, stages, known) for stages in streams]
        return cls(outputs, _unlearned([_extend(source, stages, known) for stages in tried]))

    def run(
        self, items: Iterable[Any], chunk_size: int, n_jobs: int | None
    ) -> Generator[Chunk, None, None]:
        """Take all items through the graph, a few chunks at a time, and keep their order."""
        chunks = batched(items, chunk_size)
        workers = joblib.effective_n_jobs(n_jobs)
        with one_thread_inside:
            if workers == 1:
                yield from map(self.run_chunk, chunks)
                return
            pool = ThreadPoolExecutor(workers, thread_name_prefix="featx")
            try:
                # Two chunks a worker are under way, so that memory does not grow.
                waiting: deque[Future[Chunk]] = deque()
                for chunk in chunks:
                    waiting.append(pool.submit(self.run_chunk, chunk))
                    if len(waiting) >= 2 * workers:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def run_chunk(self, items: list[Any]) -> Chunk:
        """Take one chunk through the graph.

        An image that a stage cannot take is refused by itself, with the stage's words.
        """
        chunk = Chunk(items, [], {})
        values: dict[Node, Any] = {}
        uses = self._uses.copy()
        for node in self.nodes:
            started = time.thread_time()
            try:
                values[node] = _value(node, items, values)
            except NotFittedError:
                raise
            except ValueError as error:
                values = _one_by_one(node, chunk, values, error)
                chunk.refused = dict(sorted(chunk.refused.items()))
            chunk.seconds[node] = time.thread_time() - started  # type: ignore[assignment]
            if len(chunk.refused) == len(items):
                chunk.outputs = [[] for _ in self.outputs]
                return chunk
            for source in node.inputs:
                uses[source] -= 1
            for done in (node, *node.inputs):
                if uses[done] == 0:
                    values.pop(done, None)
        chunk.outputs = [values[node] for node in self.outputs]
        return chunk

    def checked(self, items: Batch) -> Batch:
        """Refuse what the first stages refuse, and give what can be indexed by positions."""
        for node in self.nodes:
            if isinstance(node.stage, ImageStage) and not node.inputs[0].inputs:
                items = node.stage._check_batch(items)
        return items

    def values(self, items: Batch) -> dict[Node, Any]:
        """Give what every node gives for these images."""
        values: dict[Node, Any] = {}
        for node in self.nodes:
            values[node] = _value(node, items, values)
        return values

    def feature_names(self, node: Node) -> NDArray[Any]:
        """Name what a node gives, its stages being fitted."""
        if node.stage is not None:
            inputs = self.feature_names(node.inputs[0])
            # Arrays that nothing reads have no names, and may have other channels than files.
            shape: tuple[int, ...] = getattr(node.stage, "input_shape_", ())
            known = len(inputs) > 0 and (len(shape) != 3 or len(inputs) == shape[2])
            names = node.stage.get_feature_names_out(inputs if known else None)
            return np.asarray(names, dtype=object)
        named = [
            f"{branch}__{name}"
            for branch, source in zip(node.branches, node.inputs, strict=True)
            for name in self.feature_names(source)
        ]
        return np.asarray(named, dtype=object)

    def above(self, node: Node) -> list[Node]:
        """List a node and all that it depends on."""
        return Graph([node]).nodes

    def _add(self, node: Node) -> None:
        if node not in self.nodes:
            for source in node.inputs:
                self._add(source)
            self.nodes.append(node)


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
    kept: list[int] = []
    refused: list[RefusedImage] = []
    seconds: Counter[Node] = Counter()
    outputs = [Joined(len(X)) for _ in streams]
    count = 0
    for chunk in graph.run(X, min(stream.chunk_size for stream in streams), n_jobs):
        kept += [count + index for index in chunk.kept]
        refused += chunk.refused.values()
        seconds.update(chunk.seconds)
        for output, joined in zip(chunk.outputs, outputs, strict=True):
            joined.add(output)
        count += len(chunk.items)
        progress(len(chunk.items))
    above = [graph.above(output) for output in graph.outputs]
    alone = [sum(seconds[node] for node in nodes) for nodes in above]
    reading = [sum(seconds[node] for node in nodes if _reads(node)) for nodes in above]
    return Computed(
        [joined.result() for joined in outputs],
        kept,
        refused,
        [total / max(count, 1) for total in alone],
        [total / max(count, 1) for total in reading],
    )


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
    joined = [Joined(total) for _ in range(count)]
    refusals: list[RefusedImage] = []
    kept: list[int] = []
    start = 0
    for chunk in chunks:
        if chunk.refused and refused == "raise":
            raise next(iter(chunk.refused.values()))
        refusals += chunk.refused.values()
        kept += [start + index for index in chunk.kept]
        start += len(chunk.items)
        for output, all_of_it in zip(chunk.outputs, joined, strict=True):
            all_of_it.add(output)
    results = [all_of_it.result() for all_of_it in joined]
    if refusals:
        warn(
            f"{len(refusals)} of the images are refused, and their rows are NaN. "
            f"The first: {refusals[0]}",
            stacklevel=4,
        )
        return [_with_gaps(result, kept, total) for result in results]
    return results


class Joined:
    """Joins the batches of one output as they come.

    Where all results have one shape, each batch is copied to its place at once, so that memory is
    needed for one of all results only.
    """

    def __init__(self, total: int) -> None:
        self._total, self._filled = total, 0
        self._array: NDArray[Any] | None = None
        self._batches: list[Any] = []

    def add(self, batch: Any) -> None:
        """Add the results of the next images."""
        if len(batch) == 0:
            return
        if self._array is None and not self._batches and isinstance(batch, np.ndarray):
            self._array = np.empty((self._total, *batch.shape[1:]), batch.dtype)
        into = self._array
        if into is not None and _alike(into, batch):
            into[self._filled : self._filled + len(batch)] = batch
            self._filled += len(batch)
            return
        if into is not None:
            self._batches.append(into[: self._filled])
            self._array = None
        self._batches.append(batch)

    def result(self) -> Any:
        """Give all results as one batch."""
        return join(self._batches) if self._array is None else self._array[: self._filled]


def _alike(array: NDArray[Any], batch: Any) -> bool:
    return (
        isinstance(batch, np.ndarray)
        and batch.shape[1:] == array.shape[1:]
        and batch.dtype == array.dtype
    )


def join(batches: list[Any]) -> Any:
    """Join batches into one: an array where all results have one shape, else a list."""
    batches = [batch for batch in batches if len(batch) > 0]
    arrays = all(isinstance(batch, np.ndarray) for batch in batches)
    if arrays and len({(batch.shape[1:], batch.dtype) for batch in batches}) == 1:
        return batches[0] if len(batches) == 1 else np.concatenate(batches)
    if any(getattr(batch, "ndim", 0) == 2 for batch in batches):
        lengths = sorted({batch.shape[1] for batch in batches})
        raise ValueError(
            f"The images give vectors of different lengths ({lengths[0]} to {lengths[-1]}), since "
            "their sizes differ. Give all images one size, for example with "
            "ReadImages(size=(256, 256))."
        )
    return list(chain.from_iterable(batches))


def _with_gaps(vectors: Any, kept: list[int], total: int) -> NDArray[np.float32]:
    """Put vectors into their rows, and NaN into those of the images that were refused."""
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2:
        raise ValueError('refused="nan" needs a stream that gives vectors, of one image at least.')
    rows = np.full((total, vectors.shape[1]), np.nan, np.float32)
    rows[kept] = vectors
    return rows


def _extend(node: Node, stages: Sequence[Any], known: dict[Any, Node]) -> Node:
    """Lead a node through stages, and use the nodes that are already known."""
    for stage in stages:
        if isinstance(stage, FeatureUnion):
            node = _branch(node, stage, known)
            continue
        if isinstance(stage, Pipeline):
            node = _extend(node, [step for _, step in stage.steps], known)
            continue
        if isinstance(stage, str) and stage == "passthrough":
            continue
        if not hasattr(stage, "transform"):
            raise ValueError(f"Stream takes transformers, but got {stage!r}.")
        # What learns may be in different states: only the same object is the same stage.
        identity = id(stage) if learns(stage) else joblib.hash(stage.get_params())
        key = (type(stage), identity, id(node))
        node = known.setdefault(key, Node(stage, (node,)))
    return node


def _branch(node: Node, union: FeatureUnion, known: dict[Any, Node]) -> Node:
    if union.transformer_weights:
        raise ValueError("Stream takes no transformer_weights; scale after the stream.")
    branches = {
        name: _extend(node, [branch], known)
        for name, branch in union.transformer_list
        if not (isinstance(branch, str) and branch == "drop")
    }
    key = ("union", *(id(branch) for branch in branches.values()))
    return known.setdefault(key, Node(None, tuple(branches.values()), tuple(branches)))


def _unlearned(outputs: list[Node]) -> list[Node]:
    """List what neither learns nor stands after what learns."""
    found: list[Node] = []
    for node in Graph(outputs).nodes:
        if not learns(node.stage) and all(source in found for source in node.inputs):
            found.append(node)
    return found


def gives(stage: Any) -> Kind:
    """Tell the kind of data that a stage, or several in one, gives."""
    if isinstance(stage, Pipeline):
        return gives(stage.steps[-1][1])
    if isinstance(stage, FeatureUnion):
        return gives(stage.transformer_list[0][1])
    kind: Kind = getattr(stage, "gives", "vectors")
    return kind


def learns(stage: Any) -> bool:
    """Tell whether a stage, or any within it, must be fitted to images."""
    if stage is None or isinstance(stage, str):
        return False
    if isinstance(stage, Pipeline):
        return any(learns(step) for _, step in stage.steps)
    if isinstance(stage, FeatureUnion):
        return any(learns(branch) for _, branch in stage.transformer_list)
    return bool(getattr(stage, "learns", get_tags(stage).requires_fit))


def _one_by_one(
    node: Node, chunk: Chunk, values: dict[Node, Any], error: ValueError
) -> dict[Node, Any]:
    """Compute a node's value image by image, after its batch raised an error.

    Images that raise one by themselves are refused, and the values without them are given.
    """
    kept = chunk.kept
    results, good = [], []
    for place, index in enumerate(kept):
        single = {source: values[source][place : place + 1] for source in node.inputs}
        try:
            results.append(_value(node, [chunk.items[index]], single))
        except ValueError as own:
            chunk.refused[index] = _refusal(chunk.items[index], own)
        else:
            good.append(place)
    if len(good) == len(kept):
        raise error  # each image will do by itself, so it is their sizes that do not agree
    values = {source: _rows(value, good) for source, value in values.items()}
    return {**values, node: join(results)}


def _rows(batch: Any, places: list[int]) -> Any:
    return batch[places] if isinstance(batch, np.ndarray) else [batch[place] for place in places]


def _value(node: Node, items: Batch, values: dict[Node, Any]) -> Any:
    if node.stage is not None:
        result = node.stage.transform(values[node.inputs[0]])
        # scikit-learn can be set to give data frames.
        return result.to_numpy() if hasattr(result, "to_numpy") else result
    if not node.inputs:
        return items
    parts = [values[source] for source in node.inputs]
    if any(isinstance(item, DescriptorSet) for part in parts for item in part[:1]):
        raise ValueError(
            "The branches of a union give descriptor sets, which cannot be put side by side. End "
            "each branch with an encoder, such as FisherVector."
        )
    if all(isinstance(part, np.ndarray) for part in parts):
        return _side_by_side(parts)
    return [_side_by_side(group) for group in zip(*parts, strict=True)]


def _side_by_side(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len({part.shape[:-1] for part in parts}) > 1:
        sizes = ", ".join(" x ".join(map(str, part.shape[-3:-1])) for part in parts)
        raise ValueError(
            f"The branches of a union give maps of different sizes ({sizes} pixels). Use a "
            'padding that keeps the size, such as padding="reflect", or summarize each branch.'
        )
    return np.concatenate(parts, axis=-1)


def _refusal(item: Any, error: ValueError) -> RefusedImage:
    if isinstance(error, RefusedImage):
        return error
    name = item if isinstance(item, str | bytes) or hasattr(item, "__fspath__") else "an image"
    return RefusedImage(name, "unsuitable", str(error))


def batched(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Give items in lists of so many; the last may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
