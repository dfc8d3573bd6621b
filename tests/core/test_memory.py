import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from featx.core.memory import peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is measured on Linux only")
def test_what_is_needed_in_the_block_counts():
    with peak_memory() as before:
        pass
    if before.number is None:
        pytest.skip("this kernel does not let the mark be reset")
    with peak_memory() as much:
        np.ones(40_000_000)
    with peak_memory() as after:
        pass
    assert much.number > before.number + 200_000_000
    assert after.number < much.number - 200_000_000


def test_where_it_is_not_known(monkeypatch, tmp_path):
    monkeypatch.setattr("featx.core.memory._RESET", tmp_path / "none" / "clear_refs")
    with peak_memory() as peak:
        pass
    assert peak.number is None


# Counts the page faults of a second run.
_PAGES = """
import resource
import sys
import featx
import numpy as np
from featx import PatternMatch, Sobel, Stream, Summarize

if "keep" in sys.argv:
    featx.keep_freed_memory()
if "stream" in sys.argv:
    images = np.zeros((64, 200, 200, 1), np.float32)
    stage = Stream([Sobel(), PatternMatch(), Summarize()]).fit(images)
else:
    images = np.zeros((128, 256, 256, 1), np.float32)
    stage = Sobel()
stage.transform(images)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
stage.transform(images)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages(*what, **environment):
    command = [sys.executable, "-c", _PAGES, *what]
    environment = os.environ | environment
    return int(subprocess.run(command, capture_output=True, check=True, env=environment).stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="other C libraries are not configured"
)
class TestFreedMemory:
    def test_a_stream_uses_it_again(self):
        assert pages("stream") < 500  # 5,000 if freed memory is returned

    def test_a_host_has_its_own_settings(self):
        assert pages("stream", MALLOC_TRIM_THRESHOLD_="65536") > 1000

    def test_large_arrays_are_kept_only_where_that_is_asked_for(self):
        plain, kept = pages("stage"), pages("stage", "keep")
        assert kept < 50
        assert plain > kept + 100
