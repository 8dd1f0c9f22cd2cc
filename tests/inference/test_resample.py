import importlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inference.decode import decode, read_picture
from inference.errors import BrokenImageError
from inference.preprocess import preprocess
from inference.resample import MARGIN, resample, shortest_side
from measuring.input_spec import InputSpec, Interpolation
from measuring.photographs import PHOTOGRAPHS, encoded, photograph, photograph_bytes
from measuring.pictures import varied_pictures

MAX_PIXELS = 20_000_000
SMALL = InputSpec(size=40, resize=48)
SMOOTH: tuple[Interpolation, ...] = ("bilinear", "bicubic")


def fast(data: bytes, spec: InputSpec) -> NDArray[np.uint8]:
    shortest = shortest_side([spec])
    return resample(read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest), spec)


def exact(data: bytes, spec: InputSpec) -> NDArray[np.uint8]:
    return preprocess(decode(data, max_pixels=MAX_PIXELS), spec)


def difference(data: bytes, spec: InputSpec) -> NDArray[np.int64]:
    return np.asarray(np.abs(fast(data, spec).astype(np.int64) - exact(data, spec)))


def png(image: NDArray[np.uint8]) -> bytes:
    return encoded(Image.fromarray(image), "PNG", compress_level=1)


@pytest.fixture(params=["vectorised", "pillow"])
def either_resizer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With cykooz-resizer, and as on a machine that it is not built for."""
    with monkeypatch.context() as imports:
        imports.delitem(sys.modules, "inference.resample")
        if request.param == "pillow":
            imports.setitem(sys.modules, "inference.vectorised", None)
            imports.delattr("inference.vectorised")
        found = vars(importlib.import_module("inference.resample"))["vectorised"]
    assert (found is None) == (request.param == "pillow")
    monkeypatch.setattr("inference.resample.vectorised", found)


@pytest.mark.usefixtures("either_resizer")
@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("interpolation", SMOOTH)
def test_resample_of_a_photograph_of_full_size_is_within_a_level(
    name: str, interpolation: Interpolation
) -> None:
    spec = InputSpec(size=200, resize=232, interpolation=interpolation)
    picture = read_picture(photograph_bytes(name), max_pixels=MAX_PIXELS)
    off = np.abs(resample(picture, spec).astype(int) - exact(photograph_bytes(name), spec))
    assert off.mean() < 0.3
    assert np.mean(off > 1) < 0.005  # bicubic overshoots, and is clipped in another order
    assert off.max() <= (2 if interpolation == "bilinear" else 12)


@pytest.mark.usefixtures("either_resizer")
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("width", "height"), [(131, 90), (90, 131), (403, 301), (301, 403)])
def test_resample_shows_the_same_part_turned_the_same_way(
    orientation: int, width: int, height: int
) -> None:
    """The larger are decoded at a half, where other filters are at work."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = photograph("skimage/data/coffee.png").resize((width, height), Image.Resampling.BOX)
    data = encoded(picture, exif=exif, quality=95, subsampling=0)
    assert read_picture(data, max_pixels=MAX_PIXELS, shortest=96).scale == (2 if width > 200 else 1)
    off = difference(data, SMALL)
    assert off.mean() < (1.5 if width > 200 else 0.3)


@given(
    st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 20),
    st.sampled_from(SMOOTH), st.integers(1, 8),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_resample_of_any_shape_is_near_the_exact_pixels(
    height: int, width: int, size: int, margin: int, interpolation: Interpolation, turn: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    image = Image.fromarray(varied_pictures(1, 90, seed=height)[0][:height, :width])
    spec = InputSpec(size=size, resize=size + margin, interpolation=interpolation)
    off = difference(encoded(image, "PNG", exif=exif), spec)
    assert off.max() <= (2 if interpolation == "bilinear" else 30)
    assert off.mean() <= 1.0


def test_resample_of_a_picture_to_enlarge_leaves_the_vectors_alone() -> None:
    """Enlarged there, this part ends the process: its first cubic lies on a pixel."""
    program = (
        "from inference.resample import resample; from inference.picture import Picture;"
        "from measuring.input_spec import InputSpec; from PIL import Image;"
        "picture = Picture(Image.new('RGB', (21, 50), 'red'), 21, 50, 1, 1);"
        "print(resample(picture, InputSpec(29, 49, 'bicubic')).mean(axis=(0, 1)).tolist())"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout) == (0, "[255.0, 0.0, 0.0]\n"), ended.stderr


@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_resample_of_a_jpeg_of_any_size_stays_inside_the_picture(
    width: int, height: int, size: int
) -> None:
    """Rounded fractions of odd sizes must not ask for pixels behind the edge."""
    data = encoded(Image.new("RGB", (width, height), (200, 90, 10)), quality=95)
    pixels = fast(data, InputSpec(size=size, resize=size))
    assert np.abs(pixels.astype(int) - (200, 90, 10)).max() <= 3


@pytest.mark.parametrize("shape", [(1, 20_000, 3), (20_000, 1, 3), (1, 1, 3), (65_000, 2, 3)])
@pytest.mark.parametrize("crop", ["center", "squash"])
def test_resample_of_an_extreme_shape_gives_the_usual_pixels(
    shape: tuple[int, int, int], crop: str
) -> None:
    spec = InputSpec(crop="squash") if crop == "squash" else InputSpec()
    pixels = fast(png(np.full(shape, 77, np.uint8)), spec)
    assert pixels.shape == (224, 224, 3)
    assert np.all(pixels == 77)


@pytest.mark.parametrize("orientation", [1, 6])
def test_resample_squash_shows_the_whole_picture(orientation: int) -> None:
    image = np.zeros((20, 300, 3), np.uint8)
    image[-1, -30:] = image[0, :30] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(Image.fromarray(image), "PNG", exif=exif)
    spec = InputSpec(size=20, resize=64, crop="squash")
    assert difference(data, spec).max() <= 1
    corners = fast(data, spec)[[0, 0, -1, -1], [0, -1, 0, -1], 0] > 0
    assert corners.tolist() == (
        [True, False, False, True] if orientation == 1 else [False, True, True, False]
    )


@pytest.mark.parametrize("orientation", [1, 8])
def test_resample_by_nearest_neighbour_is_exact(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = photograph("skimage/data/coffee.png")
    spec = InputSpec(size=40, resize=48, interpolation="nearest")
    assert shortest_side([SMALL, spec]) is None
    np.testing.assert_array_equal(
        fast(encoded(picture, exif=exif), spec), exact(encoded(picture, exif=exif), spec)
    )


def test_resample_result_may_be_written_to_without_changing_the_picture() -> None:
    picture = read_picture(png(varied_pictures(1, 32, seed=0)[0]), max_pixels=MAX_PIXELS)
    first = resample(picture, InputSpec(size=32, resize=32))
    before = first.copy()
    first[:] = 0
    np.testing.assert_array_equal(resample(picture, InputSpec(size=32, resize=32)), before)


def test_shortest_side_is_that_of_the_most_demanding_network() -> None:
    squashed = InputSpec(size=300, resize=400, crop="squash")
    assert shortest_side([SMALL]) == MARGIN * 48
    assert shortest_side([SMALL, InputSpec(), squashed]) == MARGIN * 300


@pytest.mark.parametrize(
    ("size", "shortest", "scale"),
    [
        pytest.param((800, 600), 300, 2, id="just-a-half"),
        pytest.param((800, 599), 300, 1, id="a-pixel-less"),
        pytest.param((600, 800), 150, 4, id="a-quarter-upright"),
        pytest.param((4001, 3001), 512, 4, id="a-camera"),
        pytest.param((900, 900), 10, 8, id="never-less-than-an-eighth"),
        pytest.param((900, 900), None, 1, id="not-asked-for"),
    ],
)
@pytest.mark.parametrize("progressive", [False, True])
def test_read_picture_takes_the_smallest_fraction_that_is_large_enough(
    size: tuple[int, int], shortest: int | None, scale: int, progressive: bool
) -> None:
    data = encoded(Image.new("RGB", size), progressive=progressive)
    picture = read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest)
    assert (picture.scale, picture.width, picture.height) == (scale, *size)
    assert picture.image.size == (-(-size[0] // scale), -(-size[1] // scale))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_read_picture_of_another_type_is_of_full_size(kind: str) -> None:
    data = encoded(Image.new("RGB", (400, 300)), kind)
    picture = read_picture(data, max_pixels=MAX_PIXELS, shortest=10)
    assert (picture.scale, picture.image.size) == (1, (400, 300))


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_read_picture_of_grey_and_inks_is_scaled_and_rgb(mode: str) -> None:
    data = encoded(photograph("skimage/data/coffee.png").convert(mode), quality=90)
    picture = read_picture(data, max_pixels=MAX_PIXELS, shortest=100)
    assert (picture.scale, picture.image.mode) == (4, "RGB")
    assert difference(data, SMALL).mean() < 1.5


def lossless_jpeg(width: int, height: int) -> bytes:
    """Grey 128 throughout: one code, of one bit, says that every pixel is as was predicted."""
    sides = height.to_bytes(2) + width.to_bytes(2)
    frame = b"\xff\xc3\0\x0b\x08" + sides + b"\x01\x01\x11\0"
    table = b"\xff\xc4\0\x14\0\x01" + bytes(15) + b"\0"
    scan = b"\xff\xda\0\x08\x01\x01\0\x01\0\0" + bytes(width * height // 8 + 1)
    return b"\xff\xd8" + frame + table + scan + b"\xff\xd9"


def test_read_picture_of_a_lossless_jpeg_is_never_scaled() -> None:
    """The decoder would ignore the fraction and write rows of full length."""
    picture = read_picture(lossless_jpeg(512, 400), max_pixels=MAX_PIXELS, shortest=10)
    assert (picture.scale, picture.image.size) == (1, (512, 400))
    assert np.all(np.asarray(picture.image) == 128)


def test_read_picture_that_is_cut_short_is_broken_at_any_scale() -> None:
    data = encoded(photograph("skimage/data/coffee.png"))
    for shortest in (None, 50):
        with pytest.raises(BrokenImageError, match=r"broken JPEG: image file is truncated"):
            read_picture(data[: len(data) // 2], max_pixels=MAX_PIXELS, shortest=shortest)
