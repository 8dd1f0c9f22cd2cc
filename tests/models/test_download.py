import hashlib
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from measuring.errors import InputError, MissingError
from models import transfer
from models.download import fetch
from models.weights import WEIGHTS, Weights

CONTENT = bytes(range(256)) * 8192  # two megabytes, more than sockets buffer
SHA256 = hashlib.sha256(CONTENT).hexdigest()

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Server:
    """Gives one answer after the other, and the last one for ever; keeps each request's range."""

    answers: list[Answer]
    url: str = ""
    ranges: list[str | None] = field(default_factory=list)

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        self.ranges.append(handler.headers.get("Range"))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(handler)


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(transfer, "_PAUSES", (0.0, 0.0))


@contextmanager
def _serve(*answers: Answer) -> Iterator[Server]:
    server = Server(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.take(self)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    class Quiet(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """A client that hangs up is what some tests are about."""

    with Quiet(("127.0.0.1", 0), Handler) as http:
        server.url = f"http://127.0.0.1:{http.server_port}/files/a.pth"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def _file(handler: BaseHTTPRequestHandler, sent: int | None = None, *, ranged: bool = True) -> None:
    """The content, from where the client wants it, cut after `sent` bytes."""
    wanted = handler.headers.get("Range") if ranged else None
    start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted else 0
    if start >= len(CONTENT):
        _status(416)(handler)
        return
    handler.send_response(206 if wanted else 200)
    if wanted:
        handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
    handler.send_header("Content-Length", str(len(CONTENT) - start))
    handler.end_headers()
    handler.wfile.write(CONTENT[start : None if sent is None else start + sent])


def _status(code: int) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def _cut(sent: int) -> Answer:
    return lambda handler: _file(handler, sent)


def _weights(url: str, *, sha256: str | None = SHA256, prefix: str | None = None) -> Weights:
    prefix = prefix if prefix is not None else sha256 or ""
    return replace(WEIGHTS["resnet18"], url=url, sha256=sha256, sha256_prefix=prefix)


@pytest.mark.parametrize("prefix", [SHA256[:8], ""], ids=["prefix", "no-checksum"])
def test_download_arrives_whole_and_leaves_nothing_else(tmp_path: Path, prefix: str) -> None:
    cache = tmp_path / "deep" / "cache"
    with _serve(_file) as server:
        path = fetch(_weights(server.url, sha256=None, prefix=prefix), cache=cache)

    assert path.read_bytes() == CONTENT
    assert path.suffix == ".pth"
    assert list(cache.iterdir()) == [path]
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_download_in_the_cache_makes_no_request(tmp_path: Path) -> None:
    with _serve(_file) as server:
        first = fetch(_weights(server.url), cache=tmp_path)
        second = fetch(_weights(server.url), cache=tmp_path)

    assert first == second
    assert len(server.ranges) == 1


def test_download_damaged_in_the_cache_is_fetched_anew(tmp_path: Path) -> None:
    with _serve(_file) as server:
        path = fetch(_weights(server.url), cache=tmp_path)
        path.write_bytes(b"damaged")

        assert fetch(_weights(server.url), cache=tmp_path).read_bytes() == CONTENT


def test_download_goes_to_the_folder_of_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIDE_CACHE", str(tmp_path / "mine"))
    with _serve(_file) as server:
        assert fetch(_weights(server.url)).parent == tmp_path / "mine"


def test_download_that_was_cut_is_resumed(tmp_path: Path) -> None:
    with _serve(_cut(1_500_000), _file) as server:
        path = fetch(_weights(server.url), cache=tmp_path)

    assert path.read_bytes() == CONTENT
    first, second = server.ranges
    assert first is None
    assert second is not None
    assert 0 < int(second.removeprefix("bytes=").removesuffix("-")) <= 1_500_000


def test_download_that_was_cut_starts_again_where_ranges_are_not_supported(tmp_path: Path) -> None:
    def whole(handler: BaseHTTPRequestHandler) -> None:
        _file(handler, ranged=False)

    with _serve(_cut(1_500_000), whole) as server:
        assert fetch(_weights(server.url), cache=tmp_path).read_bytes() == CONTENT


def test_download_cut_three_times_says_so_and_the_next_call_goes_on(tmp_path: Path) -> None:
    with _serve(_cut(500_000), _cut(0), _cut(0), _file) as server:
        with pytest.raises(MissingError, match=r"cut after \d+ of 2097152 bytes.*, 3 times"):
            fetch(_weights(server.url), cache=tmp_path)

        assert fetch(_weights(server.url), cache=tmp_path).read_bytes() == CONTENT
    assert server.ranges[-1] is not None


def test_download_cut_without_a_checksum_leaves_nothing(tmp_path: Path) -> None:
    with _serve(_cut(500_000)) as server, pytest.raises(MissingError, match="3 times"):
        fetch(_weights(server.url, sha256=None), cache=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_download_with_more_on_disk_than_the_server_has_starts_again(tmp_path: Path) -> None:
    with _serve(_file) as server:
        path = fetch(_weights(server.url), cache=tmp_path)
        path.rename(f"{path}.partial")

        assert fetch(_weights(server.url), cache=tmp_path).read_bytes() == CONTENT


def test_download_of_another_file_is_deleted_and_shows_both_checksums(tmp_path: Path) -> None:
    with _serve(_file) as server, pytest.raises(MissingError) as caught:
        fetch(_weights(server.url, sha256="0" * 64), cache=tmp_path)

    assert f"its SHA-256 is {SHA256}, expected {'0' * 64}" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_download_of_another_file_than_the_prefix_says_is_deleted(tmp_path: Path) -> None:
    with (
        _serve(_file) as server,
        pytest.raises(MissingError, match="expected one that starts with 01234567"),
    ):
        fetch(_weights(server.url, sha256=None, prefix="01234567"), cache=tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_download_that_is_not_there_says_what_to_do_at_once(tmp_path: Path) -> None:
    with _serve(_status(404)) as server, pytest.raises(MissingError) as caught:
        fetch(_weights(server.url), cache=tmp_path)

    assert f"resnet18 (IMAGENET1K_V1) from {server.url} cannot be downloaded" in str(caught.value)
    assert "404 Not Found" in str(caught.value)
    assert "--weights PATH" in str(caught.value)
    assert "--weights untrained" in str(caught.value)
    assert len(server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_download_is_tried_again_after_an_error_of_the_server(tmp_path: Path) -> None:
    with _serve(_status(500), _status(503), _file) as server:
        assert fetch(_weights(server.url), cache=tmp_path).read_bytes() == CONTENT

    assert len(server.ranges) == 3


def test_download_gives_up_after_three_errors_of_the_server(tmp_path: Path) -> None:
    with _serve(_status(500)) as server, pytest.raises(MissingError, match=r"500.*, 3 times"):
        fetch(_weights(server.url), cache=tmp_path)

    assert len(server.ranges) == 3


def test_download_follows_redirects(tmp_path: Path) -> None:
    def elsewhere(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "/other")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with _serve(elsewhere, _file) as server:
        assert fetch(_weights(server.url), cache=tmp_path).read_bytes() == CONTENT


def test_download_from_a_silent_server_times_out(tmp_path: Path) -> None:
    done = threading.Event()

    def silent(_: BaseHTTPRequestHandler) -> None:
        done.wait(10)

    with _serve(silent) as server:
        with pytest.raises(MissingError, match=r"timed out.*, 3 times"):
            fetch(_weights(server.url), cache=tmp_path, read_timeout=0.05)
        done.set()


def test_download_without_a_server_says_that_nothing_answers(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/a.pth"
        with pytest.raises(MissingError, match=r"no connection: .*refused.*--weights PATH"):
            fetch(_weights(url), cache=tmp_path)


@pytest.mark.parametrize("announced", [True, False])
def test_download_larger_than_allowed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(CONTENT)

    monkeypatch.setattr(transfer, "MAX_BYTES", 1_000_000)

    with (
        _serve(_file if announced else endless) as server,
        pytest.raises(MissingError, match="more than the 1000000"),
    ):
        fetch(_weights(server.url), cache=tmp_path)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a.pth", "a.pth"])
def test_download_of_another_scheme_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="expected http or https"):
        fetch(_weights(url), cache=tmp_path)


def test_download_into_something_that_is_no_folder_names_the_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(MissingError, match=r"cannot be used: .*; name another folder in STRIDE"):
        fetch(_weights("http://127.0.0.1:1/a.pth"), cache=tmp_path / "file" / "cache")
