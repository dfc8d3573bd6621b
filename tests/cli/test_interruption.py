import os
import signal

from featx.cli.interruption import Interruption


def test_the_first_is_noted_and_the_second_ends(capsys):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with Interruption() as interruption:
        assert not interruption()
        os.kill(os.getpid(), signal.SIGTERM)
        assert interruption()
        assert interruption.status == 143
        # From here on, signals do what they did before.
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert capsys.readouterr().err == (
        "featx: finishing what is under way. Once more ends it at once.\n"
    )


def test_nothing_comes():
    before = signal.getsignal(signal.SIGINT)
    with Interruption() as interruption:
        assert signal.getsignal(signal.SIGINT) != before
    assert not interruption()
    assert signal.getsignal(signal.SIGINT) == before
