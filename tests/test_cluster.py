"""Workers of Dask, started as its documentation says, in place of those of this machine."""

import json
import os
import signal
import subprocess
import sys
from importlib import import_module, invalidate_caches
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pyarrow import dataset

from featx import HOG, ReadImages, Stream, read_features
from featx.core.errors import WorkerError
from featx.store.extraction import write_features

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
DASK = Path(sys.executable).with_name("dask")


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Make 120 files, of which every tenth is refused."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index in range(120):
        path = folder / f"{index:03}.png"
        Image.fromarray(rng.integers(0, 256, (40, 40), np.uint8)).save(path)
        if index % 10 == 0:
            path.write_bytes(b"none")
    return sorted(map(str, folder.iterdir()))


def is_json(file):
    """Tell whether a file is there, and whole."""
    try:
        return bool(json.loads(file.read_text()))
    except (FileNotFoundError, ValueError):
        return False


@pytest.fixture(scope="module")
def address(tmp_path_factory, wait_for):
    """Start a scheduler and two workers, and give the scheduler's address."""
    place = tmp_path_factory.mktemp("dask")
    contact = place / "scheduler.json"
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": place}
    where = ["--scheduler-file", contact, "--no-dashboard"]
    started = [subprocess.Popen([DASK, "scheduler", "--port", "0", *where], **quiet)]
    try:
        wait_for(lambda: is_json(contact), started[0])
        count = ["--nworkers", "2", "--nthreads", "1"]
        started.append(subprocess.Popen([DASK, "worker", *where, *count], **quiet))
        address = json.loads(contact.read_text())["address"]
        with distributed.Client(address, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=300)
        yield address
    finally:
        for process in reversed(started):
            process.send_signal(signal.SIGINT)
        for process in started:
            try:
                process.wait(300)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def extract(out, images, **options):
    stages = [ReadImages(size=(32, 32), mode="gray"), HOG(pixels_per_cell=(8, 8))]
    stream = Stream(stages, chunk_size=4)
    written = write_features(out, ((path, "x") for path in images), stream, **options)
    assert written.refused == {"not-an-image": 12}
    return dataset.dataset(out).to_table().to_pylist()


def test_the_rows_are_those_of_one_machine(images, address, tmp_path):
    here = extract(tmp_path / "here", images)
    assert extract(tmp_path / "there", images, scheduler=address) == here


def test_a_worker_is_killed_in_the_middle(images, address, tmp_path):
    expected = extract(tmp_path / "here", images)
    with distributed.Client(address, set_as_default=False) as client:
        workers = [*client.run(os.getpid).values()]
    killed = []

    def kill(*_):
        if not killed:
            killed.append(workers[0])
            os.kill(workers[0], signal.SIGKILL)

    rows = extract(tmp_path / "there", images, scheduler=address, progress=kill)
    assert killed
    assert rows == expected


def test_nobody_answers(images, tmp_path):
    patience = dask.config.set({"distributed.comm.timeouts.connect": "1s"})
    with patience, pytest.raises(WorkerError) as error:
        extract(tmp_path / "out", images, scheduler="tcp://127.0.0.1:1")
    assert str(error.value).startswith("tcp://127.0.0.1:1: cannot connect to a Dask scheduler: ")
    assert not (tmp_path / "out").exists()


def test_a_stage_of_the_user(images, address, tmp_path, monkeypatch):
    """Workers that cannot import a stage's module get its code."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_stage.py").write_text(
        "from featx import HOG\n\nclass Own(HOG):\n"
        "    def _transform_one(self, image):\n        return 2 * super()._transform_one(image)\n"
    )
    invalidate_caches()
    stages = [HOG(), import_module("own_stage").Own()]
    found = []
    for number, stage in enumerate(stages):
        stream = Stream([ReadImages(size=(32, 32), mode="gray"), stage])
        pairs = [(path, None) for path in images]
        write_features(tmp_path / f"out{number}", pairs, stream, scheduler=address)
        found.append(read_features(tmp_path / f"out{number}").vectors)
    np.testing.assert_array_equal(2 * found[0], found[1])
