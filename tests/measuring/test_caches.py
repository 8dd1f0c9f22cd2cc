from pathlib import Path

import numpy as np
import pytest

from measuring.caches import last_level_cache, random_pictures, rotating
from measuring.errors import InputError


def test_last_level_cache_is_the_largest(tmp_path: Path) -> None:
    for index, size in enumerate(("32K", "1024K", "32M", "?")):
        path = tmp_path / "cpu0" / "cache" / f"index{index}" / "size"
        path.parent.mkdir(parents=True)
        path.write_text(f"{size}\n")
    assert last_level_cache(devices=tmp_path) == 32 << 20
    assert last_level_cache(devices=tmp_path / "nowhere") is None


def test_random_pictures_exceed_the_cache_and_differ() -> None:
    pictures = random_pictures(16, at_least=3, seed=1, cache=100_000)
    assert pictures.nbytes >= 200_000
    assert pictures.dtype == np.uint8
    assert len(np.unique(pictures.reshape(len(pictures), -1), axis=0)) == len(pictures)
    assert len(random_pictures(16, at_least=300, seed=1, cache=1)) == 300


def test_rotating_gives_all_in_turn_without_copying() -> None:
    pictures = random_pictures(4, at_least=5, seed=2, cache=1)
    following = rotating(pictures, 2)
    given = [following() for _ in range(3)]
    assert all(np.shares_memory(it, pictures) for it in given)
    assert np.array_equal(given[0], pictures[:2])
    assert np.array_equal(given[1], pictures[2:4])
    assert np.array_equal(given[2], pictures[:2])  # the fifth alone is no batch of two
    with pytest.raises(InputError, match="batch is 6, expected 1 to 5"):
        rotating(pictures, 6)
