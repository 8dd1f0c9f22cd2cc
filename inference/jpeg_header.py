"""Reads the header of a JPEG file. Source: ITU-T T.81, annex B."""

import re
from dataclasses import dataclass

from inference.errors import BrokenImageError
from inference.image_header import MOST_PARTS, UPRIGHT, ImageHeader, read_orientation

SIGNATURE = b"\xff\xd8\xff"

# Over fill bytes, what stands between segments, and markers that have no segment: restarts, say.
# Without a repetition, so that no run of bytes makes the search go back.
_NEXT_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xfe])")
_START_OF_SCAN = 0xDA
_END_OF_IMAGE = 0xD9
_START_OF_FRAME = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEQUENTIAL = {0xC0, 0xC1}
# Others may ignore the fraction asked for, as lossless ones do, and Pillow would not notice: rows
# longer than their buffer.
_SCALABLE = _SEQUENTIAL | {0xC2}
_TABLES = {0xC4, 0xCC, 0xDB, 0xDC, 0xDD}
_JFIF, _EXIF, _ADOBE = 0xE0, 0xE1, 0xEE  # of the application segments, only these matter

# A scan is a pass over all pixels, and may be a few bytes long. Progressive encoders write 6 for
# grey, 10 for colour and 18 for CMYK; a billion pixels passed over take about a second.
_ALWAYS_ALLOWED_SCANS = 20
_MOST_SCANS = 100
_MOST_PIXELS_PASSED = 1_000_000_000


@dataclass(frozen=True)
class _Frame:
    marker: int
    width: int
    height: int
    components: int


def read_jpeg_header(data: bytes) -> ImageHeader:
    """Raises BrokenImageError where the size is missing, told twice, or zero, and for more scans
    than a picture of its size has."""
    kept = [data[:2]]
    frame: _Frame | None = None
    orientation: int | None = None
    position = 2
    for _ in range(MOST_PARTS):
        marker, start, end = _next_segment(data, position)
        body = data[start + 4 : end]
        if marker == _START_OF_SCAN:
            return _finished(frame, orientation or UPRIGHT, kept, data[start:])
        if marker in _START_OF_FRAME:
            if frame is not None:
                raise BrokenImageError("broken JPEG: its header tells a size twice")
            frame = _frame(marker, body)
        if marker == _EXIF and orientation is None and body.startswith(b"Exif\0\0"):
            orientation = read_orientation(body[6:])
        if _decides_pixels(marker, body):
            kept.append(data[start:end])
        position = end
    raise BrokenImageError(f"broken JPEG: more than {MOST_PARTS:,} segments before its pixels")


def _next_segment(data: bytes, position: int) -> tuple[int, int, int]:
    """Marker, start (of the marker) and end of the first segment at or after `position`."""
    if found := _NEXT_MARKER.search(data, position):
        marker, start = found[1][0], found.start()
        length = int.from_bytes(data[start + 2 : start + 4])
        if marker != _END_OF_IMAGE and length >= 2 and start + 2 + length <= len(data):
            return marker, start, start + 2 + length
    raise BrokenImageError(
        f"broken JPEG: its {len(data):,} bytes end before the pixels begin; send the whole file"
    )


def _frame(marker: int, body: bytes) -> _Frame:
    if len(body) < 6:
        raise BrokenImageError("broken JPEG: the segment that tells its size is cut short")
    return _Frame(marker, int.from_bytes(body[3:5]), int.from_bytes(body[1:3]), body[5])


def _decides_pixels(marker: int, body: bytes) -> bool:
    if marker == _JFIF:
        return body.startswith(b"JFIF\0")
    if marker == _ADOBE:
        return body.startswith(b"Adobe")
    return marker in _START_OF_FRAME or marker in _TABLES


def _finished(
    frame: _Frame | None, orientation: int, kept: list[bytes], scans: bytes
) -> ImageHeader:
    if frame is None or 0 in (frame.width, frame.height):
        raise BrokenImageError("broken JPEG: its header tells no size")
    if not _is_one_scan(frame, scans):
        _require_affordable(frame, scans)
    return ImageHeader(
        frame.width, frame.height, orientation, b"".join([*kept, scans]), frame.marker in _SCALABLE
    )


def _is_one_scan(frame: _Frame, scans: bytes) -> bool:
    """Whether a decoder ends after the first scan: it is sequential and has all components. Most
    files are, and need not be searched for more."""
    return frame.marker in _SEQUENTIAL and scans[4:5] == bytes([frame.components])


def _require_affordable(frame: _Frame, scans: bytes) -> None:
    affordable = min(_MOST_PIXELS_PASSED // (frame.width * frame.height), _MOST_SCANS)
    allowed = max(affordable, _ALWAYS_ALLOWED_SCANS)
    if (count := _count_scans(scans)) > allowed:
        raise BrokenImageError(
            f"broken JPEG: it passes over its {frame.width:,} x {frame.height:,} pixels in "
            f"{count} scans, expected at most {allowed}; save it anew"
        )


def _count_scans(scans: bytes) -> int:
    """Up to the end of the picture: cameras append films, in which any bytes occur."""
    count, position = 0, 0
    for _ in range(MOST_PARTS):
        found = _NEXT_MARKER.search(scans, position)
        if found is None or found[1][0] == _END_OF_IMAGE:
            return count
        count += found[1][0] == _START_OF_SCAN
        length = int.from_bytes(scans[found.end() : found.end() + 2])
        position = found.end() + max(length, 2)
    raise BrokenImageError(f"broken JPEG: more than {MOST_PARTS:,} segments among its pixels")
