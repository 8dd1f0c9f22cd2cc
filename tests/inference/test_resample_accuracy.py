"""Fast and exact pixels through a network: over photographs and painted pictures of many sizes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from inference.decode import decode, read_picture
from inference.preprocess import preprocess
from inference.resample import resample, shortest_side
from measuring.input_spec import Interpolation
from measuring.photographs import varied_jpegs
from models import Loaded, load
from models.pixels_in import PixelsIn

MAX_PIXELS = 20_000_000
COUNT = 208


@pytest.fixture(scope="module")
def jpegs() -> list[bytes]:
    return list(varied_jpegs(COUNT, seed=1, shorter=(120, 1300)))


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load("shufflenet_v2_x0_5", "untrained")


def top_1(loaded: Loaded, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    network = PixelsIn(loaded.network, loaded.input_spec).eval()
    with torch.inference_mode():
        logits = [network(torch.from_numpy(some)) for some in np.array_split(pixels, 13)]
    return torch.cat(logits).argmax(dim=1).numpy()


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_fast_pixels_get_the_answers_of_the_exact_ones(
    jpegs: list[bytes], loaded: Loaded, interpolation: Interpolation
) -> None:
    spec = replace(loaded.input_spec, interpolation=interpolation)
    shortest = shortest_side([spec])
    pictures = [read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest) for data in jpegs]
    assert 50 <= sum(picture.scale > 1 for picture in pictures) <= COUNT - 50
    fast = np.stack([resample(picture, spec) for picture in pictures])
    exact = np.stack([preprocess(decode(data, max_pixels=MAX_PIXELS), spec) for data in jpegs])
    off = np.abs(fast.astype(np.int64) - exact).mean(axis=(1, 2, 3))
    assert off.mean() <= 0.4
    assert off.max() <= 1.5
    answers = top_1(loaded, exact)
    assert len(set(answers.tolist())) >= 16
    assert np.mean(top_1(loaded, fast) == answers) >= 0.995


def test_pixels_of_another_filter_would_be_noticed(jpegs: list[bytes], loaded: Loaded) -> None:
    """Without anti-aliasing the same comparison fails: the bounds above tell something."""
    spec, nearest = loaded.input_spec, replace(loaded.input_spec, interpolation="nearest")
    some = [decode(data, max_pixels=MAX_PIXELS) for data in jpegs[:32]]
    exact = np.stack([preprocess(image, spec) for image in some])
    other = np.stack([preprocess(image, nearest) for image in some])
    assert np.abs(other.astype(np.int64) - exact).mean() > 1.5
