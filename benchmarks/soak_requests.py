"""The requests of `benchmarks.soak`: right ones of every form, and every way to be wrong that a
service meets in the open, each with the statuses that are right answers to it."""

import gzip
import http.client
import json
import random
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from PIL import Image

from measuring.photographs import encoded
from measuring.pictures import varied_pictures

GONE = 0
"""In the place of a status: the client went away by itself."""
_POOL = 32


@dataclass(frozen=True)
class Service:
    """Where it is, and what it serves: `model` takes pixels (N, size, size, 3)."""

    url: str
    model: str
    size: int
    body_limit: int


@dataclass(frozen=True)
class Bodies:
    """Made once: the clients shall cost little beside the service."""

    jpeg: tuple[bytes, ...]
    png: tuple[bytes, ...]
    webp: tuple[bytes, ...]
    broken: tuple[bytes, ...]
    tensors: tuple[bytes, ...]


def make_bodies(size: int, seed: int) -> Bodies:
    """`size`: sides of the tensors' pictures; files have sides from 32 to 352."""
    source = random.Random(seed)  # noqa: S311  which picture comes when is no secret
    sides = [32 + 10 * index for index in range(_POOL)]
    pictures = [Image.fromarray(varied_pictures(1, side, seed + side)[0]) for side in sides]
    jpeg = tuple(encoded(picture, quality=85) for picture in pictures)
    png = tuple(encoded(picture, "PNG", compress_level=1) for picture in pictures)
    return Bodies(
        jpeg=jpeg,
        png=png,
        webp=tuple(encoded(picture, "WEBP", method=0) for picture in pictures),
        broken=tuple(_damage(data, source) for data in (*jpeg, *png)),
        tensors=tuple(varied_pictures(n, size, seed + n).tobytes() for n in (1, 2, 4)),
    )


def _damage(data: bytes, source: random.Random) -> bytes:
    """Cut off somewhere; one in three is no picture from its first byte on."""
    cut = data[: source.randrange(16, len(data) - 16)]
    return cut if source.random() < 0.67 else b"?" + cut


class Caller:
    """One client: a connection that is kept while the service keeps it."""

    def __init__(self, service: Service, bodies: Bodies, seed: int) -> None:
        self.service = service
        self.bodies = bodies
        self.random = random.Random(seed)  # noqa: S311
        self._address = urlsplit(service.url)
        self._connection = self._connect()

    def post(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None, *, chunks: int = 0
    ) -> int:
        """The status; `chunks`: into so many pieces, without a declared length."""
        content = _pieces(body, chunks) if chunks else body
        try:
            self._connection.request("POST", path, content, dict(headers or {}))
            answer = self._connection.getresponse()
            answer.read()
        except (http.client.HTTPException, OSError):
            self.hang_up()
            raise
        return answer.status

    def abandon(self, path: str, body: bytes, share: float) -> int:
        """Send a part of a request, and go away."""
        host, port = str(self._address.hostname), int(self._address.port or 80)
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        with socket.create_connection((host, port), timeout=30) as connection:
            connection.sendall((head + body)[: int(len(head) + share * len(body))])
        return GONE

    def hang_up(self) -> None:
        self.close()
        self._connection = self._connect()

    def close(self) -> None:
        self._connection.close()

    def _connect(self) -> http.client.HTTPConnection:
        port = self._address.port
        return http.client.HTTPConnection(str(self._address.hostname), port, timeout=60)


def _pieces(body: bytes, count: int) -> list[bytes]:
    size = -(-len(body) // count)
    return [body[start : start + size] for start in range(0, len(body), size)]


@dataclass(frozen=True)
class Kind:
    """`share` of all requests, and the statuses that are right; 503 always is, under load."""

    share: int
    right: frozenset[int]
    send: Callable[[Caller], int]


def _classify(caller: Caller) -> str:
    return f"/v1/classify?model={caller.service.model}&k={caller.random.randint(1, 5)}"


def _image(pool: str) -> Callable[[Caller], int]:
    def send(caller: Caller) -> int:
        return caller.post(_classify(caller), caller.random.choice(getattr(caller.bodies, pool)))

    return send


def _form(caller: Caller) -> int:
    part = b'--b\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    body = part + caller.random.choice(caller.bodies.jpeg) + b"\r\n--b--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    return caller.post(_classify(caller), body, kind)


def _gzip(caller: Caller) -> int:
    body = gzip.compress(caller.random.choice(caller.bodies.png), 1)
    return caller.post(_classify(caller), body, {"Content-Encoding": "gzip"})


def _bomb(caller: Caller) -> int:
    body = gzip.compress(bytes(2 * caller.service.body_limit), 1)
    return caller.post(_classify(caller), body, {"Content-Encoding": "gzip"})


def _tensor(caller: Caller) -> int:
    data = caller.random.choice(caller.bodies.tensors)
    side = caller.service.size
    count = len(data) // (side * side * 3)
    tensor = {
        "name": "pixels", "datatype": "UINT8", "shape": [count, side, side, 3],
        "parameters": {"binary_data_size": len(data)},
    }  # fmt: skip
    head = json.dumps({"inputs": [tensor]}).encode()
    length = {"Inference-Header-Content-Length": str(len(head))}
    return caller.post(f"/v2/models/{caller.service.model}/infer", head + data, length)


def _too_large(chunks: int) -> Callable[[Caller], int]:
    def send(caller: Caller) -> int:
        try:
            body = bytes(caller.service.body_limit + 1)
            return caller.post(_classify(caller), body, chunks=chunks)
        except OSError:  # it may hang up on who does not stop sending
            return 413

    return send


def _late(caller: Caller) -> int:
    timeout = {"X-Request-Timeout": caller.random.choice(("0.000001", "0.002", "0.02"))}
    return caller.post(_classify(caller), caller.random.choice(caller.bodies.jpeg), timeout)


def _gone(caller: Caller) -> int:
    share = caller.random.choice((0.0, 0.5, 0.99, 1.0))
    return caller.abandon(_classify(caller), caller.random.choice(caller.bodies.png), share)


def _unknown(caller: Caller) -> int:
    return caller.post(f"/v1/classify?model=nobody{caller.random.random()}", b"x")


def _kind(share: int, send: Callable[[Caller], int], *right: int) -> Kind:
    return Kind(share, frozenset({*right, 503}), send)


KINDS = {
    "jpeg": _kind(300, _image("jpeg"), 200),
    "png": _kind(150, _image("png"), 200),
    "webp": _kind(50, _image("webp"), 200),
    "form": _kind(50, _form, 200),
    "gzip": _kind(30, _gzip, 200),
    "tensor": _kind(150, _tensor, 200),
    "broken": _kind(100, _image("broken"), 415, 422),
    "too-large": _kind(10, _too_large(0), 413),
    "too-large-in-chunks": _kind(10, _too_large(7), 413),
    "bomb": _kind(5, _bomb, 413),
    "late": _kind(55, _late, 200, 504),
    "gone": _kind(70, _gone, GONE),
    "unknown": _kind(20, _unknown, 404),
}
