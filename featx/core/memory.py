"""Peak memory of the process, and settings of its allocator and garbage collector."""

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
    """Peak resident memory of the process in bytes, or None if it cannot be measured."""

    number: int | None = None


@contextmanager
def peak_memory() -> Iterator[Peak]:
    """Measure the peak resident memory of this process during the block, on Linux only."""
    peak, can = Peak(), _reset()
    yield peak
    if can:
        found = re.search(r"VmHWM:\s+(\d+) kB", _STATUS.read_text())
        peak.number = 1024 * int(found[1]) if found else None


def _reset() -> bool:
    """Reset the kernel's peak of resident memory; return whether this is supported."""
    try:
        _RESET.write_text("5")
    except OSError:
        return False
    return _STATUS.is_file()


# Parameters of glibc's mallopt. Free memory above the trim threshold is returned to the system.
# Blocks above the mmap threshold have a mapping of their own, which is always returned.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT, _LARGE = 2**27, 2**26
# glibc adapts to blocks of up to 32 MB (DEFAULT_MMAP_THRESHOLD_MAX), headers included.
_ADAPTED = 2**25 - 2**13


@cache
def keep_freed_memory() -> None:
    """Configure glibc's allocator to keep freed memory for reuse.

    The setting holds for the whole process, permanently. The allocator then keeps up to 128 MB per
    thread. By default, it returns arrays of more than 32 MB to the system at once; allocating
    their pages again slows light filters on large batches by half. The command line and featx's
    own worker processes call this function; the library never does. It has no effect on C
    libraries other than glibc.

    See Also
    --------
    Stream : Keeps its arrays below 32 MB, and does not need this setting.

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
    """Raise the adaptive thresholds of glibc's allocator, by one array of 32 MB.

    When such an array is freed, glibc starts to keep up to 64 MB of freed memory (M_MMAP_THRESHOLD
    in mallopt(3)). None of its pages is touched. In a host that has freed such an array before, or
    has set the thresholds, this has no effect. The maps of a chunk, of a few MB each, would raise
    the thresholds too little: a stream of light filters then takes twice as long.
    """
    # Here, since a usage error on the command line needs no numpy.
    import numpy as np

    np.empty(_ADAPTED, np.uint8)


def configure_own_process() -> None:
    """Set the allocator and the garbage collector permanently, in featx's own processes only.

    With its default threshold, the collector traverses all imported modules repeatedly. This costs
    a tenth of the time to start, and a third of a second at exit.
    """
    keep_freed_memory()
    gc.set_threshold(100_000)
    atexit.register(gc.freeze)
