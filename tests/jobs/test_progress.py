import re
import time
from itertools import count

import pytest

from featx.core.errors import InputError
from featx.jobs import progress
from featx.jobs.progress import Lines, Report, report_to


@pytest.fixture
def clock(monkeypatch):
    """Let four seconds pass between two looks at the clock."""
    seconds = count(0, 4)
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))


def test_a_phase_of_images(clock):
    lines = Lines()
    lines.begin("Features", 50)
    lines(10)
    lines(20, 2)
    assert lines.line() == "Features 30/50, 2 rejected, 8/s, 3 s left"
    lines(20)
    assert lines.line() == "Features 50/50, 2 rejected, 6/s"
    assert lines.summary() == "50 images (2 rejected) in 16.0 s, 3/s"


def test_a_phase_of_unknown_length(clock):
    lines = Lines()
    lines.begin("Predicting")
    lines(10)
    assert lines.line() == "Predicting 10, 2/s"
    lines.expect(40)
    assert lines.line() == "Predicting 10/40, 1/s, 24 s left"


def test_a_phase_without_images(clock):
    lines = Lines()
    lines.begin("Features", 10)
    lines(10)
    lines.begin("Fitting hog-svm, fold 2 of 5")
    assert lines.line() == "Fitting hog-svm, fold 2 of 5, 4 s"
    assert lines.summary() == "10 images in 16.0 s, 1/s"


def test_nothing_is_done_yet():
    lines = Lines()
    lines.begin("Features", 10)
    assert lines.line() == "Features 0/10, 0/s"


def test_lines_are_printed_while_the_job_runs(capsys, monkeypatch):
    monkeypatch.setattr(Lines, "_every", 0.05)
    with Lines() as report:
        report.begin("Features", 30)
        report(10)
        report.begin("Fitting hog-svm")
        time.sleep(0.3)
    out, err = capsys.readouterr()
    assert out == ""
    *lines, summary = err.splitlines()
    assert len(lines) > 1
    assert set(lines) == {"Fitting hog-svm, 0 s"}
    assert re.fullmatch(r"10 images in 0\.\d s, \d+/s", summary)


def test_a_short_job_prints_only_its_summary(capsys):
    with Lines() as report:
        report.begin("Features", 3)
        for _ in range(3):
            report(1)
    assert re.fullmatch(r"3 images in 0\.0 s, \d+/s\n", capsys.readouterr().err)


def test_a_failed_job_prints_no_summary(capsys):
    with pytest.raises(ValueError, match="broken"), Lines():
        raise ValueError("broken")
    assert capsys.readouterr() == ("", "")


def test_report_to(capsys):
    lines = Lines()
    assert report_to(lines) is lines
    told = []
    with report_to(lambda done, refused: told.append((done, refused))) as report:
        report.begin("Features", 3)
        report(2)
        report(1, 1)
    assert told == [(2, 0), (1, 1)]
    assert not report.verbose
    with report_to(False) as report:
        report(3)
    assert type(report) is Report
    assert capsys.readouterr() == ("", "")
    with report_to(True) as report:
        report.begin("Features", 3)
        report(3, 1)
    assert report.verbose
    assert re.fullmatch(r"3 images \(1 rejected\) in 0\.0 s, \d+/s\n", capsys.readouterr().err)


def test_other_values_of_progress():
    with pytest.raises(InputError) as error:
        report_to("yes")
    assert str(error.value) == "progress: must be True, False or a callable, got 'yes'."
