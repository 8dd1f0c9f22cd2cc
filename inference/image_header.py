"""What a picture's file says before its pixels: size and orientation, read without decoding.

A reader also leaves out all that does not decide the pixels (thumbnails, profiles, texts): what
is never handed on cannot fill the memory or trip the decoder.
"""

import struct
from dataclasses import dataclass

UPRIGHT = 1
MOST_PARTS = 1 << 16  # segments or chunks; no camera or editor writes nearly as many
_ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class ImageHeader:
    """Size as stored, before `orientation` (EXIF's, 1 to 8) is applied; `essence` is the same
    file reduced to what decides its pixels; `scalable`: it can be decoded at a fraction of its
    size."""

    width: int
    height: int
    orientation: int
    essence: bytes
    scalable: bool = False


def read_orientation(exif: bytes) -> int:
    """The orientation in a TIFF structure, as EXIF has it; 1 where it is absent or damaged.

    Source: EXIF 3.0, sections 4.6.2 (structure) and 4.6.4 (tag 0x0112).
    """
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(exif[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(order + "I", exif, 4)
        (count,) = struct.unpack_from(order + "H", exif, start)
        for entry in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", exif, entry)
            if tag == _ORIENTATION_TAG:
                (value,) = struct.unpack_from(order + ("I" if kind == 4 else "H"), exif, entry + 8)
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # an offset beyond the end
        return UPRIGHT
    return UPRIGHT
