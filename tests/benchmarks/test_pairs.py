import time

import numpy as np
import pytest

from benchmarks.pairs import Contest, compete
from inference.engine import Logits, Pixels
from measuring.machine import fingerprint
from measuring.timing import Schedule

SCHEDULE = Schedule(runs=6, seconds=0.0, warmup=1, blocks=3)
CONTEST = Contest("export", "slow", 8, 2, {"network": "tiny"})


def answer(pixels: Pixels, seconds: float) -> Logits:
    assert pixels.shape == (2, 8, 8, 3)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
    return np.zeros((2, 3), np.float32)


def test_compete_gives_each_way_its_speed_against_the_base() -> None:
    ways = {"slow": lambda p: answer(p, 8e-3), "fast": lambda p: answer(p, 1e-3)}
    slow, fast = compete(CONTEST, ways, fingerprint(), SCHEDULE)
    assert (slow.settings["way"], fast.settings["way"]) == ("slow", "fast")
    assert slow.settings["speed"] == 1.0
    speed, low, high = (fast.settings[key] for key in ("speed", "speed_low", "speed_high"))
    assert isinstance(speed, float)
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert 1.5 < low <= speed <= high
    assert fast.settings["pairs"] == 3
    assert fast.settings["network"] == "tiny"
    assert fast.latencies.count >= 6


def test_compete_without_the_base_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="slow"):
        compete(CONTEST, {"fast": lambda p: answer(p, 0.0)}, fingerprint(), SCHEDULE)
