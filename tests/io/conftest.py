import resource
import zlib

import pytest


@pytest.fixture
def little_memory():
    """Limit the memory of this process to 400 MB above its current use."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 4 * 10**8, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def packed_zeros():
    """Compress 800 MB of zeros by zlib."""

    def packed_zeros(kind):
        packer = zlib.compressobj(1, zlib.DEFLATED, kind)
        zeros = bytes(2**20)
        return b"".join(packer.compress(zeros) for _ in range(800)) + packer.flush()

    return packed_zeros
