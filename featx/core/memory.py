"""The memory of this process: what it needed at most, and what it keeps."""

import atexit
import ctypes
import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


class Peak:
    """Is told the most resident memory of the process, in bytes; None where it is not known."""

    number: int | None = None


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the most resident memory of this process while the block runs, on Linux."""
    peak, can = Peak(), _reset()
    yield peak
    if can:
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
        peak.number = 1024 * int(found[1]) if found else None


def _reset() -> bool:
    """Let the kernel begin anew with its mark of the most memory, if it does such things."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return _STATUS.is_file()


# Parameters of glibc's mallopt: from how many bytes on free memory is given back, and from how many
# on an array has memory of its own, which is always given back.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGE = 2**27, 2**26


@cache
def keep_freed_memory() -> None:
    """Have glibc keep what is freed, up to 128 MB a thread, for what is asked for next.

    Left alone, it gives the maps of every batch back to the system, and taking them again, page
    by page, can cost a third of the time. Another C library is left as it is.
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGE)


def collect_rarely() -> None:
    """Keep the garbage collector, for good, from looking again and again through all modules.

    For processes that are featx's own: by default they would spend a tenth of their start with it,
    and a third of a second at their end.
    """
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
