"""The bound of inference/decode.py, in every mode that decoding or converting is hungry in.

Memory is read of a whole process. These have one of their own: in that of the other tests, what
their threads and libraries take and give back would count, too.
"""

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from PIL import Image

from inference.decode import decode, read_picture
from inference.preprocess import preprocess
from inference.resample import resample, shortest_side
from measuring.input_spec import InputSpec
from measuring.photographs import encoded, photograph
from tests.inference.memory import (
    MEASURED,
    bounded_memory,
    give_memory_back,
    measured_memory,
)

pytestmark = pytest.mark.skipif(not MEASURED, reason="memory is read as Linux shows it")
SPEC = InputSpec()
WIDTH, HEIGHT = 1_400, 1_200
MAX_PIXELS = WIDTH * HEIGHT


def picture(mode: str) -> Image.Image:
    image = photograph("skimage/data/retina.jpg").resize((WIDTH, HEIGHT))
    if mode == "I;16":
        return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "RGBA":
        return image.convert("RGBA").rotate(3)
    return image.convert(mode)


def turned(kind: str, mode: str, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(picture(mode), kind, exif=exif, **options)


FILES: dict[str, Callable[[], bytes]] = {
    "jpeg": lambda: turned("JPEG", "RGB", subsampling=0),
    "jpeg-progressive": lambda: turned("JPEG", "RGB", subsampling=0, progressive=True),
    "jpeg-cmyk": lambda: turned("JPEG", "CMYK", progressive=True),
    "png": lambda: turned("PNG", "RGB", compress_level=1),
    "png-translucent": lambda: turned("PNG", "RGBA", compress_level=1),
    "png-grey-translucent": lambda: turned("PNG", "LA", compress_level=1),
    "png-palette": lambda: turned("PNG", "P", transparency=3),
    "png-16-bit": lambda: turned("PNG", "I;16", compress_level=1),
    "webp": lambda: turned("WEBP", "RGB", method=0),
    "webp-animated": lambda: turned(
        "WEBP", "RGB", lossless=True, method=0, save_all=True, append_images=[picture("L")]
    ),
    "webp-translucent": lambda: turned("WEBP", "RGBA", lossless=True, method=0),
}


def exact(data: bytes) -> None:
    preprocess(decode(data, max_pixels=MAX_PIXELS), SPEC)


def fast(data: bytes) -> None:
    resample(read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest_side([SPEC])), SPEC)


def stay_within_the_bound(name: str, prepare: Callable[[bytes], None]) -> None:
    data = FILES[name]()
    give_memory_back()
    with bounded_memory(MAX_PIXELS, len(data)):
        prepare(data)


def memory_of_both(name: str) -> list[int]:
    """Bytes that the exact and the fast way take."""
    data, taken = FILES[name](), list[int]()
    for prepare in (exact, fast):
        give_memory_back()
        with measured_memory(taken):
            prepare(data)
    return taken


@pytest.fixture(scope="module")
def fresh() -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=context) as process:
        yield process


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("prepare", [exact, fast], ids=["exact", "fast"])
def test_decode_of_each_mode_stays_within_the_stated_memory(
    name: str, prepare: Callable[[bytes], None], fresh: ProcessPoolExecutor
) -> None:
    fresh.submit(stay_within_the_bound, name, prepare).result()


def test_decode_at_a_half_takes_less_memory_than_the_whole(fresh: ProcessPoolExecutor) -> None:
    taken = fresh.submit(memory_of_both, "jpeg").result()
    assert taken[0] > 7 * MAX_PIXELS > 3 * MAX_PIXELS > taken[1]


def test_memory_beyond_the_bound_is_noticed() -> None:
    with pytest.raises(AssertionError, match="expected at most"), bounded_memory(100_000, 0):
        bytes(bytearray(12 << 20))
