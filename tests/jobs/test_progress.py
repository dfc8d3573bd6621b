import re
from itertools import count

import pytest

from featx.core.errors import InputError
from featx.jobs import progress
from featx.jobs.progress import Lines, Report, report_to


@pytest.fixture
def clock(monkeypatch):
    """Let four seconds pass from each look at the clock to the next."""
    seconds = count(0, 4)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))


def test_plain_lines(capsys, clock):
    with Lines(50) as bar:
        for refused in (0, 0, 2, 0, 1):
            bar(10, refused)
    out, err = capsys.readouterr()
    assert out == ""
    # The clock is looked at for each image, and when a line is said.
    assert err.splitlines() == [
        "30 of 50 images, 2 refused, 2 a second, 11 s left",
        "50 of 50 images, 3 refused, 2 a second",
    ]


def test_the_end_is_said_once(capsys, clock):
    with Lines(30) as bar:
        for _ in range(3):
            bar(10)  # the third would be due for a line of its own
    assert capsys.readouterr().err.splitlines() == ["30 of 30 images, 2 a second"]


def test_a_short_job_says_one_line(capsys):
    with Lines(3) as bar:
        for _ in range(3):
            bar(1)
    assert re.fullmatch(r"3 of 3 images, \d+ a second\n", capsys.readouterr().err)


def test_a_failure_says_nothing_of_the_progress(capsys):
    with pytest.raises(ValueError, match="broken"), Lines(3):
        raise ValueError("broken")
    assert capsys.readouterr() == ("", "")


def test_a_total_that_is_known_late(capsys, clock):
    with Lines(None) as bar:
        for _ in range(3):
            bar(10)
        bar.expect(30)
    assert capsys.readouterr().err.splitlines() == [
        "30 images, 2 a second",
        "30 of 30 images, 2 a second",
    ]


def test_what_was_said_is_not_said_again(capsys, clock):
    with Lines(30) as bar:
        for _ in range(3):
            bar(10)
    assert capsys.readouterr().err.splitlines() == ["30 of 30 images, 2 a second"]


def test_a_job_reports_to_what_it_is_given(capsys):
    lines = Lines(2)
    assert report_to(lines) is lines
    told = []
    with report_to(lambda done, refused: told.append((done, refused))) as report:
        report.expect(3)
        report.step("features")
        report(2)
        report(1, 1)
    assert told == [(2, 0), (1, 1)]
    assert not report.verbose
    with report_to(False) as report:
        report(3)
    assert type(report) is Report
    assert capsys.readouterr() == ("", "")
    with report_to(True) as report:
        report.expect(3)
        report(3, 1)
    assert report.verbose
    assert re.fullmatch(r"3 of 3 images, 1 refused, \d+ a second\n", capsys.readouterr().err)


def test_a_job_reports_to_nothing_else():
    with pytest.raises(InputError) as error:
        report_to("yes")
    assert str(error.value) == "progress: must be True, False or a callable, got 'yes'."
