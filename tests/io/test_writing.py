import os
import stat
from pathlib import Path

import numpy as np
import pytest

from featx.core.errors import OutputError, RefusedImage
from featx.io.writing import (
    as_cell,
    as_text,
    image_name,
    new_file,
    new_folder,
    refused_as_data,
)


class Stop(BaseException):
    pass


ERRORS = [ValueError, OSError, KeyboardInterrupt, SystemExit, Stop]


def everything(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def fail(make, path, error, *names):
    """Start to write a folder with these files, or a file, and raise ``error``."""
    with make(path) as unfinished:
        fill(unfinished, *names)
        raise error


def succeed(path, *names):
    with new_folder(path) as unfinished:
        fill(unfinished, *names)


def fill(unfinished, *names):
    if not names:
        unfinished.write_text("new")
    for name in names:
        (unfinished / name).parent.mkdir(exist_ok=True)
        (unfinished / name).touch()


@pytest.fixture
def umask():
    before = os.umask(0o027)
    yield
    os.umask(before)


def test_a_folder_appears_at_the_end(tmp_path, umask):
    with new_folder(tmp_path / "a" / "b" / "out") as unfinished:
        (unfinished / "x").write_text("1")
        assert not (tmp_path / "a" / "b" / "out").exists()
        assert unfinished.parent == tmp_path / "a" / "b"
    assert everything(tmp_path) == ["a", "a/b", "a/b/out", "a/b/out/x"]
    assert (tmp_path / "a/b/out/x").read_text() == "1"
    assert mode_of(tmp_path / "a/b/out") == 0o750


def test_a_file_appears_at_the_end(tmp_path, umask):
    with new_file(tmp_path / "a" / "out.csv") as unfinished:
        unfinished.write_text("1")
        assert unfinished.suffix == ".csv"
        assert not (tmp_path / "a" / "out.csv").exists()
    assert everything(tmp_path) == ["a", "a/out.csv"]
    assert (tmp_path / "a/out.csv").read_text() == "1"
    assert mode_of(tmp_path / "a/out.csv") == 0o640


def test_paths_may_be_str_and_relative(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with new_folder("folder") as unfinished:
        monkeypatch.chdir("/")
        (unfinished / "x").touch()
    monkeypatch.chdir(tmp_path)
    with new_file("file") as unfinished:
        monkeypatch.chdir("/")
    assert everything(tmp_path) == ["file", "folder", "folder/x"]


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("make", [new_folder, new_file])
@pytest.mark.parametrize("name", ["out", "new/newer/out"])
def test_nothing_is_left_of_a_failure(tmp_path, make, name, error):
    with pytest.raises(error):
        fail(make, tmp_path / name, error, *(["x", "deep/x"] if make is new_folder else []))
    assert everything(tmp_path) == []


@pytest.mark.parametrize("error", ERRORS)
def test_a_failure_leaves_an_empty_folder_empty(tmp_path, error):
    (tmp_path / "out").mkdir()
    with pytest.raises(error):
        fail(new_folder, tmp_path / "out", error, "x", "deep/x")
    assert everything(tmp_path) == ["out"]


def test_a_failure_leaves_a_file_as_it_is(tmp_path):
    (tmp_path / "out").write_text("old")
    with pytest.raises(Stop):
        fail(new_file, tmp_path / "out", Stop)
    assert everything(tmp_path) == ["out"]
    assert (tmp_path / "out").read_text() == "old"


def test_a_failure_leaves_what_others_put_into_new_folders(tmp_path):
    with pytest.raises(Stop):
        fail(new_folder, tmp_path / "a" / "b" / "out", Stop, "x", "../../theirs")
    assert everything(tmp_path) == ["a", "a/theirs"]


def test_moving_that_fails_half_way_is_undone(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    rename, seen = Path.rename, []

    def failing(self, target):
        seen.append(self)
        if len(seen) == 2:
            raise OSError("no more")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="no more"):
        succeed(tmp_path / "out", "x/file", "y/file", "z/file")
    assert len(seen) == 2
    assert everything(tmp_path) == ["out"]


def test_a_file_is_replaced(tmp_path):
    (tmp_path / "out").write_text("old")
    with new_file(tmp_path / "out") as unfinished:
        unfinished.write_text("new")
        assert (tmp_path / "out").read_text() == "old"
    assert everything(tmp_path) == ["out"]
    assert (tmp_path / "out").read_text() == "new"


def test_an_empty_folder_is_filled_and_stays_the_same(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir(mode=0o700)
    before = out.stat().st_ino
    monkeypatch.chdir(out)
    with new_folder(".") as unfinished:
        assert unfinished.parent == out
        (unfinished / "x").write_text("1")
        (unfinished / "deep").mkdir()
        (unfinished / "deep" / "y").write_text("2")
    assert everything(tmp_path) == ["out", "out/deep", "out/deep/y", "out/x"]
    assert out.stat().st_ino == before
    assert mode_of(out) == 0o700
    assert Path("deep/y").read_text() == "2"


def test_links_are_followed_and_stay(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("old")
    for name in ("folder", "file"):
        (tmp_path / f"to-{name}").symlink_to(name)
    with new_folder(tmp_path / "to-folder") as unfinished:
        (unfinished / "x").touch()
    with new_file(tmp_path / "to-file") as unfinished:
        unfinished.write_text("new")
    assert everything(tmp_path / "folder") == ["x"]
    assert (tmp_path / "file").read_text() == "new"
    assert (tmp_path / "to-folder").is_symlink()
    assert (tmp_path / "to-file").is_symlink()


def test_long_names(tmp_path):
    with new_folder(tmp_path / ("é" * 127)) as unfinished:
        (unfinished / "x").touch()
    with new_file(tmp_path / ("n" * 251 + ".csv")):
        pass
    assert everything(tmp_path) == sorted(["é" * 127, "é" * 127 + "/x", "n" * 251 + ".csv"])


@pytest.mark.parametrize("content", ["folder/", ".hidden", "x"])
def test_a_folder_that_is_not_empty(tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    (out / content).mkdir() if content.endswith("/") else (out / content).touch()
    with pytest.raises(OutputError) as error, new_folder(out):
        pytest.fail("not to be reached")
    assert str(error.value) == (
        f"{out}: already exists and is not an empty folder. Remove it, or choose another name."
    )
    assert everything(tmp_path) == ["out", f"out/{content.rstrip('/')}"]


def test_a_folder_where_there_is_a_file(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(OutputError) as error, new_folder(tmp_path / "out"):
        pytest.fail("not to be reached")
    assert str(error.value) == (
        f"{tmp_path}/out: already exists and is not an empty folder. Remove it, or choose "
        "another name."
    )
    assert (tmp_path / "out").read_text() == "mine"


def test_a_file_where_there_is_a_folder(tmp_path):
    with pytest.raises(OutputError) as error, new_file(tmp_path):
        pytest.fail("not to be reached")
    assert str(error.value) == f"{tmp_path}: is a folder. Pass the path of a file."


def test_a_file_in_place_of_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OutputError) as error, new_file(tmp_path / "pipe"):
        pytest.fail("not to be reached")
    assert str(error.value) == (f"{tmp_path}/pipe: is a device or a pipe. Pass the path of a file.")
    assert everything(tmp_path) == ["pipe"]


def test_devices_are_never_replaced():
    with pytest.raises(OutputError) as error, new_file("/dev/null"):
        pytest.fail("not to be reached")
    assert str(error.value) == "/dev/null: is a device or a pipe. Pass the path of a file."


@pytest.mark.parametrize("make", [new_folder, new_file])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("file/out", "a parent folder is a file"), ("file/deep/out", "Not a directory")],
)
def test_below_a_file(tmp_path, make, name, reason):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError) as error, make(tmp_path / name):
        pytest.fail("not to be reached")
    assert str(error.value) == f"{tmp_path}/{name}: cannot be written: {reason}."
    assert everything(tmp_path) == ["file"]


@pytest.mark.parametrize("make", [new_folder, new_file])
def test_a_folder_that_may_not_be_written(tmp_path, make):
    (tmp_path / "locked").mkdir(mode=0o555)
    if os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    with pytest.raises(OutputError) as error, make(tmp_path / "locked" / "out"):
        pytest.fail("not to be reached")
    assert str(error.value) == f"{tmp_path}/locked/out: cannot be written: Permission denied."


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a/b.png", "a/b.png"),
        (Path("a/é.png"), "a/é.png"),
        (b"\xff.png", r"\xff.png"),
        (os.fsdecode(b"\xc3\xa9\xfe.png"), r"é\xfe.png"),
    ],
)
def test_as_text(path, text):
    assert as_text(path) == text


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("a=1", "a=1"),
        ("", ""),
        (None, None),
    ],
)
def test_no_cell_is_a_formula(text, cell):
    assert as_cell(text) == cell


def test_refused_images_as_data():
    refused = [
        RefusedImage("a/1.png", "empty", "the file has no bytes."),
        RefusedImage("b/\udcff\n\x1b[31m é.png", "missing", "the file does not exist."),
    ]
    assert refused_as_data(iter(refused)) == [
        {"path": "a/1.png", "reason": "empty", "detail": "the file has no bytes."},
        {
            "path": "b/\\xff\n\x1b[31m é.png",
            "reason": "missing",
            "detail": "the file does not exist.",
        },
    ]


def test_names_of_images():
    assert image_name("a/1.png", 3) == "a/1.png"
    assert image_name(Path("a/1.png"), 3) == "a/1.png"
    assert image_name(b"a/\xff.png", 3) == "a/\\xff.png"
    assert image_name(np.zeros((2, 2, 1)), 3) == "image 3"
