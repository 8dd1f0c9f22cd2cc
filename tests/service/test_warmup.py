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
        pytest.param(0.0, 0.01, 1, id="cost-proportional-to-the-batch"),
        pytest.param(0.02, 0.0, 8, id="cost-independent-of-the-batch"),
    ],
)
def test_choose_max_batch_takes_the_smallest_size_that_pays(
    t0: float, per_image: float, expected: int
) -> None:
    chosen, seconds = choose_max_batch(TimedEngine(t0, per_image), size=2)

    assert chosen == expected
    assert set(seconds) == {1, 2, 4, 8}


def test_choose_max_batch_stays_within_the_engine() -> None:
    engine = TimedEngine(0.005, 0.0)
    engine.max_batch = 2

    assert choose_max_batch(engine, size=2)[0] == 2
    assert max(engine.calls) == 2


def test_measure_lets_the_sizes_take_turns() -> None:
    engine = FakeEngine()

    measure(engine, 2, [1, 2])

    assert engine.calls == [1, 2] * 6


def test_warm_runs_every_batch_size() -> None:
    engine = FakeEngine()

    warm(engine, 2, 5)

    assert engine.calls == [1, 2, 3, 4, 5]
