import platform
import subprocess
import sys

import numpy as np
import pytest

from featx.core.memory import peak_memory


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it")
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


# Counts the pages that the second half of a run has to ask the system for.
_PAGES = """
import resource
import numpy as np
from featx import PatternMatch, Sobel, Stream, Summarize

images = np.zeros((64, 200, 200, 1), np.float32)
stream = Stream([Sobel(), PatternMatch(), Summarize()]).fit(images)
stream.transform(images)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
stream.transform(images)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries are left alone")
def test_memory_is_used_again():
    found = subprocess.run([sys.executable, "-c", _PAGES], capture_output=True, check=True)
    assert int(found.stdout) < 500  # 5,000 where freed memory goes back
