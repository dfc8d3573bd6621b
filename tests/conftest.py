import os
import threading
import time
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import settings

# Tests run side by side, and networks would have each of them use all processors.
os.environ.setdefault("OMP_NUM_THREADS", "1")

settings.register_profile("featx", deadline=None, derandomize=bool(os.environ.get("CI")))
settings.load_profile("featx")


def pytest_runtest_setup(item):
    if item.get_closest_marker("cuda"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("torch finds no GPU here; a twin of this test runs on the processor")


@pytest.fixture(scope="session")
def wait_for():
    """Return a function that waits until a process has done what a condition tests."""

    def wait(condition, process):
        deadline = time.monotonic() + 300
        while not condition():
            assert process.poll() is None, "the process ended before"
            assert time.monotonic() < deadline, "the process did not do it in five minutes"
            time.sleep(0.01)

    return wait


@pytest.fixture(scope="session")
def real_data():
    """Give the folder of real images, which are not part of the project."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("FEATX_DATA", beside))
    if not folder.is_dir():
        pytest.skip(f"the real images are not in {folder}; FEATX_DATA says where they are")
    return folder


@pytest.fixture
def served():
    """Run a web server on this machine with a handler, and give its address."""

    @contextmanager
    def served(handler):
        with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
            thread = threading.Thread(target=http.serve_forever)
            thread.start()
            yield f"http://127.0.0.1:{http.server_port}"
            http.shutdown()
            thread.join()

    return served
