"""Raw bytes to a picture: JPEG, PNG and WebP only, never more pixels than allowed.

Thread-safe: nothing global is touched, neither Pillow's limits nor the list of warnings.
"""

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from inference import jpeg_header, png_header, webp_header
from inference.colour import to_rgb
from inference.errors import BrokenImageError, ImageTooLargeError, UnsupportedImageError
from inference.image_header import ImageHeader
from inference.picture import Picture, upright

# The longest that a JPEG can be. Decoding goes row by row: one pixel wide and millions high costs
# several times what as many pixels in a square do.
MOST_SIDE = 65_535

BYTES_PER_PIXEL = 24
"""The most memory that decoding takes for each pixel a header declares, in any colour mode, the
copies on the way to upright RGB included; besides three times the file."""


def decode(data: bytes, *, max_pixels: int) -> NDArray[np.uint8]:
    """A file's bytes -> (H, W, 3) RGB, upright as its EXIF orientation says, transparency on white,
    the first picture of an animation. The array is read-only.

    Raises UnsupportedImageError for any other type, ImageTooLargeError when the header tells more
    than `max_pixels` or a side above MOST_SIDE (then nothing is decoded) and BrokenImageError for
    damaged files. docs/decoding.md states how much memory it takes.
    """
    picture = read_picture(data, max_pixels=max_pixels)
    return np.asarray(upright(picture.image, picture.orientation))


def read_picture(data: bytes, *, max_pixels: int, shortest: int | None = None) -> Picture:
    """As `decode`, for `resample`: not turned yet, and in less time where the size allows it.

    A JPEG is decoded at 1/8, 1/4 or 1/2 of its size, the smallest of which both sides still have
    `shortest` pixels; without it, or where they have not, at full size like any other file.
    """
    kind = _recognise(data)
    header = kind.read_header(data)
    _require_bounded(header, max_pixels)
    scale = _scale(header, shortest)
    try:
        with kind.open(BytesIO(header.essence)) as image:
            if scale > 1:
                image.draft(None, (header.width // scale, header.height // scale))
            # All in one call of the decoder, which lets go of the interpreter once instead of
            # for every 64 KiB.
            image.decodermaxblock = len(header.essence)
            image.load()
            rgb = to_rgb(image)
    except _PILLOW_ERRORS as error:
        raise BrokenImageError(
            f"broken {kind.name}: {error} (got {len(data):,} bytes); send the whole, undamaged file"
        ) from error
    return Picture(rgb, header.width, header.height, scale, header.orientation)


@dataclass(frozen=True)
class _Kind:
    """A type of file: `open` decodes lazily what `read_header` left of it."""

    name: str
    read_header: Callable[[bytes], ImageHeader]
    open: Callable[[BytesIO], ImageFile]


_JPEG = _Kind("JPEG", jpeg_header.read_jpeg_header, JpegImageFile)
_PNG = _Kind("PNG", png_header.read_png_header, PngImageFile)
_WEBP = _Kind("WebP", webp_header.read_webp_header, WebPImageFile)

_PILLOW_ERRORS = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, struct.error, zlib.error, Image.DecompressionBombError),
)

_OTHER_TYPES = (
    (0, b"GIF8", "GIF"),
    (0, b"BM", "BMP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (4, b"ftyphei", "HEIC"),
    (4, b"ftypmif1", "HEIC"),
    (4, b"ftypavif", "AVIF"),
    (0, b"%PDF", "PDF"),
)


def _recognise(data: bytes) -> _Kind:
    """By its first bytes: names and declared types are often wrong."""
    if data.startswith(jpeg_header.SIGNATURE):
        return _JPEG
    if data.startswith(png_header.SIGNATURE):
        return _PNG
    if (data[:4], data[8:12]) == webp_header.SIGNATURES:
        return _WEBP
    if not data:
        raise UnsupportedImageError(
            "no image: got 0 bytes, expected the bytes of a JPEG, PNG or WebP file"
        )
    names = [name for at, start, name in _OTHER_TYPES if data[at : at + len(start)] == start]
    looks_like = f", which looks like {names[0]}" if names else ""
    raise UnsupportedImageError(
        f"unsupported image: got {len(data):,} bytes starting with {data[:8]!r}{looks_like}, "
        "expected JPEG, PNG or WebP"
    )


def _require_bounded(header: ImageHeader, max_pixels: int) -> None:
    pixels = header.width * header.height
    if pixels > max_pixels:
        raise ImageTooLargeError(
            f"image too large: {header.width:,} x {header.height:,} = {pixels:,} pixels, "
            f"expected at most {max_pixels:,}; scale it down before sending"
        )
    if max(header.width, header.height) > MOST_SIDE:
        raise ImageTooLargeError(
            f"image too large: {header.width:,} x {header.height:,} pixels, expected sides of at "
            f"most {MOST_SIDE:,}; cut it into parts before sending"
        )


def _scale(header: ImageHeader, shortest: int | None) -> int:
    if shortest is None or not header.scalable:
        return 1
    side = min(header.width, header.height)
    return next((scale for scale in (8, 4, 2) if side // scale >= shortest), 1)
