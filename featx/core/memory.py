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
    """The most resident memory of the process, in bytes; None where it is not known."""

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
# glibc adapts to arrays of up to 32 MB, its DEFAULT_MMAP_THRESHOLD_MAX, with their headers.
_ADAPTED = 2**25 - 2**13


@cache
def keep_freed_memory() -> None:
    """Set glibc's allocator, for the whole process and for good, to keep what is freed.

    It keeps up to 128 MB per thread for the arrays that come next. By default, it returns arrays
    of more than 32 MB to the system at once, and taking them again, page by page, makes light
    filters of large batches take half as long again. The command line and featx's own workers
    set this; a library leaves it to you. Other C libraries than glibc are left as they are.

    See Also
    --------
    Stream : Keeps its arrays below 32 MB, and needs no such setting.

    Examples
    --------
    >>> import featx
    >>> featx.keep_freed_memory()

    On the workers of a Dask cluster, where ``client`` is a `distributed.Client`::

        client.run(featx.keep_freed_memory)
    """
    with suppress(AttributeError, OSError, TypeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_TRIM_THRESHOLD, _KEPT)
        mallopt(_MMAP_THRESHOLD, _LARGE)


@cache
def adapt_allocator() -> None:
    """Allocate and free one array of 32 MB, of which no page is used.

    From such arrays glibc's allocator learns, by itself, to keep up to 64 MB of what is freed
    (M_MMAP_THRESHOLD in mallopt(3)); in a host that has used one, or has settings of its own, this
    changes nothing. The maps of a chunk alone, of a few MB each, teach it less than they need, and
    a stream of light filters then takes twice as long.
    """
    # Here, since a usage error on the command line needs no numpy.
    import numpy as np

    np.empty(_ADAPTED, np.uint8)


def configure_own_process() -> None:
    """Set the allocator and the garbage collector, for good, in a process that is featx's own.

    By default, the collector looks again and again through all modules: a tenth of the time to
    start, and a third of a second to end.
    """
    keep_freed_memory()
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
