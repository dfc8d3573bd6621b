"""Execution of a graph in worker processes, on this machine or on a cluster.

A file on which a decoder crashes, exhausts memory or hangs ends one worker, not the run.
"""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import BrokenExecutor, Future
from contextlib import closing
from functools import lru_cache
from pickle import PickleError
from typing import Any

import cloudpickle
from joblib.externals import loky

import featx
from featx.core.batches import batched, join
from featx.core.errors import RefusedImage, WorkerError
from featx.core.memory import adapt_allocator
from featx.core.threads import one_thread_inside
from featx.io.files import ImageFile
from featx.pipeline import processes
from featx.pipeline.code_identity import own_modules
from featx.pipeline.graph import Chunk, Graph

#: Seconds allowed for the start of a worker, in addition to the time per file.
_STARTING = 20.0


def run(
    graph: Graph,
    files: Iterable[ImageFile],
    chunk_size: int,
    n_jobs: int | None,
    seconds: float,
    scheduler: str | None = None,
) -> Generator[Chunk, None, None]:
    """Run the graph on all files, a few chunks at a time, and yield the chunks in order.

    A chunk whose worker dies or exceeds the time limit is repeated file by file. A file that does
    so on its own is rejected.

    Parameters
    ----------
    graph : Graph
        The stages.
    files : iterable of ImageFile
        The images; only a few chunks are in memory at a time.
    chunk_size : int
        Number of images that pass through all stages at a time.
    n_jobs : int or None
        Number of processes; -1 means one per processor.
    seconds : float
        Time limit per file. On a cluster, a worker that exceeds it is not stopped.
    scheduler : str, optional
        Address of a Dask scheduler; its workers run the graph.
    """
    pool = _Processes(n_jobs) if scheduler is None else _Cluster(scheduler)
    with closing(pool):
        work = _Work(pool, _pickled(graph), seconds)
        waiting: deque[tuple[list[ImageFile], Future[Chunk]]] = deque()
        for chunk in batched(files, chunk_size):
            waiting.append((chunk, work.begin(chunk)))
            # One chunk more than pending ones: no worker idles while the caller uses a chunk.
            if len(waiting) > 2 * pool.workers:
                yield work.finish(*waiting.popleft())
        while waiting:
            yield work.finish(*waiting.popleft())


def _pickled(graph: Graph) -> bytes:
    """Pickle a graph, including the code of user-defined stages that are not installed.

    A worker may be unable to import that code, or may have imported it before it was changed.
    """
    registered = cloudpickle.list_registry_pickle_by_value()
    modules = [one for one in own_modules(graph) if one.__name__ not in registered]
    for module in modules:
        cloudpickle.register_pickle_by_value(module)
    try:
        return bytes(cloudpickle.dumps(graph))
    except (
        TypeError,
        PickleError,
    ):  # a module holds a lock, a file or another object that cannot be pickled
        pass
    finally:
        for module in modules:
            cloudpickle.unregister_pickle_by_value(module)
    return bytes(cloudpickle.dumps(graph))


class _Processes:
    """Worker processes on this machine; dead ones are replaced."""

    deaths = (BrokenExecutor, loky.process_executor.ShutdownExecutorError, MemoryError)

    def __init__(self, n_jobs: int | None) -> None:
        self.workers = processes.count(n_jobs)
        self._suspects: Any = None

    def executor(self) -> Any:
        """Return the executor for chunks."""
        return processes.shared(self.workers, __name__)

    def alone(self) -> Any:
        """Return the executor for single files, used by one file at a time."""
        self._suspects = self._suspects or processes.single(__name__)
        return self._suspects

    def stop(self) -> None:
        """Kill the workers for chunks."""
        self.executor().shutdown(kill_workers=True)

    def stop_alone(self) -> None:
        """Kill the worker for single files."""
        if self._suspects is not None:
            self._suspects.shutdown(kill_workers=True)
        self._suspects = None

    def close(self) -> None:
        """Kill the worker for single files; keep the others until reused or idle too long."""
        self.stop_alone()


class _Cluster:
    """The workers of a Dask scheduler, which itself repeats the tasks of a dead worker."""

    def __init__(self, scheduler: str) -> None:
        try:
            from distributed import Client, KilledWorker
        except ImportError:
            raise WorkerError(
                "A cluster requires Dask. Install it with: pip install 'featx[cluster]'"
            ) from None
        self.deaths = (KilledWorker, MemoryError)
        try:
            self._client = Client(scheduler, set_as_default=False)
        except (OSError, ValueError) as error:
            raise WorkerError(
                f"{scheduler}: cannot connect to a Dask scheduler: {error}."
            ) from None
        self.workers = sum(self._client.nthreads().values())
        if self.workers == 0:
            self._client.close()
            raise WorkerError(
                f"{scheduler}: the scheduler has no workers. Start one: dask worker {scheduler}"
            )
        self._executor = self._client.get_executor(pure=False)

    def executor(self) -> Any:
        """Return the executor of all workers; Dask reports a task that kills its workers."""
        return self._executor

    alone = executor

    def stop(self) -> None:
        """Do nothing: a worker of a cluster may be running tasks of other clients."""

    stop_alone = stop

    def close(self) -> None:
        self._client.close()


class _Work:
    """Submission of chunks of files to a pool, and collection of their results."""

    def __init__(self, pool: Any, pickled: bytes, seconds: float) -> None:
        self._pool, self._pickled, self._seconds = pool, pickled, seconds
        self._patience = seconds + _STARTING

    def begin(self, files: list[ImageFile]) -> "Future[Chunk]":
        return self._submit(self._pool.executor(), files)

    def _submit(self, executor: Any, files: list[ImageFile]) -> "Future[Chunk]":
        future: Future[Chunk]
        future = executor.submit(_run_chunk, featx.__version__, self._pickled, files)
        return future

    def finish(self, files: list[ImageFile], future: "Future[Chunk]") -> Chunk:
        try:
            return future.result(self._patience)
        except TimeoutError:
            future.cancel()
            self._pool.stop()
            chunk = self._one_by_one(files)
            if all(refused.reason != "too-slow" for refused in chunk.refused.values()):
                # No single file is too slow: whole chunks of this recipe need more time.
                self._patience *= 2
            return chunk
        except self._pool.deaths:
            return self._one_by_one(files)

    def _one_by_one(self, files: list[ImageFile]) -> Chunk:
        together, outputs = Chunk([], [], {}), []
        for index, file in enumerate(files):
            one = self._alone(file)
            together.items += one.items
            if one.refused:
                together.refused[index] = one.refused[0]
            else:
                outputs.append(one.outputs)
        together.outputs = [join(list(parts)) for parts in zip(*outputs, strict=True)]
        return together

    def _alone(self, file: ImageFile) -> Chunk:
        future = self._submit(self._pool.alone(), [file])
        try:
            return future.result(self._seconds + _STARTING)
        except TimeoutError:
            future.cancel()
            detail = f"it takes longer than {self._seconds:g} seconds."
            refused = RefusedImage(file, "too-slow", detail)
        except self._pool.deaths:
            refused = RefusedImage(file, "crashed", "its worker process died.")
        self._pool.stop_alone()
        # Record its size and time, so that the next run recognizes and skips it.
        file.look()
        return Chunk([file], [], {0: refused})


def _run_chunk(version: str, pickled: bytes, files: list[ImageFile]) -> Chunk:
    """Run the graph on one chunk, in a worker."""
    if version != featx.__version__:
        raise WorkerError(
            f"A worker runs featx {featx.__version__}, but this process sent work of featx "
            f"{version}. Install the same version on both."
        )
    adapt_allocator()
    # Settings are restored, since a worker of a cluster may also run other tasks.
    with one_thread_inside:
        chunk = _graph(pickled).run_chunk(files)
    chunk.seconds.clear()
    for file in files:
        file.content = None
    return chunk


@lru_cache(maxsize=1)
def _graph(pickled: bytes) -> Graph:
    try:
        graph: Graph = cloudpickle.loads(pickled)
    except (AttributeError, ImportError) as error:
        problem = "A worker cannot import a stage of the recipe"
        raise WorkerError(f"{problem} ({error}). Install it where the workers run.") from None
    return graph
