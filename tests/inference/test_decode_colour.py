import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.decode import decode

RED, WHITE = (255, 0, 0), (255, 255, 255)


def decoded(image: Image.Image, kind: str = "PNG", **options: object) -> NDArray[np.uint8]:
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return decode(buffer.getvalue(), max_pixels=100_000)


def png(colour_type: int, rows: bytes, *, depth: int, size: tuple[int, int], key: bytes) -> bytes:
    """A PNG written by hand; `key` is its tRNS chunk's body."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", *size, depth, colour_type, 0, 0, 0)),
        *([(b"tRNS", key)] if key else []),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in parts
    )


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_decode_grey_has_three_equal_channels(kind: str) -> None:
    image = decoded(Image.new("L", (8, 8), 90), kind)
    assert np.all(np.abs(image.astype(int) - 90) <= 2)
    assert np.all(image == image[:, :, :1])


def test_decode_one_bit_is_black_and_white() -> None:
    checks = Image.fromarray(np.indices((4, 4)).sum(axis=0) % 2 == 1)
    image = decoded(checks)
    assert image[0, :, 0].tolist() == [0, 255, 0, 255]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, 0),
        (128, 0),
        (129, 1),
        (257, 1),
        (32_768, 128),
        (65_278, 254),
        (65_407, 255),
        (65_535, 255),
    ],
)
def test_decode_16_bit_grey_is_scaled_not_clipped(level: int, expected: int) -> None:
    image = decoded(Image.fromarray(np.full((3, 3), level, np.uint16)))
    assert np.all(image == expected)


def test_decode_16_bit_grey_marked_as_transparent_is_white() -> None:
    rows = b"\0" + struct.pack(">HH", 1000, 1001)
    image = decode(png(0, rows, depth=16, size=(2, 1), key=b"\x03\xe8"), max_pixels=10)
    assert image.tolist() == [[[255] * 3, [4] * 3]]


def test_decode_16_bit_colour_keeps_its_high_bytes() -> None:
    rows = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0x00FF)
    image = decode(png(2, rows, depth=16, size=(1, 1), key=b""), max_pixels=10)
    assert np.abs(image[0, 0].astype(int) - (255, 128, 1)).max() <= 1


def test_decode_palette_shows_its_colours() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 128, 0])
    image.putdata([0, 1])
    assert decoded(image).tolist() == [[[255, 0, 0], [0, 128, 0]]]


@pytest.mark.parametrize(
    ("transparency", "expected"),
    [
        pytest.param(1, [[255, 0, 0], [255, 255, 255]], id="one-entry"),
        pytest.param(b"\xff\x80", [[255, 0, 0], [127, 191, 127]], id="alpha-of-each-entry"),
    ],
)
def test_decode_palette_with_transparency_is_on_white(
    transparency: int | bytes, expected: list[list[int]]
) -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 128, 0])
    image.putdata([0, 1])
    (row,) = decoded(image, transparency=transparency)
    assert np.abs(row.astype(int) - expected).max() <= 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_decode_transparent_parts_are_white_whatever_hides_beneath(kind: str) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.paste((255, 0, 0, 255), (0, 0, 4, 2))
    pixels = decoded(image, kind, lossless=True, exact=True)
    assert np.all(pixels[:2] == RED)
    assert np.all(pixels[2:] == WHITE)


def test_decode_half_transparent_is_half_white() -> None:
    image = decoded(Image.new("RGBA", (2, 2), (0, 0, 200, 128)))
    assert np.abs(image[0, 0].astype(int) - (127, 127, 227)).max() <= 1


def test_decode_opaque_alpha_changes_nothing() -> None:
    assert np.all(decoded(Image.new("RGBA", (2, 2), (10, 20, 30, 255))) == (10, 20, 30))


def test_decode_grey_with_alpha_is_on_white() -> None:
    image = Image.new("LA", (2, 1), (0, 255))
    image.putpixel((1, 0), (0, 0))
    assert decoded(image).tolist() == [[[0] * 3, [255] * 3]]


@pytest.mark.parametrize(
    ("mode", "colour", "key"), [("L", 40, 40), ("RGB", (40, 41, 42), (40, 41, 42))]
)
def test_decode_colour_marked_as_transparent_is_white(
    mode: str, colour: int | tuple[int, ...], key: int | tuple[int, ...]
) -> None:
    assert np.all(decoded(Image.new(mode, (2, 2), colour), transparency=key) == WHITE)


def test_decode_16_bit_colour_with_a_transparent_colour_is_a_picture() -> None:
    rows = b"\0" + struct.pack(">HHH", 0xFFFF, 0x8000, 0x00FF)
    key = struct.pack(">HHH", 1, 2, 3)
    image = decode(png(2, rows, depth=16, size=(1, 1), key=key), max_pixels=10)
    assert np.abs(image[0, 0].astype(int) - (255, 128, 1)).max() <= 1


def test_decode_cmyk_is_not_inverted() -> None:
    image = decoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=95)
    assert np.all(np.abs(image.astype(int) - RED) <= 3)


def test_decode_cmyk_black_darkens() -> None:
    image = decoded(Image.new("CMYK", (8, 8), (0, 0, 0, 155)), "JPEG", quality=95)
    assert np.all(np.abs(image.astype(int) - 100) <= 3)


def test_decode_ycck_is_turned_to_colour() -> None:
    """Adobe's marker says YCCK with a 2 where Pillow wrote 0 for CMYK. What is stored, inverted
    by Pillow, is then Y 150, Cb 128, Cr 178 of the inks and no black: inks of 150 + 1.402 * 50,
    150 - 0.714 * 50 and 150 leave the light 35, 141 and 105."""
    buffer = BytesIO()
    Image.new("CMYK", (8, 8), (105, 127, 77, 0)).save(buffer, "JPEG", quality=100)
    data = buffer.getvalue()
    at = data.index(b"Adobe") + 11
    assert data[at] == 0
    image = decode(data[:at] + b"\x02" + data[at + 1 :], max_pixels=100)
    assert np.abs(image.astype(int) - (35, 141, 105)).max() <= 3
