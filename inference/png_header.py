"""Reads the header of a PNG file. Source: W3C, Portable Network Graphics (Third Edition)."""

from inference.errors import BrokenImageError
from inference.image_header import MOST_PARTS, UPRIGHT, ImageHeader, read_orientation

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_KEPT = (b"PLTE", b"tRNS", b"IDAT")
_EMPTY_END = b"\0\0\0\0IEND\xaeB`\x82"


def read_png_header(data: bytes) -> ImageHeader:
    """An animation is reduced to its still picture. Raises BrokenImageError without a size."""
    first = data[8:33]
    width, height = int.from_bytes(first[8:12]), int.from_bytes(first[12:16])
    if len(first) < 25 or first[:8] != b"\0\0\0\x0dIHDR" or 0 in (width, height):
        raise BrokenImageError("broken PNG: its header tells no size")
    kept = [data[:33]]
    orientation = UPRIGHT
    position = 33
    for _ in range(MOST_PARTS):
        length = int.from_bytes(data[position : position + 4])
        kind = data[position + 4 : position + 8]
        end = position + 12 + length
        if kind in _KEPT:
            kept.append(data[position:end])
        elif kind == b"eXIf":
            orientation = read_orientation(data[position + 8 : end - 4])
        if end >= len(data) or kind == b"IEND":
            complete = _EMPTY_END if end <= len(data) else b""
            return ImageHeader(width, height, orientation, b"".join([*kept, complete]))
        position = end
    raise BrokenImageError(f"broken PNG: more than {MOST_PARTS:,} chunks")
