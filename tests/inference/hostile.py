"""Files that lie about their size, or that hold far more than they seem to."""

import struct
import zlib
from collections.abc import Callable

from PIL import Image

from measuring.photographs import encoded

Bomb = Callable[[int, int, int], bytes]  # bytes hidden, width, height


def with_size(data: bytes, width: int, height: int) -> bytes:
    """The same file, whose header declares another size."""
    if data.startswith(b"\x89PNG"):
        header = b"IHDR" + struct.pack(">II", width, height) + data[24:29]
        return data[:12] + header + struct.pack(">I", zlib.crc32(header)) + data[33:]
    if data.startswith(b"\xff\xd8"):
        frame = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        return data[: frame + 5] + struct.pack(">HH", height, width) + data[frame + 9 :]
    kind = data[12:16]
    if kind == b"VP8X":
        sizes = (max(side, 1) - 1 for side in (width, height))
        return data[:24] + b"".join(size.to_bytes(3, "little") for size in sizes) + data[30:]
    if kind == b"VP8 ":
        return data[:26] + struct.pack("<HH", width & 0x3FFF, height & 0x3FFF) + data[30:]
    packed = (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14
    kept = int.from_bytes(data[21:25], "little") & 0xF0000000
    return data[:21] + (packed | kept).to_bytes(4, "little") + data[25:]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """Length, kind, body and checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _pixels(size: int, width: int, height: int) -> bytes:
    """A PNG whose pixels inflate to `size` bytes, whatever its header says."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(bytes(size), 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def _before_pixels(kind: bytes, prefix: bytes) -> Bomb:
    """A PNG with a compressed text or profile in front of its pixels."""

    def bomb(size: int, width: int, height: int) -> bytes:
        picture = encoded(Image.new("RGB", (width, height)), "PNG")
        return picture[:33] + png_chunk(kind, prefix + zlib.compress(bytes(size), 9)) + picture[33:]

    return bomb


def _scans(size: int, width: int, height: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    picture = encoded(Image.new("RGB", (width, height)), progressive=True)
    scan = picture[picture.rindex(b"\xff\xda") : -2]
    return picture[:-2] + scan * (size // 100_000) + picture[-2:]


def _frames(size: int, width: int, height: int) -> bytes:
    """An animated WebP of many frames."""
    frames = [Image.new("RGB", (width, height), (i, 0, 0)) for i in range(2 + size // 3_000_000)]
    return encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], method=0)


def _canvas(size: int, width: int, height: int) -> bytes:
    """A WebP whose canvas grows with `size`, around a small picture."""
    picture = encoded(Image.new("RGB", (width, height)), "WEBP", icc_profile=b"p")
    return with_size(picture, 1 + size // 2_000, 1 + size // 3_000)


BOMBS: list[Bomb] = [
    *(_pixels, _scans, _frames, _canvas),
    _before_pixels(b"zTXt", b"Comment\0\0"),
    _before_pixels(b"iTXt", b"Comment\0\x01\0\0\0"),
    _before_pixels(b"iCCP", b"profile\0\0"),
]
