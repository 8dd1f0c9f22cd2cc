import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps

from inference.decode import decode
from inference.image_header import read_orientation

QUADRANTS = np.zeros((16, 32, 3), np.uint8)
QUADRANTS[:8, :16] = (255, 0, 0)
QUADRANTS[:8, 16:] = (0, 255, 0)
QUADRANTS[8:, :16] = (0, 0, 255)


def exif(orientation: int, order: str = "<", kind: int = 3) -> bytes:
    """A TIFF structure with another tag before the orientation."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *([orientation, 0][: 5 - kind]))
    entries = struct.pack(order + "HHII", 0x0100, 3, 1, 0) + (
        struct.pack(order + "HHI", 0x0112, kind, 1) + value
    )
    return mark + struct.pack(order + "IH", 8, 2) + entries + bytes(4)


def oriented(kind: str, orientation: int) -> bytes:
    buffer = BytesIO()
    data = b"Exif\0\0" + exif(orientation)
    Image.fromarray(QUADRANTS).save(buffer, kind, exif=data, quality=95, lossless=True)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_decode_turns_the_picture_upright(kind: str, orientation: int) -> None:
    data = oriented(kind, orientation)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(BytesIO(data))).convert("RGB"))
    image = decode(data, max_pixels=1000)
    assert image.shape == ((32, 16, 3) if orientation >= 5 else (16, 32, 3))
    np.testing.assert_array_equal(image, expected)


def test_decode_six_means_that_the_left_side_is_the_top() -> None:
    image = decode(oriented("PNG", 6), max_pixels=1000)
    assert tuple(image[0, 0]) == (0, 0, 255)
    assert tuple(image[0, -1]) == (255, 0, 0)
    assert tuple(image[-1, -1]) == (0, 255, 0)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_decode_of_an_impossible_orientation_leaves_the_picture(orientation: int) -> None:
    np.testing.assert_array_equal(decode(oriented("PNG", orientation), max_pixels=1000), QUADRANTS)


@pytest.mark.parametrize(("order", "kind"), [("<", 3), (">", 3), ("<", 4), (">", 4)])
def test_read_orientation_in_either_byte_order_and_width(order: str, kind: int) -> None:
    assert read_orientation(exif(7, order, kind)) == 7


@pytest.mark.parametrize(
    "damaged",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"XX*\0" + exif(6)[4:], id="no-byte-order"),
        pytest.param(exif(6)[:20], id="cut-short"),
        pytest.param(b"II*\0\xff\xff\xff\xff", id="offset-beyond-the-end"),
        pytest.param(b"II*\0\x08\0\0\0\xff\xff", id="more-entries-than-there-are"),
        pytest.param(b"II*\0\x08\0\0\0\0\0", id="no-entries"),
    ],
)
def test_read_orientation_of_damaged_exif_is_upright(damaged: bytes) -> None:
    assert read_orientation(damaged) == 1


@given(st.binary(max_size=120))
def test_read_orientation_of_anything_is_an_orientation(rest: bytes) -> None:
    assert 1 <= read_orientation(b"MM\0*" + rest) <= 8


def test_decode_of_damaged_exif_gives_the_picture_and_no_warning() -> None:
    buffer = BytesIO()
    damaged = b"Exif\0\0" + exif(6)[:24] + b"\xff" * 40
    Image.fromarray(QUADRANTS).save(buffer, "JPEG", exif=damaged)
    assert decode(buffer.getvalue(), max_pixels=1000).shape == (16, 32, 3)


def test_decode_finds_the_orientation_of_a_webp_behind_chunks_of_odd_length() -> None:
    buffer = BytesIO()
    data = b"Exif\0\0" + exif(8)
    Image.fromarray(QUADRANTS).save(buffer, "WEBP", exif=data, icc_profile=b"odd", lossless=True)
    assert decode(buffer.getvalue(), max_pixels=1000).shape == (32, 16, 3)
