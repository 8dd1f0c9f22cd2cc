import time

import numpy as np
import pytest

from inference.engine import Logits, Pixels
from service.warmup import choose_max_batch, measure, warm
from tests.service.fakes import FakeEngine


class TimedEngine(FakeEngine):
    """A fake whose calls take t0 + per_image * batch seconds, by sleeping."""

    def __init__(self, t0: float, per_image: float) -> None:
        super().__init__()
        self._t0, self._per_image = t0, per_image

    def infer(self, pixels: Pixels) -> Logits:
        self.calls.append(len(pixels))
        time.sleep(self._t0 + self._per_image * len(pixels))
        return np.zeros((len(pixels), 2), np.float32)


@pytest.mark.parametrize(
    ("t0", "per_image", "expected"),
    [
        pytest.param(0.0, 0.005, 1, id="cost-proportional-to-the-batch"),
        pytest.param(0.01, 0.0, 64, id="cost-independent-of-the-batch"),
    ],
)
def test_choose_max_batch_takes_the_smallest_size_that_pays(
    t0: float, per_image: float, expected: int
) -> None:
    chosen, seconds = choose_max_batch(TimedEngine(t0, per_image), size=2)

    assert chosen == expected
    assert {1, 2, 4, 8, expected} <= set(seconds)
    assert (64 in seconds) == (expected == 64)  # larger ones are tried only while they pay


def test_choose_max_batch_stays_within_the_engine() -> None:
    engine = TimedEngine(0.005, 0.0)
    engine.max_batch = 2

    assert choose_max_batch(engine, size=2)[0] == 2
    assert max(engine.calls) == 2


def test_measure_lets_the_sizes_take_turns() -> None:
    engine = FakeEngine()

    measure(engine, 2, [1, 2])

    assert engine.calls == [1, 2] * 6


@pytest.mark.parametrize(
    ("device", "max_batch", "expected"),
    [
        pytest.param("cpu", 5, [1, 2, 3, 4, 5], id="few"),
        pytest.param("cpu", 20, [1, 2, 3, 4, 5, 6, 7, 8, 16, 20], id="many-on-a-processor"),
        pytest.param("cuda", 10, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], id="many-on-a-gpu"),
    ],
)
def test_warm_runs_the_batch_sizes_that_will_come(
    device: str, max_batch: int, expected: list[int]
) -> None:
    engine = FakeEngine()

    warm(engine, 2, max_batch, device=device)

    assert engine.calls == expected
