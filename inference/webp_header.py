"""Reads the header of a WebP file. Source: RFC 9649."""

from inference.errors import BrokenImageError
from inference.image_header import MOST_PARTS, UPRIGHT, ImageHeader, read_orientation

SIGNATURES = (b"RIFF", b"WEBP")  # at bytes 0 and 8

_HAS_EXIF = 0x08
_LOSSY_START = b"\x9d\x01\x2a"
_LOSSLESS_START = b"\x2f"


def read_webp_header(data: bytes) -> ImageHeader:
    """Raises BrokenImageError where the first chunk tells no size."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X" and len(body) == 10:
        width, height = _little(body[4:7]) + 1, _little(body[7:10]) + 1
        orientation = _orientation(data) if body[0] & _HAS_EXIF else UPRIGHT
        return ImageHeader(width, height, orientation, data)
    if kind == b"VP8 " and len(body) == 10 and body[3:6] == _LOSSY_START:
        width, height = _little(body[6:8]) & 0x3FFF, _little(body[8:10]) & 0x3FFF
    elif kind == b"VP8L" and len(body) >= 5 and body[:1] == _LOSSLESS_START:
        packed = _little(body[1:5])
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    else:
        width = height = 0
    if 0 in (width, height):
        raise BrokenImageError("broken WebP: its header tells no size")
    return ImageHeader(width, height, UPRIGHT, data)


def _orientation(data: bytes) -> int:
    """From the EXIF chunk, which stands after the pixels."""
    position = 12
    for _ in range(MOST_PARTS):
        length = _little(data[position + 4 : position + 8])
        if data[position : position + 4] == b"EXIF":
            exif = data[position + 8 : position + 8 + length]
            return read_orientation(exif.removeprefix(b"Exif\0\0"))
        position += 8 + length + length % 2
        if position >= len(data):
            break
    return UPRIGHT


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
