"""How much memory this process needed at most."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
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
