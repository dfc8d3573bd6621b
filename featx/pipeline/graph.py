"""Computation graph of stages, run depth first over chunks of images.

Equal stages on equal input share a node, within a stream and across the streams of a comparison.
Each chunk of images passes through the whole graph before the next one starts. Maps stay in cache,
and memory does not grow with the number of images.
"""

import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from featx.core.batches import batched, join
from featx.core.descriptor_sets import DescriptorSet
from featx.core.errors import InputError, RefusedImage
from featx.core.memory import adapt_allocator
from featx.core.stage import Batch, ImageStage, Kind
from featx.core.threads import one_thread_inside
from featx.io.decoding import Decoded, shared_decoding
from featx.io.images import ReadImages


@dataclass(eq=False)
class Node:
    """A stage and its input nodes; without a stage, the source or a union."""

    stage: Any = None
    inputs: tuple["Node", ...] = ()
    #: Names of the branches of a union.
    branches: tuple[str, ...] = ()


@dataclass
class Chunk:
    """Outputs of a graph for a chunk of consecutive images."""

    #: The input images.
    items: list[Any]
    #: For each output of the graph, one result per accepted image.
    outputs: list[Any]
    #: Rejected images by their position in ``items``, in order.
    refused: dict[int, RefusedImage]
    #: CPU seconds per node.
    seconds: Counter[Node] = field(default_factory=Counter)

    @property
    def kept(self) -> list[int]:
        """Positions of the accepted images."""
        return [index for index in range(len(self.items)) if index not in self.refused]


class Graph:
    """Nodes in topological order, with the output nodes."""

    def __init__(self, outputs: Sequence[Node], tried: Sequence[Node] = ()) -> None:
        self.outputs = list(outputs)
        self.nodes: list[Node] = []
        for node in (*outputs, *tried):
            self._add(node)
        self._uses = Counter(chain.from_iterable(node.inputs for node in self.nodes))
        self._uses.update(self.outputs)
        readers = [node for node in self.nodes if isinstance(node.stage, ReadImages)]
        self._shares_images = len(readers) > 1

    @classmethod
    def of(cls, streams: Iterable[Sequence[Any]], tried: Iterable[Sequence[Any]] = ()) -> "Graph":
        """Build the graph of several lists of stages, with one output per list.

        For the lists in ``tried``, the stateless stages are run and their results discarded:
        images unsuitable for them are rejected.
        """
        source, known = Node(), dict[Any, Node]()
        outputs = [_extend(source, stages, known) for stages in streams]
        return cls(outputs, _unlearned([_extend(source, stages, known) for stages in tried]))

    def run(
        self, items: Iterable[Any], chunk_size: int, n_jobs: int | None
    ) -> Generator[Chunk, None, None]:
        """Run the graph on all items, a few chunks at a time, and yield the chunks in order."""
        chunks = batched(items, chunk_size)
        adapt_allocator()
        workers = joblib.effective_n_jobs(n_jobs)
        with one_thread_inside:
            if workers == 1:
                yield from map(self.run_chunk, chunks)
                return
            pool = ThreadPoolExecutor(workers, thread_name_prefix="featx")
            try:
                # At most two chunks per worker are pending: this bounds memory.
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
        """Run the graph on one chunk.

        If a stage raises an error for an image, only that image is rejected, with the error's text.
        """
        with shared_decoding() if self._shares_images else nullcontext(Decoded()) as decoded:
            return self._run_chunk(items, decoded)

    def _run_chunk(self, items: list[Any], decoded: Decoded) -> Chunk:
        chunk = Chunk(items, [], {})
        values: dict[Node, Any] = {}
        uses = self._uses.copy()
        for node in self.nodes:
            started = time.thread_time()
            try:
                values[node] = compute(node, items, values)
            except NotFittedError:
                raise
            except ValueError as error:
                values = _one_by_one(node, chunk, values, error)
                chunk.refused = dict(sorted(chunk.refused.items()))
            # Each reader is charged for decoding, whichever of them did it.
            seconds = time.thread_time() - started + decoded.take_saved()
            chunk.seconds[node] = seconds  # type: ignore[assignment]
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
        """Check a batch by the first stages and return it in an indexable form."""
        for node in self.nodes:
            if isinstance(node.stage, ImageStage) and not node.inputs[0].inputs:
                items = node.stage.check_batch(items)
        return items

    def values(self, items: Batch) -> dict[Node, Any]:
        """Compute the output of every node for a batch."""
        values: dict[Node, Any] = {}
        for node in self.nodes:
            values[node] = compute(node, items, values)
        return values

    def feature_names(self, node: Node) -> NDArray[Any]:
        """Return the output feature names of a node whose stages are fitted."""
        if node.stage is not None:
            inputs = self.feature_names(node.inputs[0])
            # Unread arrays have no names, and may have another number of channels than files.
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
        """List a node and all nodes that it depends on."""
        return Graph([node]).nodes

    def _add(self, node: Node) -> None:
        if node not in self.nodes:
            for source in node.inputs:
                self._add(source)
            self.nodes.append(node)


def _extend(node: Node, stages: Sequence[Any], known: dict[Any, Node]) -> Node:
    """Append stages to a node, and reuse known nodes of equal stages."""
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
            raise InputError(f"Stream: stages must be transformers, got {stage!r}.")
        # Equal trainable stages may differ in state: they are shared only if identical.
        identity = id(stage) if learns(stage) else joblib.hash(stage.get_params())
        key = (type(stage), identity, id(node))
        node = known.setdefault(key, Node(stage, (node,)))
    return node


def _branch(node: Node, union: FeatureUnion, known: dict[Any, Node]) -> Node:
    if union.transformer_weights:
        raise InputError(
            "Stream: transformer_weights of a union is not supported. Scale after the stream."
        )
    branches = {
        name: _extend(node, [branch], known)
        for name, branch in union.transformer_list
        if not (isinstance(branch, str) and branch == "drop")
    }
    key = ("union", *(id(branch) for branch in branches.values()))
    return known.setdefault(key, Node(None, tuple(branches.values()), tuple(branches)))


def _unlearned(outputs: list[Node]) -> list[Node]:
    """List the nodes that are stateless and depend on stateless nodes only."""
    found: list[Node] = []
    for node in Graph(outputs).nodes:
        if not learns(node.stage) and all(source in found for source in node.inputs):
            found.append(node)
    return found


def gives(stage: Any) -> Kind:
    """Return the output kind of a stage, pipeline or union."""
    if isinstance(stage, Pipeline):
        return gives(stage.steps[-1][1])
    if isinstance(stage, FeatureUnion):
        return gives(stage.transformer_list[0][1])
    kind: Kind = getattr(stage, "gives", "vectors")
    return kind


def learns(stage: Any) -> bool:
    """Return whether a stage, or any stage within it, is trainable."""
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

    Reject the images that raise an error on their own, and return the values of the others.
    """
    kept = chunk.kept
    results, good = [], []
    for row, index in enumerate(kept):
        single = {source: values[source][row : row + 1] for source in node.inputs}
        try:
            results.append(compute(node, [chunk.items[index]], single))
        except ValueError as own:
            chunk.refused[index] = _refusal(chunk.items[index], own)
        else:
            good.append(row)
    if len(good) == len(kept):
        raise error  # every image succeeds on its own, so their sizes are inconsistent
    values = {source: _rows(value, good) for source, value in values.items()}
    return {**values, node: join(results)}


def _rows(batch: Any, rows: list[int]) -> Any:
    return batch[rows] if isinstance(batch, np.ndarray) else [batch[row] for row in rows]


def compute(node: Node, items: Batch, values: dict[Node, Any]) -> Any:
    """Compute the output of a node from the outputs of its inputs."""
    if node.stage is not None:
        result = node.stage.transform(values[node.inputs[0]])
        # scikit-learn can be configured to return data frames.
        return result.to_numpy() if hasattr(result, "to_numpy") else result
    if not node.inputs:
        return items
    parts = [values[source] for source in node.inputs]
    if any(isinstance(item, DescriptorSet) for part in parts for item in part[:1]):
        raise InputError(
            "FeatureUnion: the branches output descriptor sets, which cannot be concatenated. End "
            "each branch with an encoder, such as FisherVector."
        )
    if all(isinstance(part, np.ndarray) for part in parts):
        return _concatenated(parts)
    return [_concatenated(group) for group in zip(*parts, strict=True)]


def _concatenated(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len({part.shape[:-1] for part in parts}) > 1:
        sizes = ", ".join(" x ".join(map(str, part.shape[-3:-1])) for part in parts)
        raise InputError(
            f"FeatureUnion: the branches output maps of different sizes ({sizes} pixels). Use a "
            'padding that keeps the size, such as padding="reflect", or pool with Summarize.'
        )
    return np.concatenate(parts, axis=-1)


def _refusal(item: Any, error: ValueError) -> RefusedImage:
    if isinstance(error, RefusedImage):
        return error
    name = item if isinstance(item, str | bytes) or hasattr(item, "__fspath__") else "an image"
    return RefusedImage(name, "unsuitable", str(error))
