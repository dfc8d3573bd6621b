"""Runs that are killed, or find no room, and go on.

FEATX_IMAGES=3000 FEATX_KILLS=50 makes of the first what is promised; by default it is short.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image
from pyarrow import dataset

COUNT = int(os.environ.get("FEATX_IMAGES", "300"))
CHUNK = 4
KILLS = int(os.environ.get("FEATX_KILLS", "4"))
PROGRAM = """
import resource, signal, sys
from pathlib import Path
from featx import ReadImages, SpatialPyramid, Stream
from featx.store import resume as earlier
from featx.store import extraction
from featx.core.errors import FeatxError
from featx.store.extraction import write_features

extraction._ROWS = earlier._MOST_WAITING = 16
images, out, most = sys.argv[1:4]
if most != "none":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(most), int(most)))
stream = Stream([ReadImages(size=(16, 16)), SpatialPyramid(levels=[4])], chunk_size=4)
paths = sorted(map(str, Path(images).iterdir()))
print(flush=True)
try:
    inputs = ((path, None) for path in paths)
    write_features(out, inputs, stream, progress=lambda *_: print(flush=True))
except FeatxError as error:
    sys.exit(str(error))
"""
# After each chunk, it waits for a line.
STEPWISE = PROGRAM.replace(
    "lambda *_: print(flush=True)", "lambda *_: [print(flush=True), input()]"
)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Make files, of which every seventh is refused."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        path = folder / f"{index:05}.png"
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(path)
        if index % 7 == 0:
            path.write_bytes(path.read_bytes()[:-30])
    return folder


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    """Give the rows that a run gives which nothing stops."""
    out = tmp_path_factory.mktemp("whole") / "out"
    assert run(images, out) == ""
    rows = table(out)
    assert len(rows) == COUNT
    return rows


def begin(images, out, most="none", program=PROGRAM, **options):
    arguments = [sys.executable, "-c", program, str(images), str(out), str(most)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    return subprocess.Popen(arguments, **pipes)


def go_on(process):
    """Let a stepwise process go on to the end of the next chunk."""
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


def run(images, out, most="none"):
    process = begin(images, out, most)
    _, errors = process.communicate(timeout=600)
    assert process.returncode == (1 if errors else 0)
    return errors


def table(out):
    return dataset.dataset(out, format="parquet").to_table().to_pylist()


def test_killed_at_any_moment(images, whole, tmp_path):
    out = tmp_path / "out"
    rng = np.random.default_rng(int(os.environ.get("FEATX_SEED", "0")))
    for _ in range(KILLS):
        process = begin(images, out)
        # A line at the beginning, and one for each chunk.
        for _ in range(rng.integers(1, max(3, 2 * COUNT // CHUNK // KILLS))):
            process.stdout.readline()
        time.sleep(rng.uniform(0, 0.05))  # any moment between two chunks
        process.kill()
        process.communicate()
        if out.exists() and any(out.iterdir()):
            rows = table(out)
            # What is there is whole, and can be read at any time.
            assert rows == whole[: len(rows)]
    assert run(images, out) == ""
    assert table(out) == whole
    assert not list(tmp_path.glob(".*"))


def test_killed_while_refused_images_are_listed(images, whole, tmp_path):
    out = tmp_path / "out"
    kill = "lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)"
    program = (
        f"import os, signal, featx.store.store\nfeatx.store.store.csv.writer = {kill}\n{PROGRAM}"
    )
    with begin(images, out, program=program) as process:
        process.communicate(timeout=600)
    assert process.returncode == -signal.SIGKILL
    assert table(out) == whole
    assert len(list(tmp_path.glob(".*"))) == 1
    assert run(images, out) == ""
    assert table(out) == whole
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "out.refused.csv"]


def test_killed_while_parts_change(images, whole, tmp_path):
    copies = tmp_path / "images"
    out = tmp_path / "out"
    shutil.copytree(images, copies)
    assert run(copies, out) == ""
    for path in copies.iterdir():
        os.utime(path, (0, 0))
    for lines in (10, 20, 30):
        process = begin(copies, out)
        for _ in range(lines):
            process.stdout.readline()
        process.kill()
        process.communicate()
        paths = [row["path"] for row in table(out)]
        assert len(set(paths)) == len(paths)
    assert run(copies, out) == ""
    found = {Path(row["path"]).name: row["features"] for row in table(out)}
    assert found == {Path(row["path"]).name: row["features"] for row in whole}


def workers_of(process):
    alive = [
        child
        for child in psutil.Process(process.pid).children()
        if child.status() != psutil.STATUS_ZOMBIE
    ]
    return [child.pid for child in alive if "LokyProcess" in " ".join(child.cmdline())]


def test_a_worker_is_killed(images, whole, tmp_path, wait_for):
    out = tmp_path / "out"
    killed = []
    with begin(images, out, program=STEPWISE, stdin=subprocess.PIPE) as process:

        def one_starts():
            return {*workers_of(process)} - {*killed}

        for _ in range(2):
            for _ in range(10):
                go_on(process)
            wait_for(one_starts, process)
            killed.append(min(one_starts()))
            os.kill(killed[-1], signal.SIGKILL)
            wait_for(lambda: killed[-1] not in workers_of(process), process)
        assert process.communicate("\n" * COUNT, timeout=600)[1] == ""
    rows = table(out)
    # A file that a worker was alone with is blamed for what it did not do.
    crashed = [row["path"] for row in rows if row["reason"] == "crashed"]
    assert len(crashed) <= len(killed)
    expected = [row for row in whole if row["path"] not in crashed]
    assert [row for row in rows if row["path"] not in crashed] == expected


def test_no_room(images, whole, tmp_path):
    out = tmp_path / "out"
    problem = run(images, out, most=1000)
    assert problem == (
        f"{out}/part-000000.parquet: cannot be written: File too large. Earlier parts are "
        "complete. Solve the problem, and run the same command again to resume.\n"
    )
    assert not out.exists()
    assert not list(tmp_path.iterdir())
    assert run(images, out) == ""
    assert table(out) == whole


def test_a_full_disk(images, whole, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no small disk can be mounted here")
    try:
        for out in (disk / "out", disk):
            problem = run(images, out)
            assert "cannot be written: No space left on device. Earlier parts" in problem
            rows = table(out)
            assert 0 < len(rows) < COUNT
            assert rows == whole[: len(rows)]
            if out != disk:
                shutil.rmtree(out)
        remount = ["mount", "-o", "remount,size=4m", str(disk)]
        subprocess.run(remount, check=True)
        assert run(images, disk) == ""
        assert table(disk) == whole
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_the_folder_is_removed(images, whole, tmp_path):
    out = tmp_path / "out"
    with begin(images, out, program=STEPWISE, stdin=subprocess.PIPE) as process:
        while not (out.exists() and any(out.iterdir())):
            go_on(process)
        shutil.rmtree(out)
        problem = process.communicate("\n" * COUNT, timeout=600)[1]
    assert "cannot be written: No such file or directory. Earlier parts are complete." in problem
    assert not list(tmp_path.iterdir())
    assert run(images, out) == ""
    assert table(out) == whole
