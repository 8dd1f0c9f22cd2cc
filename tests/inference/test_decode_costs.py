"""Small files that would cost much: refused by their headers, or read in one pass."""

import sys
from io import BytesIO
from types import FrameType

import numpy as np
import pytest
from PIL import Image

from inference.decode import MOST_SIDE, decode
from inference.errors import BrokenImageError, ImageTooLargeError
from inference.jpeg_header import read_jpeg_header

MAX_PIXELS = 50_000_000
COMMENT_SAYING_END = b"\xff\xfe\0\x04\xff\xd9"


def flat(kind: str, width: int, height: int, mode: str = "L", **options: object) -> bytes:
    buffer = BytesIO()
    Image.new(mode, (width, height), 128 if mode == "L" else None).save(buffer, kind, **options)
    return buffer.getvalue()


def with_scans(picture: bytes, count: int) -> bytes:
    """The last scan of a progressive JPEG repeated until there are `count`."""
    scan = picture[picture.rindex(b"\xff\xda") : -2]
    return picture[:-2] + scan * (count - picture.count(b"\xff\xda")) + picture[-2:]


@pytest.fixture(scope="module")
def large() -> bytes:
    """8,000 x 5,000 pixels: a billion are passed over in 25 scans."""
    return flat("JPEG", 8_000, 5_000, progressive=True)


def test_decode_of_as_many_scans_as_are_affordable(large: bytes) -> None:
    assert decode(with_scans(large, 25), max_pixels=MAX_PIXELS).shape == (5_000, 8_000, 3)


def test_decode_of_a_scan_more_names_the_figures(large: bytes) -> None:
    told = r"8,000 x 5,000 pixels in 26 scans, expected at most 25; save it anew"
    with pytest.raises(BrokenImageError, match=told) as caught:
        decode(with_scans(large, 26), max_pixels=MAX_PIXELS)
    assert caught.value.status == 422


def test_decode_of_a_small_file_with_500_scans_of_a_large_picture_decodes_nothing() -> None:
    attack = with_scans(flat("JPEG", 65_000, 768, progressive=True), 486)
    assert len(attack) < 250_000
    seen: set[str] = set()

    def note(frame: FrameType, *_: object) -> None:
        seen.add(frame.f_globals.get("__name__", ""))

    sys.setprofile(note)
    try:
        with pytest.raises(BrokenImageError, match="in 486 scans, expected at most 20"):
            decode(attack, max_pixels=MAX_PIXELS)
    finally:
        sys.setprofile(None)
    assert "inference.jpeg_header" in seen
    assert not [name for name in seen if name.startswith("PIL")]


def test_decode_of_a_tiny_jpeg_has_a_most_of_scans_too() -> None:
    tiny = flat("JPEG", 16, 16, progressive=True)
    assert decode(with_scans(tiny, 100), max_pixels=MAX_PIXELS).shape == (16, 16, 3)
    with pytest.raises(BrokenImageError, match="in 101 scans, expected at most 100"):
        decode(with_scans(tiny, 101), max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(
    ("mode", "scans"), [("L", 6), ("RGB", 10), ("CMYK", 18)], ids=["grey", "colour", "cmyk"]
)
def test_decode_of_what_encoders_write_is_far_from_the_bound(mode: str, scans: int) -> None:
    picture = flat("JPEG", 700, 70, mode, progressive=True)
    assert picture.count(b"\xff\xda") == scans
    size = picture.index(b"\xff\xc2") + 5
    larger = picture[:size] + (7_000).to_bytes(2) * 2 + picture[size + 4 :]
    assert read_jpeg_header(larger).width == 7_000


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(COMMENT_SAYING_END, id="the-end-told-in-a-comment"),
        pytest.param(b"\xff\xd0", id="a-restart"),
        pytest.param(b"\xff\x02\xff\xff", id="no-marker"),
        pytest.param(b"\xff\xff\xff\0\xff", id="filling"),
    ],
)
def test_decode_counts_scans_behind_what_stands_between(between: bytes) -> None:
    tiny = flat("JPEG", 16, 16, progressive=True)
    scan = between + tiny[tiny.rindex(b"\xff\xda") : -2]
    with pytest.raises(BrokenImageError, match="in 106 scans"):
        decode(tiny[:-2] + scan * 100 + tiny[-2:], max_pixels=MAX_PIXELS)


def test_decode_counts_no_scans_in_what_a_camera_appends() -> None:
    picture = flat("JPEG", 16, 16)
    film = b"ftypmp42" + b"\xff\xda" * 200
    np.testing.assert_array_equal(
        decode(picture + film, max_pixels=MAX_PIXELS), decode(picture, max_pixels=MAX_PIXELS)
    )


def test_decode_of_endless_segments_among_the_pixels_is_refused() -> None:
    picture = flat("JPEG", 16, 16, progressive=True)
    comments = b"\xff\xfe\0\x02" * 70_000
    with pytest.raises(BrokenImageError, match="more than 65,536 segments among its pixels"):
        decode(picture[:-2] + comments + picture[-2:], max_pixels=MAX_PIXELS)


def test_decode_of_a_sequential_jpeg_makes_no_second_pass() -> None:
    """It is not searched for scans: the decoder itself stops at the second."""
    picture = flat("JPEG", 16, 16)
    scan = picture[picture.index(b"\xff\xda") : -2]
    with pytest.raises(BrokenImageError, match="broken data stream"):
        decode(picture[:-2] + scan * 1000 + picture[-2:], max_pixels=MAX_PIXELS)


def test_decode_counts_the_scans_of_a_sequential_jpeg_with_one_for_each_colour() -> None:
    """Such a file is decoded in as many passes as it has scans."""
    picture = flat("JPEG", 16, 16, "RGB")
    scan = picture.index(b"\xff\xda")
    first = b"\xff\xda\0\x08\x01\x01\0\0\x3f\0" + bytes(4)
    with pytest.raises(BrokenImageError, match="in 120 scans, expected at most 100"):
        decode(picture[:scan] + first * 120 + picture[-2:], max_pixels=MAX_PIXELS)


@pytest.mark.parametrize("filling", [b"\xff", b"\xff\0", b"\xff\xd0"], ids=lambda it: it.hex())
def test_decode_of_a_jpeg_of_nothing_but_filling_is_read_in_one_pass(filling: bytes) -> None:
    """4 MB: a search that goes back at every byte would not end today."""
    data = b"\xff\xd8" + filling * (4_000_000 // len(filling)) + b"\0"
    with pytest.raises(BrokenImageError, match="end before the pixels begin"):
        decode(b"\xff\xd8\xff" + data, max_pixels=MAX_PIXELS)


@pytest.mark.parametrize(("width", "height"), [(1, MOST_SIDE), (MOST_SIDE, 1)])
def test_decode_of_the_longest_side_that_is_allowed(width: int, height: int) -> None:
    assert decode(flat("PNG", width, height), max_pixels=MAX_PIXELS).shape == (height, width, 3)


@pytest.mark.parametrize(("width", "height"), [(1, MOST_SIDE + 1), (MOST_SIDE + 1, 1)])
def test_decode_of_a_longer_side_names_the_figures(width: int, height: int) -> None:
    told = rf"{width:,} x {height:,} pixels, expected sides of at most 65,535; cut it into parts"
    with pytest.raises(ImageTooLargeError, match=told) as caught:
        decode(flat("PNG", width, height), max_pixels=MAX_PIXELS)
    assert caught.value.status == 413
