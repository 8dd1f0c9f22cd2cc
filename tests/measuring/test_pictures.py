import hashlib

import numpy as np
import pytest

from measuring.errors import InputError
from measuring.pictures import varied_pictures


def test_varied_pictures_are_rgb_bytes_of_the_asked_shape() -> None:
    pictures = varied_pictures(5, 24, seed=1)
    assert pictures.shape == (5, 24, 24, 3)
    assert pictures.dtype == np.uint8


def test_varied_pictures_are_the_same_bytes_on_every_machine() -> None:
    digest = hashlib.sha256(varied_pictures(16, 32, seed=7).tobytes()).hexdigest()
    assert digest == "50e039626d4b00c894e34593a8c618bc01e2a1d206b88faef274dc8d54c6f2e7"


def test_varied_pictures_fewer_are_the_first_of_more() -> None:
    np.testing.assert_array_equal(
        varied_pictures(3, 16, seed=2), varied_pictures(20, 16, seed=2)[:3]
    )


def test_varied_pictures_another_seed_gives_other_pictures() -> None:
    one, other = varied_pictures(16, 16, seed=1), varied_pictures(16, 16, seed=2)
    assert all(not np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_varied_pictures_differ_from_one_another_widely() -> None:
    pictures = varied_pictures(64, 32, seed=0).astype(np.float64).reshape(64, -1)
    distances = np.abs(pictures[:, None] - pictures[None]).mean(axis=2)
    assert distances[np.triu_indices(64, 1)].min() > 8.0


def test_varied_pictures_spread_over_brightness_contrast_and_colour() -> None:
    pictures = varied_pictures(64, 32, seed=0).astype(np.float64) / 255.0
    brightness = pictures.mean(axis=(1, 2, 3))
    contrast = pictures.std(axis=(1, 2)).mean(axis=1)
    cast = np.ptp(pictures.mean(axis=(1, 2)), axis=1)
    assert np.ptp(brightness) > 0.3
    assert np.ptp(contrast) > 0.25
    assert np.ptp(cast) > 0.3


def test_varied_pictures_hold_fine_and_coarse_detail() -> None:
    grey = varied_pictures(16, 64, seed=0).mean(axis=3)
    steps = np.abs(np.diff(grey, axis=2)).mean(axis=(1, 2)) / (grey.std(axis=(1, 2)) + 1.0)
    assert steps.max() > 10 * steps.min()


def test_varied_pictures_of_one_pixel_are_pictures() -> None:
    assert varied_pictures(16, 1, seed=0).shape == (16, 1, 1, 3)


@pytest.mark.parametrize(
    ("count", "size", "seed", "told"),
    [
        pytest.param(0, 8, 0, "count is 0, expected 1 or more", id="no-picture"),
        pytest.param(1, 0, 0, "size is 0, expected 1 or more", id="no-size"),
        pytest.param(1, 8, -1, "seed is -1, expected 0 or more", id="negative-seed"),
    ],
)
def test_varied_pictures_impossible_request_is_refused(
    count: int, size: int, seed: int, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        varied_pictures(count, size, seed)
