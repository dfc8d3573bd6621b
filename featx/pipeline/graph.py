"""Stages as a graph, run depth first over chunks of images.

In the graph of one stream, or of several that are compared, equal stages on equal input are one
node. A chunk of images goes through the whole graph before the next is begun, so that maps stay
in cache and memory does not grow with the number of images.
"""

import time
from collections import Counter, deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
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
        adapt_allocator()
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
                values[node] = compute(node, items, values)
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
                items = node.stage.check_batch(items)
        return items

    def values(self, items: Batch) -> dict[Node, Any]:
        """Give what every node gives for these images."""
        values: dict[Node, Any] = {}
        for node in self.nodes:
            values[node] = compute(node, items, values)
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
            raise InputError(f"Stream takes transformers, but got {stage!r}.")
        # What learns may be in different states: only the same object is the same stage.
        identity = id(stage) if learns(stage) else joblib.hash(stage.get_params())
        key = (type(stage), identity, id(node))
        node = known.setdefault(key, Node(stage, (node,)))
    return node


def _branch(node: Node, union: FeatureUnion, known: dict[Any, Node]) -> Node:
    if union.transformer_weights:
        raise InputError("Stream takes no transformer_weights; scale after the stream.")
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
            results.append(compute(node, [chunk.items[index]], single))
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


def compute(node: Node, items: Batch, values: dict[Node, Any]) -> Any:
    """Compute what a node gives for images, from what its inputs give."""
    if node.stage is not None:
        result = node.stage.transform(values[node.inputs[0]])
        # scikit-learn can be set to give data frames.
        return result.to_numpy() if hasattr(result, "to_numpy") else result
    if not node.inputs:
        return items
    parts = [values[source] for source in node.inputs]
    if any(isinstance(item, DescriptorSet) for part in parts for item in part[:1]):
        raise InputError(
            "The branches of a union give descriptor sets, which cannot be put side by side. End "
            "each branch with an encoder, such as FisherVector."
        )
    if all(isinstance(part, np.ndarray) for part in parts):
        return _side_by_side(parts)
    return [_side_by_side(group) for group in zip(*parts, strict=True)]


def _side_by_side(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len({part.shape[:-1] for part in parts}) > 1:
        sizes = ", ".join(" x ".join(map(str, part.shape[-3:-1])) for part in parts)
        raise InputError(
            f"The branches of a union give maps of different sizes ({sizes} pixels). Use a "
            'padding that keeps the size, such as padding="reflect", or summarize each branch.'
        )
    return np.concatenate(parts, axis=-1)


def _refusal(item: Any, error: ValueError) -> RefusedImage:
    if isinstance(error, RefusedImage):
        return error
    name = item if isinstance(item, str | bytes) or hasattr(item, "__fspath__") else "an image"
    return RefusedImage(name, "unsuitable", str(error))
