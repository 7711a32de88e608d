"""Downloads from a local server: right, wrong, cut off and resumed, trusted on first use."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from diffranet_utils.core.errors import DiffranetError, InputError, MissingDataError
from diffranet_utils.data import fetch
from diffranet_utils.studies.diffranet import labelled_frames

CONTENT = bytes(range(256)) * 8000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(BaseHTTPRequestHandler):
    """Serves one file, understands ranges, and cuts the connection where it is told to."""

    cut_at, content, requests = None, CONTENT, []

    def do_GET(self):
        self.requests.append(self.headers.get("Range"))
        if not self.path.endswith("file.bin"):
            self.send_error(404)
            return
        wanted = self.headers.get("Range")
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
        body = self.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        stop = len(body) if self.cut_at is None else max(self.cut_at - start, 0)
        self.wfile.write(body[:stop])
        self.close_connection = True

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"requests": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        handler.base = f"http://127.0.0.1:{running.server_port}/"
        yield handler
        running.shutdown()


def sources(server, digest, name="file.bin"):
    return {"data": fetch.Source("a test", server.base, {name: digest})}


def test_a_file_arrives_once(server, tmp_path):
    (path,) = fetch.fetch("data", tmp_path, sources(server, SHA256))
    assert path.read_bytes() == CONTENT
    fetch.fetch("data", tmp_path, sources(server, SHA256))
    assert len(server.requests) == 1 and sorted(p.name for p in tmp_path.iterdir()) == ["file.bin"]


def test_a_wrong_file_is_not_kept(server, tmp_path):
    with pytest.raises(DiffranetError, match=f"SHA-256 {SHA256[:12]}"):
        fetch.fetch("data", tmp_path, sources(server, "0" * 64))
    assert list(tmp_path.iterdir()) == []


def test_a_cut_connection_is_resumed(server, tmp_path):
    server.cut_at = 700_000
    with pytest.raises(DiffranetError, match="cut at 700,000 of 2,048,000"):
        fetch.fetch("data", tmp_path, sources(server, SHA256))
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin.part"]
    server.cut_at = None
    (path,) = fetch.fetch("data", tmp_path, sources(server, SHA256))
    assert path.read_bytes() == CONTENT and server.requests[1] == "bytes=700000-"
    assert [p.name for p in tmp_path.iterdir()] == ["file.bin"]


def test_first_use_is_trusted_and_written_down(server, tmp_path):
    (path,) = fetch.fetch("data", tmp_path, sources(server, None))
    assert SHA256 in (tmp_path / fetch.FIRST_USE).read_text()
    path.unlink()
    server.content = CONTENT[::-1]
    with pytest.raises(DiffranetError, match="not the file that was expected"):
        fetch.fetch("data", tmp_path, sources(server, None))


def test_what_is_not_there_is_named(server, tmp_path):
    with pytest.raises(MissingDataError, match=r"nothing.bin \(404"):
        fetch.fetch("data", tmp_path, sources(server, SHA256, "nothing.bin"))
    with pytest.raises(InputError, match="thaumatin-grid"):
        fetch.fetch("moon", tmp_path)
    gone = {"data": fetch.Source("a test", "http://127.0.0.1:9/", {"file.bin": SHA256})}
    with pytest.raises(DiffranetError, match="Cannot download"):
        fetch.fetch("data", tmp_path, gone)


def test_known_files_are_those_of_the_real_frames(real_dir):
    listed = dict(
        reversed(line.split()) for line in (real_dir / "sha256.txt").read_text().splitlines()
    )
    assert fetch.SOURCES["thaumatin-grid"].files == listed


def test_labels_come_with_frames_that_have_them(server, tmp_path):
    labelled = {
        "data": fetch.Source(
            "a test", server.base, {"file.bin": SHA256}, {"file.bin": fetch.GRID_MISS}
        )
    }
    fetch.fetch("data", tmp_path, labelled)
    (item,) = labelled_frames.find_real(tmp_path)
    assert item.path == tmp_path / "file.bin" and item.label.title == "no-diffraction"


def test_the_labels_of_the_grid_are_those_given_by_eye(real_dir):
    given = {item.path.name: item.label.title for item in labelled_frames.find_real(real_dir)}
    assert {
        name: label for name, (label, _) in fetch.SOURCES["thaumatin-grid"].labels.items()
    } == given
