import socket
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

import pytest

from featx.core.errors import DatasetError, RefusedImage
from featx.datasets.listing import iterate_images
from featx.io.files import read_file


def test_a_server_that_sends_more_than_it_says(little_memory, packed_zeros, served):
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

    with served(Bomb) as url, pytest.raises(RefusedImage) as error:
        read_file(f"{url}/a.png", max_bytes=10**7)
    assert error.value.reason == "too-many-bytes"
    assert error.value.detail.startswith(
        "the file has 10000001 bytes, more than max_bytes=10000000."
    )


def test_a_server_that_does_not_answer():
    pytest.importorskip("fsspec")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/a.png"
        with pytest.raises(RefusedImage) as error:
            read_file(url)
        # fsspec does not distinguish the two.
        assert error.value.reason in ("missing", "unreadable")
        with pytest.raises(DatasetError) as error:
            list(iterate_images(url))
        assert str(error.value).startswith(f"{url}: ")
