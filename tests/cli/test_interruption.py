import os
import signal
import subprocess
import sys

import pytest

from featx.cli.interruption import Interruption


def test_the_first_signal_is_recorded_and_the_second_ends(capsys):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruption() as interruption:
        assert not interruption()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption()
        assert interruption.status == 143
        # The handlers from before are restored.
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capsys.readouterr().err == (
        "featx: finishing the current images. Press Ctrl+C again to stop at once.\n"
    )


def test_no_signal():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGINT) != before
    assert not interruption()
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 1), (signal.SIGTERM, 143)])
def test_a_signal_that_a_library_swallows_ends_the_run_at_the_next_step(number, code):
    script = f"""
import os, signal
from featx.cli.interruption import heed_signals
from featx.cli.progress import Progress

signal.signal(signal.SIGINT, signal.default_int_handler)
heed_signals()
try:
    os.kill(os.getpid(), {int(number)})
except BaseException:
    pass
try:
    Progress(plain=True)(1)
except KeyboardInterrupt:
    raise SystemExit(1)
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == code
