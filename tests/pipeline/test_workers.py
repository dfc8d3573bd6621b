import os
import signal
import sys
import time
from contextlib import closing
from importlib import import_module, invalidate_caches

import cloudpickle
import numpy as np
import pytest
from PIL import Image

from featx import ReadImages, Stream, Summarize
from featx.core.errors import WorkerError
from featx.core.stage import ImageStage
from featx.io.files import ImageFile
from featx.pipeline import workers


class Deadly(ImageStage):
    """Do what decoders do on bad days, on images of one color."""

    _parameter_constraints = {}  # noqa: RUF012

    def _transform_one(self, image):
        color = round(float(image[0, 0, 0]) * 255)
        if color == 1:
            os.kill(os.getpid(), signal.SIGSEGV)
        if color == 2:
            raise MemoryError
        if color == 3:
            time.sleep(600)
        if color == 4:
            os._exit(0)
        return image


@pytest.fixture
def files(tmp_path):
    def make(colors):
        paths = [str(tmp_path / f"{index}.png") for index in range(len(colors))]
        for path, color in zip(paths, colors, strict=True):
            Image.fromarray(np.full((4, 4), color, np.uint8)).save(path)
        return paths

    return make


def run(paths, stages, chunk_size=4, n_jobs=2, seconds=60):
    graph = Stream([ReadImages(mode="gray"), *stages, Summarize(statistics=["mean"])]).graph()
    found = map(ImageFile, paths)
    with closing(workers.run(graph, found, chunk_size, n_jobs, seconds)) as chunks:
        return list(chunks)


def check(chunks, paths, colors, reasons):
    assert [file.path for chunk in chunks for file in chunk.items] == paths
    start = 0
    for chunk in chunks:
        kept = [colors[start + index] for index in chunk.kept]
        vectors = chunk.outputs[0] if chunk.kept else np.empty((0, 1))
        np.testing.assert_allclose(np.reshape(vectors, (-1, 1)) * 255, np.reshape(kept, (-1, 1)))
        found = {start + index: one.reason for index, one in chunk.refused.items()}
        assert found == {at: why for at, why in reasons.items() if at - start in range(4)}
        start += len(chunk.items)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_files_that_kill_their_worker(files, n_jobs):
    colors = [9, 1, 8, 7, 6, 2, 2, 50, 51, 52, 53, 54, 4, 55]
    paths = files(colors)
    chunks = run(paths, [Deadly()], n_jobs=n_jobs)
    check(chunks, paths, colors, {1: "crashed", 5: "crashed", 6: "crashed", 12: "crashed"})
    (refused,) = chunks[0].refused.values()
    assert str(refused) == f"{paths[1]}: crashed: its worker process died."


def test_a_chunk_of_which_nothing_is_left(files):
    paths = files([1, 2])
    check(run(paths, [Deadly()]), paths, [1, 2], {0: "crashed", 1: "crashed"})


def test_files_that_take_too_long(files, monkeypatch):
    monkeypatch.setattr(workers, "_STARTING", 6.0)
    colors = [9, 8, 3, 7, 6, 5]
    paths = files(colors)
    chunks = run(paths, [Deadly()], seconds=0.5)
    check(chunks, paths, colors, {2: "too-slow"})
    (refused,) = chunks[0].refused.values()
    assert refused.detail == "it takes longer than 0.5 seconds."


def test_what_is_found_of_files_comes_back(files):
    paths = files([9, 8])
    (chunk,) = run(paths, [])
    assert [file.size for file in chunk.items] == [os.path.getsize(path) for path in paths]
    assert all(len(file.sha256) == 64 for file in chunk.items)


def test_an_error_of_the_recipe_ends_the_run(files, tmp_path):
    paths = files([9, 8])
    Image.fromarray(np.zeros((9, 9), np.uint8)).save(paths[1])
    graph = Stream([ReadImages(mode="gray"), Summarize(statistics=["mean"])]).graph()
    with pytest.raises(WorkerError) as error:
        workers._run_chunk("0.0.0", cloudpickle.dumps(graph), [])
    assert str(error.value).endswith(
        ", but this process sent work of featx 0.0.0. Install the same version on both."
    )


def test_only_a_few_files_are_taken_ahead(files):
    paths = files([9] * 40)
    taken = []

    def listed():
        for path in paths:
            taken.append(path)
            yield ImageFile(path)

    graph = Stream([ReadImages(mode="gray"), Summarize(statistics=["mean"])]).graph()
    with closing(workers.run(graph, listed(), 2, 2, 60)) as chunks:
        next(chunks)
        assert len(taken) <= 2 * (2 * 2 + 1)


OWN = """
from threading import Lock

from featx import ImageStage

LOCK = Lock()

class Brighten(ImageStage):
    def _transform_one(self, image):
        {lock}return {factor} * image
"""


@pytest.fixture
def brighten(tmp_path, monkeypatch):
    """Give a function that writes a module with a stage, imports it anew, and makes the stage."""
    monkeypatch.syspath_prepend(tmp_path)
    # A file that is edited within a second has the time of the compiled one.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def brighten(factor, lock=""):
        (tmp_path / "brightening.py").write_text(OWN.format(factor=factor, lock=lock))
        sys.modules.pop("brightening", None)
        invalidate_caches()
        return import_module("brightening").Brighten()

    yield brighten
    sys.modules.pop("brightening", None)


def test_a_stage_of_the_user_travels_as_it_is(files, brighten):
    paths = files([10, 20])
    before = cloudpickle.list_registry_pickle_by_value()
    # The workers stay, and have the stage of an earlier run.
    for factor in (2, 3):
        chunks = run(paths, [brighten(factor)])
        check(chunks, paths, [10 * factor, 20 * factor], {})
    assert cloudpickle.list_registry_pickle_by_value() == before


def test_a_stage_of_a_module_that_cannot_travel_is_imported(files, brighten):
    workers.processes.shared(2, workers.__name__).shutdown(kill_workers=True)
    paths = files([10, 20])
    check(run(paths, [brighten(4, lock="with LOCK: ")]), paths, [40, 80], {})


def test_a_stage_that_workers_cannot_import(files, brighten):
    stage = brighten(4, lock="with LOCK: ")
    sys.path.remove(os.path.dirname(sys.modules["brightening"].__file__))
    workers.processes.shared(2, workers.__name__).shutdown(kill_workers=True)
    with pytest.raises(WorkerError) as error:
        run(files([10]), [stage])
    assert str(error.value) == (
        "A worker cannot import a stage of the recipe (No module named 'brightening'). Install it "
        "where the workers run."
    )
