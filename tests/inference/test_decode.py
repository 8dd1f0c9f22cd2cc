import struct
import threading
import tracemalloc
import zlib
from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.decode import decode
from inference.errors import BrokenImageError, ImageTooLargeError, UnsupportedImageError
from measuring.pictures import varied_pictures

PHOTOS = [
    "skimage/data/astronaut.png",
    "skimage/data/chelsea.png",
    "skimage/data/camera.png",
    "skimage/data/retina.jpg",
    "skimage/data/rocket.jpg",
    "sklearn/datasets/images/china.jpg",
    "sklearn/datasets/images/flower.jpg",
]


def encoded(kind: str, **options: object) -> bytes:
    """A picture 23 wide and 17 high."""
    (picture,) = varied_pictures(1, 23, seed=4)
    buffer = BytesIO()
    Image.fromarray(picture[:17]).save(buffer, kind, **options)
    return buffer.getvalue()


def plainly(data: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(data)).convert("RGB"))


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize("name", PHOTOS)
def test_decode_photo_is_what_pillow_sees(name: str) -> None:
    package, _, path = name.partition("/")
    data = files(package).joinpath(path).read_bytes()
    np.testing.assert_array_equal(decode(data, max_pixels=10_000_000), plainly(data))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        pytest.param("JPEG", {}, id="jpeg"),
        pytest.param("JPEG", {"progressive": True, "subsampling": 0}, id="jpeg-progressive"),
        pytest.param("JPEG", {"restart_marker_blocks": 1}, id="jpeg-restart-markers"),
        pytest.param("JPEG", {"icc_profile": b"p" * 200_000, "comment": b"c"}, id="jpeg-profile"),
        pytest.param("PNG", {}, id="png"),
        pytest.param("PNG", {"icc_profile": b"p" * 100}, id="png-profile"),
        pytest.param("WEBP", {}, id="webp-lossy"),
        pytest.param("WEBP", {"lossless": True}, id="webp-lossless"),
        pytest.param("WEBP", {"icc_profile": b"p" * 100}, id="webp-extended"),
    ],
)
def test_decode_of_each_way_to_write_is_what_pillow_sees(
    kind: str, options: dict[str, object]
) -> None:
    data = encoded(kind, **options)
    image = decode(data, max_pixels=1000)
    assert image.dtype == np.uint8
    assert image.shape == (17, 23, 3)
    np.testing.assert_array_equal(image, plainly(data))


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(b"", "no image: got 0 bytes, expected the bytes of a JPEG", id="empty"),
        pytest.param(b"<html></html>", r"got 13 bytes starting with b'<html></', exp", id="html"),
        pytest.param(b"GIF89a" + bytes(9), "which looks like GIF, expected JPEG, PNG", id="gif"),
        pytest.param(b"\0\0\0\x18ftypheic" + bytes(9), "looks like HEIC", id="heic"),
        pytest.param(b"\0\0\0\x18ftypavif" + bytes(9), "looks like AVIF", id="avif"),
        pytest.param(b"II*\0" + bytes(9), "looks like TIFF", id="tiff"),
        pytest.param(b"BM" + bytes(9), "looks like BMP", id="bmp"),
        pytest.param(b"RIFF\0\0\0\0WAVEfmt ", "unsupported image", id="sound"),
        pytest.param(b"\xff\xd8", "unsupported image: got 2 bytes", id="two-bytes"),
    ],
)
def test_decode_of_another_type_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(UnsupportedImageError, match=told) as caught:
        decode(data, max_pixels=1000)
    assert caught.value.status == 415


def test_decode_names_both_figures_when_there_are_too_many_pixels() -> None:
    told = r"23 x 17 = 391 pixels, expected at most 390; scale it down"
    with pytest.raises(ImageTooLargeError, match=told) as caught:
        decode(encoded("PNG"), max_pixels=390)
    assert caught.value.status == 413
    assert decode(encoded("PNG"), max_pixels=391).shape == (17, 23, 3)


PNG_HEADER = b"\x89PNG\r\n\x1a\n" + chunk(
    b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
)
JPEG_HEADER = (
    b"\xff\xd8\xff\xc0\0\x11\x08" + struct.pack(">HH", 65_000, 65_000) + b"\x03" + bytes(9)
)
WEBP_HEADER = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x3f\0" * 2


@pytest.mark.parametrize(
    ("data", "figures"),
    [
        pytest.param(PNG_HEADER, "30,000 x 30,000 = 900,000,000", id="png"),
        pytest.param(JPEG_HEADER + b"\xff\xda\0\x02", "65,000 x 65,000 = 4,225,000,000", id="jpeg"),
        pytest.param(WEBP_HEADER, "16,384 x 16,384 = 268,435,456", id="webp"),
    ],
)
def test_decode_of_a_huge_header_costs_nothing(data: bytes, figures: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ImageTooLargeError, match=figures):
            decode(data, max_pixels=50_000_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_decode_of_more_pixels_than_pillow_likes_gives_no_warning() -> None:
    """Pillow warns from 89 million pixels on; the limit that counts here is the caller's."""
    buffer = BytesIO()
    Image.new("1", (30_000, 3_100)).save(buffer, "PNG")
    assert decode(buffer.getvalue(), max_pixels=93_000_000).shape == (3_100, 30_000, 3)


def test_decode_of_compressed_text_never_inflates_it() -> None:
    picture = encoded("PNG")
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(40_000_000), 9))
    tracemalloc.start()
    try:
        image = decode(picture[:33] + text + text + picture[33:], max_pixels=1000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(image, plainly(picture))
    assert peak < 2_000_000


def test_decode_takes_the_first_picture_of_an_animation() -> None:
    first, second = (Image.new("RGB", (9, 9), colour) for colour in ("red", "blue"))
    for kind in ("PNG", "WEBP"):
        buffer = BytesIO()
        first.save(buffer, kind, save_all=True, append_images=[second], lossless=True)
        image = decode(buffer.getvalue(), max_pixels=1000)
        assert np.all(image == (255, 0, 0)), kind


def test_decode_of_a_jpeg_with_rubbish_between_its_segments_is_forgiving() -> None:
    data = encoded("JPEG")
    table = data.index(b"\xff\xdb")
    padded = data[:table] + b"\0\x11\xff\0\xff\xff" + data[table:]
    np.testing.assert_array_equal(decode(padded, max_pixels=1000), plainly(data))


def test_decode_of_a_jpeg_that_tells_two_sizes_is_refused() -> None:
    data = encoded("JPEG")
    frame = data.index(b"\xff\xc0")
    huge = b"\xff\xc0\0\x11\x08\xff\xff\xff\xff" + data[frame + 9 : frame + 19]
    with pytest.raises(BrokenImageError, match="tells a size twice"):
        decode(data[:frame] + data[frame : frame + 19] + huge + data[frame + 19 :], max_pixels=1000)


@pytest.mark.parametrize(
    ("data", "told"),
    [
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(100_000 * 12), "tells no size", id="png-zeros"),
        pytest.param(
            encoded("PNG")[:33] + chunk(b"teXt", b"") * 70_000, "more than 65,536 chunks", id="png"
        ),
        pytest.param(
            b"\xff\xd8" + b"\xff\xfe\0\x02" * 70_000, "more than 65,536 segments", id="jpeg"
        ),
    ],
)
def test_decode_of_endless_parts_is_refused(data: bytes, told: str) -> None:
    with pytest.raises(BrokenImageError, match=told):
        decode(data, max_pixels=1000)


def test_decode_in_many_threads_is_the_same_in_each() -> None:
    files_and_images = [
        (data, plainly(data)) for data in (encoded("JPEG"), encoded("PNG"), encoded("WEBP"))
    ]
    wrong: list[int] = []

    def work(turn: int) -> None:
        for data, image in files_and_images[turn % 3 :] + files_and_images[: turn % 3]:
            if not np.array_equal(decode(data, max_pixels=1000), image):
                wrong.append(turn)

    threads = [threading.Thread(target=work, args=(turn,)) for turn in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
