import asyncio
import time
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from inference.decode import decode, read_picture
from inference.errors import BrokenImageError, UnsupportedImageError
from inference.preprocess import preprocess
from inference.resample import resample, shortest_side
from measuring.input_spec import InputSpec
from measuring.photographs import encoded, photograph
from service.decoding import Decoder
from service.errors import DeadlineError, RefusedError
from tests.service.held_decoder import HeldDecoder

pytestmark = pytest.mark.anyio
MAX_PIXELS = 1_000_000
SMALL = InputSpec(size=32, resize=40)
LARGE = InputSpec(size=96, resize=100, interpolation="bicubic")
PHOTO = encoded(photograph("skimage/data/coffee.png"))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    decoder = Decoder(threads=2, max_pixels=MAX_PIXELS)
    yield decoder
    decoder.close()


async def test_decoder_scales_for_the_largest_of_the_specs(decoder: Decoder) -> None:
    """600 x 400 at a half: an eighth would do for the small one alone."""
    prepared = await decoder.prepare(PHOTO, [SMALL, LARGE, SMALL])
    picture = read_picture(PHOTO, max_pixels=MAX_PIXELS, shortest=shortest_side([SMALL, LARGE]))
    assert picture.scale == 2
    assert set(prepared.pixels) == set(prepared.resize) == {SMALL, LARGE}
    for spec in (SMALL, LARGE):
        np.testing.assert_array_equal(prepared.pixels[spec], resample(picture, spec))
    assert prepared.decode > 0.0
    assert min(prepared.resize.values()) > 0.0


async def test_decoder_told_to_be_exact_is_so_to_the_bit() -> None:
    decoder = Decoder(threads=1, max_pixels=MAX_PIXELS, exact=True)
    prepared = await decoder.prepare(PHOTO, [SMALL])
    many = await decoder.prepare_many([PHOTO], SMALL)
    decoder.close()
    exact = preprocess(decode(PHOTO, max_pixels=MAX_PIXELS), SMALL)
    np.testing.assert_array_equal(prepared.pixels[SMALL], exact)
    np.testing.assert_array_equal(many.pixels[0], exact)
    fast = resample(read_picture(PHOTO, max_pixels=MAX_PIXELS, shortest=80), SMALL)
    assert not np.array_equal(fast, exact)


async def test_decoder_prepares_many_pictures_in_their_order(decoder: Decoder) -> None:
    colours = [(index * 20, 0, 255 - index * 20) for index in range(12)]
    files = [encoded(Image.new("RGB", (50, 40), colour), "PNG") for colour in colours]
    many = await decoder.prepare_many(files, SMALL)
    assert many.pixels.shape == (12, 32, 32, 3)
    for pixels, colour in zip(many.pixels, colours, strict=True):
        assert np.all(pixels == colour)
    assert many.decode > 0.0
    assert many.resize > 0.0


async def test_decoder_of_no_pictures_gives_no_pixels(decoder: Decoder) -> None:
    assert (await decoder.prepare_many([], SMALL)).pixels.shape == (0, 32, 32, 3)


@pytest.mark.parametrize(
    ("bad", "error", "told"),
    [
        (PHOTO[:-500], BrokenImageError, r"^image 2 of 4: broken JPEG"),
        (b"GIF89a", UnsupportedImageError, r"^image 2 of 4: unsupported image"),
    ],
    ids=["broken", "another-type"],
)
async def test_decoder_says_which_of_many_cannot_be_read(
    decoder: Decoder, bad: bytes, error: type[Exception], told: str
) -> None:
    with pytest.raises(error, match=told):
        await decoder.prepare_many([PHOTO, bad, PHOTO, b""], SMALL)


async def test_decoder_lets_the_loop_run_while_it_decodes(decoder: Decoder) -> None:
    """A decoder that held the interpreter would let the loop turn only between its pictures."""
    large = encoded(photograph("skimage/data/retina.jpg"), progressive=True, quality=95)
    slow = Decoder(threads=1, max_pixels=10_000_000, exact=True)
    decoding = asyncio.ensure_future(slow.prepare(large, [SMALL]))
    turns = 0
    while not decoding.done():
        await asyncio.sleep(0)
        turns += 1
    slow.close()
    assert turns > 50
    assert (await decoding).pixels[SMALL].shape == (32, 32, 3)


async def test_decoder_refuses_at_once_what_it_could_not_decode_in_time() -> None:
    held = HeldDecoder()
    held.forecast.update(PHOTO[:1], len(PHOTO), 100.0)
    deadline = time.perf_counter() + 60
    tried = asyncio.ensure_future(held.prepare(PHOTO, [SMALL], deadline=deadline))
    await asyncio.to_thread(held.entered.wait)  # an idle thread tries whatever is expected

    with pytest.raises(RefusedError, match="the deadline is out of reach: 0 images wait") as late:
        await held.prepare(PHOTO, [SMALL], deadline=deadline)
    with pytest.raises(RefusedError, match="are left"):
        await held.prepare_many([PHOTO, PHOTO], SMALL, deadline=deadline)
    patient = asyncio.ensure_future(held.prepare(PHOTO, [SMALL], deadline=deadline + 600))

    held.gate.set()
    assert (await tried).decode > 0.0
    assert (await patient).decode > 0.0
    assert late.value.retry_after > 100
    assert held.forecast.waiting == 0
    held.close()


async def test_decoder_does_not_decode_what_has_missed_its_deadline() -> None:
    held = HeldDecoder()
    running = asyncio.ensure_future(held.prepare(PHOTO, [SMALL]))
    await asyncio.to_thread(held.entered.wait)
    held.entered.clear()
    deadline = time.perf_counter() + 0.3
    missed = [
        asyncio.ensure_future(held.prepare_many([PHOTO], SMALL, deadline=deadline)),
        asyncio.ensure_future(held.prepare(PHOTO, [SMALL], deadline=deadline)),
    ]
    await asyncio.sleep(0)
    while time.perf_counter() < deadline:
        await asyncio.sleep(0.001)

    held.gate.set()
    await running
    for one in missed:
        with pytest.raises(DeadlineError, match="before the image was decoded"):
            await one
    assert not held.entered.is_set()
    held.close()
