import gzip
import io
import os
import resource
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from contextlib import contextmanager, suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from PIL import Image

from featx import ReadImages, SpatialPyramid, Stream
from featx.core.errors import DatasetError, RefusedImage
from featx.datasets import listing
from featx.datasets.listing import iterate_images
from featx.io import archives
from featx.io.decoding import read_image
from featx.io.files import ImageFile, read_file
from featx.jobs.extract import write_features
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
        assert detail.startswith("as an archive it is broken (")
        assert label is None

    def test_no_such_member(self, tmp_path, photos, kind):
        archive = pack(photos, tmp_path / f"photos.{kind}")
        scheme = "zip" if kind == "zip" else "tar"
        for path in (f"{scheme}://x.png::{archive}", f"{scheme}://x.png::{archive}x"):
            with pytest.raises(RefusedImage) as error:
                read_file(path)
            assert (error.value.reason, error.value.detail) == ("missing", "there is no such file.")


OUTSIDE = ("outside", "its name leads out of its archive.")
NO_FILE = ("not-a-file", "it is a link or a device in its archive, not an image file.")


def test_paths_that_leave_a_tar_archive(tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as file:
        for name in ("../up", "/root", "a/../../up", "C:\\x", "..\\up"):
            file.addfile(tarfile.TarInfo(name))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("link")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    refusals = [file.refusal for file, _ in iterate_images(str(tmp_path / "x.tar"))]
    assert refusals == [OUTSIDE] * 5 + [NO_FILE] * 4
    with pytest.raises(RefusedImage) as error:
        read_file(f"tar://../up::{tmp_path}/x.tar")
    assert (error.value.reason, error.value.detail) == OUTSIDE


def test_members_of_zip_archives_that_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("../up", b"")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100))
        file.writestr("zeros", bytes(10_000_000), zipfile.ZIP_DEFLATED)
    first, second, third, zeros = [file for file, _ in iterate_images(str(tmp_path / "x.zip"))]
    assert (first.refusal, second.refusal, third.refusal) == (OUTSIDE, NO_FILE, None)
    with pytest.raises(RefusedImage) as error:
        read_file(zeros, max_bytes=1000)
    assert error.value.reason == "too-many-bytes"
    content = bytearray((tmp_path / "x.zip").read_bytes())
    content[content.index(b"\x89PNG") + 50] ^= 1
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(RefusedImage) as error:
        read_file(third)
    assert (error.value.reason, error.value.detail) == (
        "corrupt",
        "as part of its archive it is broken (Bad CRC-32 for file 'a.png').",
    )


def refusal(path, **limits):
    with pytest.raises(RefusedImage) as error:
        read_file(path, **limits)
    return error.value.reason, error.value.detail


@pytest.fixture
def little_memory():
    """Let this process take 400 MB more at most."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 4 * 10**8, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def packed_zeros(kind):
    """Give 800 MB of zeros packed by zlib."""
    packer = zlib.compressobj(1, zlib.DEFLATED, kind)
    zeros = bytes(2**20)
    return b"".join(packer.compress(zeros) for _ in range(800)) + packer.flush()


def test_a_zip_bomb_that_says_that_it_is_small(tmp_path, little_memory):
    packed = packed_zeros(-15)
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("a.png", packed)
        info = file.getinfo("a.png")
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, 1000
    content = bytearray((tmp_path / "x.zip").read_bytes())
    # What the file begins with and what its table says must agree.
    content[8:10] = zipfile.ZIP_DEFLATED.to_bytes(2, "little")
    (tmp_path / "x.zip").write_bytes(content)
    ((member, _),) = iterate_images(str(tmp_path / "x.zip"))
    assert member.size == 1000
    assert refusal(member) == (
        "corrupt",
        "as part of its archive it is broken (Bad CRC-32 for file 'a.png').",
    )


@pytest.mark.parametrize("kind", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_that_could_explode_when_they_are_unpacked(tmp_path, kind):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", kind) as file:
        file.writestr("a.png", b"content")
    ((member, _),) = iterate_images(str(tmp_path / "x.zip"))
    expected = "unsupported", "it is packed neither by deflate nor not at all."
    assert refusal(member) == refusal(member.path) == expected


def test_a_tar_bomb(tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "_ALWAYS", 10**6)
    with tarfile.open(tmp_path / "x.tar.bz2", "w:bz2") as file:
        for name, size in (("a.png", 9), ("zeros", 10**8), ("b.png", 9)):
            info = tarfile.TarInfo(name)
            info.size = size
            file.addfile(info, io.BytesIO(bytes(size)))
    *found, (broken, _) = iterate_images(str(tmp_path / "x.tar.bz2"))
    assert [os.fspath(file).partition("::")[0] for file, _ in found] == [
        "tar://a.png",
        "tar://zeros",
    ]
    assert broken.refusal == (
        "corrupt",
        "as an archive it is broken (it unpacks to more than 1000 times its size).",
    )


def test_a_tar_archive_with_a_header_that_takes_all_memory(tmp_path, little_memory):
    info = tarfile.TarInfo("a.png")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 2**30
    with gzip.open(tmp_path / "x.tgz", "wb", 1) as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(2**6):
            file.write(bytes(2**24))
    ((broken, _),) = iterate_images(str(tmp_path / "x.tgz"))
    assert broken.refusal == (
        "corrupt",
        "as an archive it is broken (a header of 1073741824 bytes).",
    )


@pytest.fixture
def server(photos):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    with served(partial(Quiet, directory=photos)) as url:
        yield url


@contextmanager
def served(handler):
    """Give the address of a web server that answers so."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


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


def test_a_server_that_sends_more_than_it_says(little_memory):
    pytest.importorskip("fsspec")
    packed = packed_zeros(31)

    class Bomb(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(200)
            self.send_header("Content-Type", "image/png")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()

        def do_GET(self):
            self.do_HEAD()
            with suppress(ConnectionError):
                self.wfile.write(packed)

        def log_message(self, *_):
            pass

    with served(Bomb) as url:
        reason, detail = refusal(f"{url}/a.png", max_bytes=10**7)
    assert reason == "too-many-bytes"
    assert detail.startswith("it has 10000001 bytes, more than max_bytes=10000000.")


def test_a_server_that_does_not_answer():
    pytest.importorskip("fsspec")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/a.png"
        with pytest.raises(RefusedImage) as error:
            read_file(url)
        # fsspec makes no difference.
        assert error.value.reason in ("missing", "unreadable")
        with pytest.raises(DatasetError) as error:
            list(iterate_images(url))
        assert str(error.value).startswith(f"{url}: ")


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
    with pytest.raises(DatasetError, match=r"-: there are no files in it\."):
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
