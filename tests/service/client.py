"""What the tests say to a service, and the pictures they say it with."""

import io
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
import urllib3
from PIL import Image

from measuring.pictures import varied_pictures


@dataclass(frozen=True)
class Reply:
    """Status, headers and decoded body of one answer."""

    status: int
    headers: urllib3.HTTPHeaderDict
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)

    @property
    def error(self) -> str:
        """The message; fails unless the body is exactly an error."""
        assert set(self.json) == {"error"}, self.data
        return str(self.json["error"])


class Client:
    """Keep-alive connections to one service; usable from several threads."""

    def __init__(self, url: str, *, connections: int = 64) -> None:
        self.url = url
        self._pool = urllib3.PoolManager(
            maxsize=connections, block=True, retries=False, timeout=urllib3.Timeout(30)
        )

    def get(self, path: str, **headers: str) -> Reply:
        return self.request("GET", path, None, headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        return self.request("POST", path, body, headers)

    def request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Reply:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        reply = self._pool.request(method, self.url + path, body=body, headers=named)
        return Reply(reply.status, reply.headers, reply.data)

    def close(self) -> None:
        self._pool.clear()


def encode(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], kind: str = "PNG") -> bytes:
    """(H, W, 3) uint8 as a file of that kind."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


def png(seed: int = 0, size: int = 16) -> bytes:
    """A small varied picture that is stored without loss."""
    return encode(varied_pictures(1, size, seed)[0])


def png_header(width: int, height: int) -> bytes:
    """A valid PNG of one row, except that its header claims these sides."""
    import struct
    import zlib

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
