from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from inference.decode import decode, read_picture
from inference.errors import BrokenImageError, ImageTooLargeError, UnsupportedImageError
from inference.resample import resample, shortest_side
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from tests.inference.hostile import BOMBS, Bomb, with_size
from tests.inference.memory import bounded_memory

MAX_PIXELS = 10_000
SPEC = InputSpec(size=8, resize=9)  # so small that a JPEG is decoded at a half or a quarter
OURS = (BrokenImageError, ImageTooLargeError, UnsupportedImageError)


def small(kind: str, mode: str = "RGB", **options: object) -> bytes:
    buffer = BytesIO()
    (picture,) = varied_pictures(1, 40, seed=9)
    image = Image.fromarray(picture).convert(mode)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(buffer, kind, exif=exif, **options)
    return buffer.getvalue()


FILES = {
    "jpeg": small("JPEG"),
    "jpeg-progressive": small("JPEG", progressive=True),
    "jpeg-cmyk": small("JPEG", "CMYK"),
    "png": small("PNG"),
    "png-palette": small("PNG", "P", transparency=3),
    "png-16-bit": small("PNG", "I;16"),
    "webp": small("WEBP"),
    "webp-lossless": small("WEBP", "RGBA", lossless=True),
}


def survives(data: bytes) -> None:
    """Either a picture within the bounds or one of our errors, the same on both paths; warnings
    are errors here."""
    with bounded_memory(MAX_PIXELS, len(data)):
        exact = outcome(lambda: decode(data, max_pixels=MAX_PIXELS).shape)
    with bounded_memory(MAX_PIXELS, len(data)):
        fast = outcome(lambda: resampled_from(data))
    assert fast == exact


def resampled_from(data: bytes) -> tuple[int, ...]:
    """The whole picture's shape, after what the service does with it."""
    picture = read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest_side([SPEC]))
    assert resample(picture, SPEC).shape == (SPEC.size, SPEC.size, 3)
    width, height = picture.upright_size
    return height, width, 3


def outcome(read: Callable[[], tuple[int, ...]]) -> object:
    try:
        shape = read()
    except OURS as error:
        return type(error)
    assert shape[0] * shape[1] <= MAX_PIXELS
    return shape


@given(st.sampled_from(sorted(FILES)), st.data())
@settings(max_examples=400, deadline=None)
def test_decode_of_flipped_bits_never_fails_otherwise_than_told(
    name: str, draw: st.DataObject
) -> None:
    data = bytearray(FILES[name])
    where = st.one_of(st.integers(0, 80), st.integers(0, len(data) - 1))
    for at in draw.draw(st.lists(where, min_size=1, max_size=6)):
        data[min(at, len(data) - 1)] ^= draw.draw(st.integers(1, 255))
    survives(bytes(data))


@given(st.sampled_from(sorted(FILES)), st.floats(0.0, 1.0), st.binary(max_size=20))
@settings(max_examples=300, deadline=None)
def test_decode_of_a_cut_or_continued_file_never_fails_otherwise_than_told(
    name: str, share: float, rest: bytes
) -> None:
    data = FILES[name]
    survives(data[: int(share * len(data))] + rest)


@given(st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP"]), st.binary())
@settings(max_examples=200, deadline=None)
def test_decode_of_rubbish_after_a_signature_is_told(signature: bytes, rest: bytes) -> None:
    survives(signature + rest)


SIDES = st.one_of(
    st.integers(0, 200), st.sampled_from([9_999, 16_383, 65_535]), st.integers(0, 65_535)
)


@given(st.sampled_from(sorted(FILES)), SIDES, SIDES)
@settings(max_examples=400, deadline=None)
def test_decode_of_a_header_that_lies_never_fails_otherwise_than_told(
    name: str, width: int, height: int
) -> None:
    survives(with_size(FILES[name], width, height))


@given(st.sampled_from(BOMBS), st.integers(0, 30_000_000), st.integers(1, 90), st.integers(1, 90))
@settings(max_examples=60, deadline=None)
def test_decode_of_a_bomb_takes_no_more_memory_than_a_picture(
    bomb: Bomb, size: int, width: int, height: int
) -> None:
    survives(bomb(size, width, height))


@pytest.mark.parametrize("name", FILES)
def test_decode_of_half_a_file_is_broken(name: str) -> None:
    data = FILES[name]
    with pytest.raises(
        BrokenImageError, match=r"broken (JPEG|PNG|WebP): .*send the whole"
    ) as caught:
        decode(data[: len(data) // 2 + len(data) // 4], max_pixels=MAX_PIXELS)
    assert caught.value.status == 422


def test_decode_of_a_truncated_jpeg_gives_pillows_reason() -> None:
    with pytest.raises(BrokenImageError, match="image file is truncated"):
        decode(FILES["jpeg"][:-100], max_pixels=MAX_PIXELS)


def test_decode_of_a_png_with_a_wrong_checksum_is_broken() -> None:
    data = bytearray(FILES["png"])
    data[29] ^= 1
    with pytest.raises(BrokenImageError, match=r"broken PNG: .*checksum"):
        decode(bytes(data), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(FILES["png"][:16] + bytes(4) + FILES["png"][20:], id="png-without-width"),
        pytest.param(FILES["webp"][:20] + b"\0", id="webp-cut-in-its-header"),
        pytest.param(b"\xff\xd8\xff\xda\0\x02", id="jpeg-without-frame"),
        pytest.param(b"\xff\xd8\xff\xc0\0\x04\x08\0\xff\xda\0\x02", id="jpeg-frame-cut-short"),
    ],
)
def test_decode_of_a_header_without_size_is_broken(data: bytes) -> None:
    with pytest.raises(BrokenImageError, match=r"tells no size|is cut short"):
        decode(data, max_pixels=MAX_PIXELS)


def test_decode_of_a_webp_whose_frame_is_larger_than_its_header_says_is_broken() -> None:
    """The canvas is what the bound is checked against; the frame inside must not exceed it."""
    data = bytearray(small("WEBP", icc_profile=b"p"))
    assert data[12:16] == b"VP8X"
    data[24:30] = b"\x03\0\0\x03\0\0"
    with pytest.raises(BrokenImageError):
        decode(bytes(data), max_pixels=MAX_PIXELS)
