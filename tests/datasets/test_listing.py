import io
import os
import socket
import subprocess
import sys
import tarfile
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler

import numpy as np
import pytest
from PIL import Image

from featx import ReadImages, SpatialPyramid, Stream
from featx.core.errors import DatasetError, RefusedImage
from featx.datasets import listing
from featx.datasets.listing import iterate_images
from featx.io.decoding import read_image
from featx.io.files import ImageFile, read_file
from featx.store.extraction import write_features
from featx.store.store import read_features, read_refused

NAMES = ["alone.png", "sea/a.png", "sea/deep/b.png", "town/a:b 'c\"\n.png", "town/é.png"]
LABELS = [None, "sea", "sea", "town", "town"]


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    for index, name in enumerate(NAMES):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8), index, np.uint8)).save(folder / name)
    return folder


def pack(photos, archive):
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            for name in NAMES:
                file.write(photos / name, name)
    else:
        kind = {".tar": "w", ".gz": "w:gz", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}
        with tarfile.open(archive, kind[archive.suffix]) as file:
            for name in NAMES:
                file.add(photos / name, name)
    return archive


def names(rows):
    return [os.fsdecode(path) for path, _ in rows]


def extract(tmp_path, source):
    stream = Stream([ReadImages(mode="gray"), SpatialPyramid(levels=[1])])
    out = tmp_path / "store"
    written = write_features(out, iterate_images(str(source)), stream)
    again = write_features(out, iterate_images(str(source)), stream)
    assert again.images == written.images
    return written, again, read_features(out)


def check(found, labels=LABELS):
    assert np.rint(found.vectors[:, 0] * 255).tolist() == [0, 1, 2, 3, 4]
    assert found.labels.tolist() == labels


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
class TestArchives:
    def test_members(self, tmp_path, photos, kind):
        archive = pack(photos, tmp_path / f"photos.{kind}")
        _, again, found = extract(tmp_path, archive)
        check(found)
        scheme = "zip" if kind == "zip" else "tar"
        assert found.paths == [f"{scheme}://{name}::{archive}" for name in NAMES]
        assert again.earlier == 5
        # Any order will do, and any number of threads.
        whole = ReadImages(mode="gray").transform(found.paths[::-1])
        assert whole[:, 0, 0, 0].tolist() == [4, 3, 2, 1, 0]

    def test_of_a_glob(self, tmp_path, photos, kind):
        for number in range(2):
            pack(photos, tmp_path / f"{number}.{kind}")
        assert len(list(iterate_images(f"{tmp_path}/?.{kind}"))) == 10

    def test_cut_short(self, tmp_path, photos, kind):
        archive = pack(photos, tmp_path / f"photos.{kind}")
        archive.write_bytes(archive.read_bytes()[:400])
        *_, (last, label) = iterate_images(str(archive))
        reason, detail = last.refusal
        assert reason == "corrupt"
        assert detail.startswith("the archive is damaged (")
        assert label is None

    def test_no_such_member(self, tmp_path, photos, kind):
        archive = pack(photos, tmp_path / f"photos.{kind}")
        scheme = "zip" if kind == "zip" else "tar"
        for path in (f"{scheme}://x.png::{archive}", f"{scheme}://x.png::{archive}x"):
            with pytest.raises(RefusedImage) as error:
                read_file(path)
            assert error.value.reason == "missing"
            assert error.value.detail == "the file does not exist."


@pytest.fixture
def server(photos, served):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with served(partial(Quiet, directory=photos)) as url:
        yield url


def test_http(tmp_path, photos, server):
    pytest.importorskip("fsspec")
    manifest = tmp_path / "m.csv"
    urls = [f"{server}/sea/a.png", f"{server}/town/%C3%A9.png", f"{server}/none.png"]
    manifest.write_text("path,label\n" + "".join(f"{url},x\n" for url in urls))
    written, again, found = extract(tmp_path, manifest)
    assert written.refused == {"missing": 1}
    assert again.earlier == 2
    assert found.paths == urls[:2]
    assert np.rint(found.vectors[:, 0] * 255).tolist() == [1, 4]
    (photos / "sea" / "a.png").write_bytes(b"")
    written, _, found = extract(tmp_path, manifest)
    assert written.refused == {"missing": 1, "empty": 1}


def test_an_http_folder(server):
    pytest.importorskip("fsspec")
    rows = list(iterate_images(f"{server}/sea/"))
    assert [(path.path, label) for path, label in rows] == [
        (f"{server}/sea/a.png", None),
        (f"{server}/sea/deep/b.png", "deep"),
    ]


def test_memory(tmp_path, photos):
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    for name in NAMES:
        memory.pipe(f"/photos/{name}", (photos / name).read_bytes())
    try:
        _, again, found = extract(tmp_path, "memory://photos")
        check(found)
        assert found.paths == [f"memory:///photos/{name}" for name in NAMES]
        assert again.earlier == 5
        rows = list(iterate_images("memory://photos/*/*.png"))
        assert [label for _, label in rows] == ["sea", "town", "town"]
    finally:
        memory.rm("/photos", recursive=True)


def test_a_file_system_that_keeps_its_listings(tmp_path, photos):
    fsspec = pytest.importorskip("fsspec")
    from fsspec.implementations.local import LocalFileSystem

    class Keeping(LocalFileSystem):
        """Keeps what it listed until it is told otherwise, as those of S3 and Google do."""

        protocol = "keeping"

        def ls(self, path, detail=False, **options):
            if path not in self.dircache:
                self.dircache[path] = super().ls(path, detail=True, **options)
            found = self.dircache[path]
            return found if detail else [info["name"] for info in found]

        def invalidate_cache(self, path=None):
            self.dircache.clear()
            super().invalidate_cache(path)

    fsspec.register_implementation("keeping", Keeping)
    url = f"keeping://{photos}"
    before = [file.path for file, _ in iterate_images(url)]
    assert len(before) == 5
    (photos / NAMES[0]).unlink()
    assert [file.path for file, _ in iterate_images(url)] == before[1:]


def test_an_unknown_protocol():
    pytest.importorskip("fsspec")
    with pytest.raises(DatasetError) as error:
        list(iterate_images("nonsense://x"))
    assert str(error.value) == "nonsense://x: Protocol not known: nonsense."


@pytest.mark.parametrize("separator", ["\n", "\0"])
def test_a_list_on_standard_input(photos, monkeypatch, separator):
    listed = [str(photos / name) for name in NAMES if separator == "\0" or "\n" not in name]
    for end in ("", separator):
        content = io.BytesIO(os.fsencode(separator.join(listed) + end))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
        rows = list(iterate_images("-"))
        assert names(rows) == listed
        assert rows[1][1] == "sea"


def test_an_empty_list(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(DatasetError, match=r"-: no files found\."):
        list(iterate_images("-"))


def test_a_list_comes_as_it_is_written():
    program = (
        "from featx.datasets.listing import iterate_images as i\n"
        "for p, _ in i('-'): print(p, flush=True)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        for name in (b"a\n", b"b\n"):
            process.stdin.write(name)
            process.stdin.flush()
            assert process.stdout.readline() == name
        process.stdin.close()


def test_large_folders_come_in_blocks(tmp_path, monkeypatch):
    for index in range(100):
        (tmp_path / f"{index:02}").touch()
    monkeypatch.setattr(listing, "_BLOCK", 30)
    found = names(iterate_images(str(tmp_path)))
    assert sorted(found) == [f"{tmp_path}/{index:02}" for index in range(100)]
    for start in (0, 30, 60, 90):
        assert found[start : start + 30] == sorted(found[start : start + 30])


def test_what_is_no_file_is_never_opened(tmp_path, photos):
    os.mkfifo(photos / "pipe")
    os.symlink(photos / "loop", photos / "loop")
    os.symlink("/dev/zero", photos / "device")
    os.symlink(tmp_path / "nowhere", photos / "dangling")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        os.rename(tmp_path / "s", photos / "socket")
        _, _, found = extract(tmp_path, photos)
    check(found)
    assert {os.path.basename(one.path): one.reason for one in read_refused(tmp_path / "store")} == {
        "pipe": "not-a-file",
        "device": "not-a-file",
        "socket": "not-a-file",
        "dangling": "missing",
        "loop": "unreadable",
    }


def test_files_of_a_local_folder_with_the_name_of_a_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    os.makedirs("http:/x")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save("http:/x/a.png")
    assert names(iterate_images("http://x")) == ["http://x/a.png"]
    assert read_image("http://x/a.png").shape == (4, 4, 3)


def test_a_file_that_only_its_lister_can_read(photos):
    file = ImageFile("memory:///nothing", content=(photos / NAMES[1]).read_bytes())
    assert read_image(file, mode="gray")[0, 0, 0] == 1
