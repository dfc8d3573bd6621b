from collections import Counter

import numpy as np
import pytest
from PIL import Image
from sklearn.pipeline import FeatureUnion

from featx import (
    HOG,
    AveragePool,
    GaussianBlur,
    ImageStage,
    ReadImages,
    Rectify,
    Sobel,
    Stream,
    Summarize,
)
from featx.core.batches import batched
from featx.encoders.patch_dictionary import PatchDictionary
from featx.io import decoding
from featx.pipeline.graph import Graph, gives, learns
from featx.pipeline.stream import collect


def images(count=7, size=(24, 32)):
    return np.random.default_rng(0).random((count, *size, 1), np.float32)


def test_equal_stages_on_equal_input_are_one_node():
    one = [GaussianBlur(1.0), Sobel("both"), Summarize(["mean"])]
    two = [GaussianBlur(1.0), Sobel("vertical"), Summarize(["mean"])]
    graph = Graph.of([one, two, one])
    assert [type(node.stage).__name__ for node in graph.nodes] == [
        "NoneType",
        *("GaussianBlur", "Sobel", "Summarize", "Sobel", "Summarize"),
    ]
    first, second, third = graph.outputs
    assert first is third
    assert graph.above(second) == [graph.nodes[n] for n in (0, 1, 4, 5)]


def test_each_comes_after_its_inputs():
    union = FeatureUnion([("edges", Sobel()), ("blurred", GaussianBlur(2.0))])
    graph = Graph.of([[Rectify(), union, AveragePool(2)]])
    for place, node in enumerate(graph.nodes):
        assert all(source in graph.nodes[:place] for source in node.inputs)
    assert graph.nodes[-2].branches == ("edges", "blurred")


@pytest.mark.parametrize("chunk_size", [1, 3, 7, 20])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_outputs_side_by_side(chunk_size, n_jobs):
    graph = Graph.of([[Sobel("both")], [Summarize(["mean"])]])
    chunks = graph.run(images(), chunk_size, n_jobs)
    maps, vectors = collect(chunks, len(images()), 2, "raise")
    np.testing.assert_array_equal(maps, Sobel("both").fit_transform(images()))
    np.testing.assert_array_equal(vectors, Summarize(["mean"]).fit_transform(images()))


def test_seconds_are_those_of_each_node():
    graph = Graph.of([[GaussianBlur(3.0), Sobel("both")]])
    for chunk in graph.run(images(10, (64, 64)), 5, 1):
        assert set(chunk.seconds) == set(graph.nodes)
        assert chunk.seconds[graph.nodes[1]] > 0


def test_values_of_every_node():
    graph = Graph.of([[GaussianBlur(1.0), Sobel("both")]])
    source, blurred, edges = graph.nodes
    values = graph.values(list(images(2)))
    np.testing.assert_array_equal(values[source], images(2))
    np.testing.assert_array_equal(values[blurred], GaussianBlur(1.0).fit_transform(images(2)))
    np.testing.assert_array_equal(values[edges], Sobel("both").fit_transform(values[blurred]))


def test_what_stages_give_and_whether_they_learn():
    assert [gives(stage) for stage in (Sobel(), HOG())] == ["maps", "vectors"]
    assert [learns(stage) for stage in (Sobel(), PatchDictionary())] == [False, True]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 8])
def test_batched(count):
    lists = list(batched(iter(range(count)), 4))
    assert [item for one in lists for item in one] == list(range(count))
    assert [len(one) for one in lists] == [4] * (count // 4) + [count % 4] * (count % 4 > 0)


def test_stages_of_the_same_name_are_no_equal_stages():
    """Neither classes of one name, nor a class and its reload, are taken for each other."""

    def made(value):
        class Own(ImageStage):
            def _transform_one(self, image):
                return np.full_like(image, value)

        return Own()

    stages = [made(1), made(2)]
    union = FeatureUnion([(f"branch{index}", stage) for index, stage in enumerate(stages)])
    found = Stream([union]).transform(np.zeros((1, 2, 2, 1), np.float32))
    assert found[0, 0, 0].tolist() == [1, 2]


@pytest.fixture
def files(tmp_path):
    rng = np.random.default_rng(0)
    for index in range(5):
        pixels = rng.integers(0, 256, (20 + index, 30, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    (tmp_path / "3.png").write_bytes(b"no image")
    return [str(tmp_path / f"{index}.png") for index in range(5)]


@pytest.mark.parametrize("most", [2**25, 0])
def test_readers_of_one_mode_decode_each_file_once(files, most, monkeypatch):
    readers = [
        ReadImages(size=(8, 8)),
        ReadImages(size=(16, 8)),
        ReadImages(size=(8, 8), mode="gray"),
    ]
    good = [*files[:3], files[4]]
    expected = [reader.transform(good) for reader in readers]
    read, calls = decoding._read, []
    monkeypatch.setattr(decoding, "_MOST_KEPT", most)
    monkeypatch.setattr(decoding, "_read", lambda *given: calls.append(given[:2]) or read(*given))
    chunk = Graph.of([[reader] for reader in readers]).run_chunk(files)
    assert [*chunk.refused] == [3]
    for values, own in zip(chunk.outputs, expected, strict=True):
        np.testing.assert_array_equal(values, own)
    counts = Counter(call for call in calls if call[0] in good)
    assert len(counts) == 2 * len(good)
    # Without memory for decoded images, each reader decodes, and once more after the failed batch.
    assert (max(counts.values()) == 1) == (most > 0)
    # Each reader is charged for decoding.
    assert all(seconds > 0 for node, seconds in chunk.seconds.items() if node.stage is not None)
    assert not hasattr(decoding._thread, "decoded")


def test_one_reader_keeps_no_decoded_images(files):
    chunk = Graph.of([[ReadImages()]]).run_chunk(files[:3])
    assert all(pixels.flags.writeable for pixels in chunk.outputs[0])
