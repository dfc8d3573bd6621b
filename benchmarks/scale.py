"""Throughput and peak memory of ``featx extract`` on large folders, and the cost of resuming.

    python benchmarks/scale.py [--images 1000 10000 100000] [--workers 1 2] [--dask] [--data FOLDER]

The images are links to a few hundred JPEG files. For each file of 1600 x 1200 pixels, five smaller
ones come from FOLDER, or are generated scenes of 256 x 256 pixels.

A row is one run of the command line from start to end, including hashing and writing. The baseline
is decoding alone: reading and libjpeg-turbo in the same number of threads, on at most 10,000 of the
files. "x time" is the ratio of wall-clock times. "x work" is the ratio of CPU times, which other
jobs of the machine affect less.

Peak memory is the sum over all processes of the run, with shared pages counted once (PSS). "first"
is the time until the first part of the store exists. "again" is a second run over the finished
store, that is the cost of resuming.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import psutil
import simplejpeg

from featx import make_scenes

RECIPE = "hog-svm"
_SMALL, _LARGE = 400, 80
_MOST_DECODED = 10_000
_SECONDS = 1.0  # between samples of the processes
_HEAD = "images  workers  where  images/s  x time  x work  peak MB  bytes/image  first s  again s"
_ROW = (
    "{images:6d}  {workers:7d}  {where:5}  {rate:8.0f}  {ratio:6.2f}  {work:6.2f}  {peak:7.0f}  "
    "{size:11.0f}  {first:7.1f}  {again:7.1f} = {share:.1%}"
)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--data", type=Path, help="Folder with JPEG files.")
    parser.add_argument("--dask", action="store_true", help="Also run on Dask workers.")
    parser.add_argument("--out", type=Path, help="JSON file for the results.")
    arguments = parser.parse_args()
    rows = []
    print(_HEAD)
    with tempfile.TemporaryDirectory() as place:
        sources = _sources(arguments.data, Path(place))
        # Warm-up: the first run of an installation compiles loops for some seconds.
        _run(_linked(sources, Path(place) / "first", 32), Path(place) / "out", [], [])
        for count in arguments.images:
            folder = _linked(sources, Path(place) / f"images-{count}", count)
            for workers in arguments.workers:
                for where in ("local", "dask") if arguments.dask else ("local",):
                    row = _measure(folder, count, workers, where, Path(place) / "out")
                    rows.append(row)
                    print(_ROW.format(**row), flush=True)
    if arguments.out:
        arguments.out.write_text(json.dumps(rows, indent=2) + "\n")


def _sources(data: Path | None, place: Path) -> list[Path]:
    """List a few hundred JPEG files, every sixth of them large."""
    small, large = place / "small", place / "large"
    if data is None:
        _draw(small, _SMALL, (256, 256))
    else:
        shutil.copytree(data, small)
    _draw(large, _LARGE, (1200, 1600))
    found = sorted(small.rglob("*.jpg"))
    fives = iter(found[:: max(1, len(found) // _SMALL)])
    return [file for one in sorted(large.iterdir()) for file in (one, *islice(fives, 5))]


def _draw(folder: Path, count: int, size: tuple[int, int]) -> None:
    folder.mkdir()
    for index, pixels in enumerate(make_scenes(n=count, size=size, random_state=0)[0]):
        content = simplejpeg.encode_jpeg(pixels, quality=90)
        (folder / f"{index}.jpg").write_bytes(content)


def _linked(sources: list[Path], folder: Path, count: int) -> Path:
    """Create a folder of ``count`` links, 1,000 per subfolder."""
    for index in range(count):
        inside = folder / f"{index // 1000:04}"
        if index % 1000 == 0:
            inside.mkdir(parents=True)
        # Hard links: for symbolic links, listing needs a system call per file.
        (inside / f"{index:07}.jpg").hardlink_to(sources[index % len(sources)])
    return folder


def _measure(folder: Path, count: int, workers: int, where: str, out: Path) -> dict[str, object]:
    files = sorted(folder.rglob("*.jpg"))[:_MOST_DECODED]
    shutil.rmtree(out, ignore_errors=True)
    with _cluster(workers) if where == "dask" else _here(workers) as (options, others):
        times = [_decoding(files, workers)]
        seconds, work, peak, first = _run(folder, out, options, others)
        times.append(_decoding(files, workers))
        again, *_ = _run(folder, out, options, others)
    decoding, decoding_work = (min(pair) * count / len(files) for pair in zip(*times, strict=True))
    size = sum(part.stat().st_size for part in out.iterdir())
    return {
        "images": count,
        "workers": workers,
        "where": where,
        "rate": count / seconds,
        "ratio": seconds / decoding,
        "work": work / decoding_work,
        "decoding": count / decoding,
        "peak": peak / 2**20,
        "size": size / count,
        "first": first,
        "again": again,
        "share": again / seconds,
    }


def _decoding(files: list[Path], workers: int) -> tuple[float, float]:
    """Return wall-clock and CPU seconds of reading and decoding alone."""

    def decode(some: list[Path]) -> None:
        for path in some:
            simplejpeg.decode_jpeg(path.read_bytes(), colorspace="GRAY")

    chunks = [files[start : start + 64] for start in range(0, len(files), 64)]
    started, before = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(decode, chunks))
    return time.perf_counter() - started, time.process_time() - before


def _run(
    folder: Path, out: Path, options: list[str], others: list[int]
) -> tuple[float, float, int, float]:
    """Run ``featx extract``.

    Returns
    -------
    tuple
        Wall-clock seconds, CPU seconds, peak memory in bytes, seconds until the first features.
    """
    command = [sys.executable, "-m", "featx", "extract", folder, "--recipe", RECIPE, "--out", out]
    started, peak, first = time.perf_counter(), 0, 0.0
    work: dict[int, float] = {}
    before = sum(_work(others).values())
    with subprocess.Popen(
        [*map(str, command), *options, "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        looked = measured = started
        while process.poll() is None:
            now = time.perf_counter()
            if not first and out.is_dir() and any(out.iterdir()):
                first = now - started
            if now - looked > _SECONDS:
                work |= _work([process.pid, *others])
                looked = now
            # A sample costs 25 ms of CPU time: take fewer in a long run.
            if now - measured > max(_SECONDS, (now - started) / 20):
                peak = max(peak, _memory([process.pid, *others]))
                measured = now
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        if process.returncode:
            raise SystemExit(f"featx extract ended with {process.returncode}.")
    return time.perf_counter() - started, sum(work.values()) - before, peak, first


def _work(processes: list[int]) -> dict[int, float]:
    """Return the CPU seconds of processes and their descendants, by process id."""
    seconds = {}
    for process in _with_children(processes):
        with suppress(psutil.Error):
            seconds[process.pid] = sum(process.cpu_times()[:2])
    return seconds


def _memory(processes: list[int]) -> int:
    """Return the memory in bytes of processes and their descendants."""
    memory = 0
    for process in _with_children(processes):
        with suppress(psutil.Error):
            memory += process.memory_full_info().pss
    return memory


def _with_children(processes: list[int]) -> list[psutil.Process]:
    found = []
    for number in processes:
        with suppress(psutil.Error):
            process = psutil.Process(number)
            found += [process, *process.children(recursive=True)]
    return found


@contextmanager
def _here(workers: int) -> Iterator[tuple[list[str], list[int]]]:
    yield ["--jobs", str(workers)], []


@contextmanager
def _cluster(workers: int) -> Iterator[tuple[list[str], list[int]]]:
    """Start a Dask scheduler and its workers by the command line of Dask."""
    dask = shutil.which("dask", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if dask is None:
        raise SystemExit("Dask is not installed. Install it with: pip install 'featx[cluster]'")
    with tempfile.TemporaryDirectory() as place:
        contact = Path(place) / "scheduler.json"
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": place}
        started = [
            subprocess.Popen(
                [dask, "scheduler", "--port", "0", "--no-dashboard", "--scheduler-file", contact],
                **quiet,
            )
        ]
        try:
            while not contact.exists():
                time.sleep(0.1)
            count = ["--nworkers", str(workers), "--nthreads", "1", "--no-dashboard"]
            started.append(
                subprocess.Popen([dask, "worker", "--scheduler-file", contact, *count], **quiet)
            )
            address = json.loads(contact.read_text())["address"]
            _wait_for_workers(address, workers)
            yield ["--scheduler", address], [process.pid for process in started]
        finally:
            for process in reversed(started):
                process.send_signal(signal.SIGINT)
                process.wait()


def _wait_for_workers(address: str, workers: int) -> None:
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(workers)


if __name__ == "__main__":
    main()
