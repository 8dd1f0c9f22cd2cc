"""What must hold for any records: fresh random ones each time, seeded by the number of the case."""

import numpy as np
import pytest

from benchmarks.recommend import Recommendation, recommend
from benchmarks.recommend_front import accuracy_noise, dominated
from benchmarks.recommend_requirements import Requirements, holds
from measuring.record import Measurement
from tests.benchmarks.hand_made import bench, steady


def random_case(seed: int) -> tuple[list[Measurement], Requirements]:
    rng = np.random.Generator(np.random.PCG64(seed))
    records = [
        bench(
            f"network_{number}",
            batch=batch,
            samples=steady(float(rng.uniform(0.001, 0.012)) * batch**0.8, spread=0.3),
            accuracy=None if rng.random() < 0.15 else round(float(rng.uniform(0.5, 0.9)), 3),
            peak_rss=int(rng.integers(50, 300)) * 1_000_000,
            instances=int(rng.integers(1, 3)),
        )
        for number in range(5)
        for batch in (1, 4)
    ]
    asked = Requirements(
        slo=float(rng.uniform(0.005, 0.05)),
        rate=float(rng.uniform(10.0, 200.0)),
        accuracy=None if rng.random() < 0.5 else 0.6,
        memory=None if rng.random() < 0.5 else 200_000_000,
        prefer="accuracy" if rng.random() < 0.5 else "speed",
    )
    return records, asked


@pytest.fixture(scope="module", params=range(8))
def found(request: pytest.FixtureRequest) -> Recommendation:
    return recommend(*random_case(request.param))


def test_recommend_chooses_what_meets_everything_or_nothing(found: Recommendation) -> None:
    asked = found.requirements
    if found.chosen is None or found.prediction is None:
        assert not any(it.feasible for it in found.assessed)
        assert found.nearest is not None
        least = min(it.distance for it in found.assessed)
        assert found.nearest.distance == least
        return
    assert found.prediction.seconds <= asked.slo
    assert found.holds is not None
    assert found.holds >= asked.rate * 0.98  # it is found to within 1 %
    if asked.accuracy is not None:
        assert found.chosen.accuracy is not None
        assert found.chosen.accuracy.top1 >= asked.accuracy
    if asked.memory is not None:
        assert found.chosen.memory is not None
        assert found.chosen.memory <= asked.memory


def test_recommend_leaves_nothing_better_in_what_is_preferred(found: Recommendation) -> None:
    if found.chosen is None or found.holds is None:
        return
    for it in found.assessed:
        if not it.feasible:
            continue
        if found.requirements.prefer == "speed":
            assert holds(it.choice, found.requirements) * 0.75 <= found.holds
        elif found.chosen.accuracy is None:
            assert it.choice.accuracy is None
        elif it.choice.accuracy is not None:
            noise = accuracy_noise(it.choice.accuracy, found.chosen.accuracy)
            assert it.choice.accuracy.top1 <= found.chosen.accuracy.top1 + noise


def test_dominated_options_are_no_better_in_anything(found: Recommendation) -> None:
    seconds = {it.choice: it.prediction.seconds for it in found.assessed}
    for it in found.dominated:
        assert it.better
        assert seconds[it.by] <= seconds[it.choice]
        assert it.by.throughput.estimate >= it.choice.throughput.estimate
        assert it.by.memory is not None
        assert it.choice.memory is not None
        assert it.by.memory <= it.choice.memory
        if it.choice.accuracy is not None:
            assert it.by.accuracy is not None
            assert it.by.accuracy.top1 >= it.choice.accuracy.top1
    front = {it.choice for it in found.assessed} - {it.choice for it in found.dominated}
    assert front, "something is always left"
    kept = [it for it in found.assessed if it.choice in front]
    assert dominated([it.choice for it in kept], [it.prediction for it in kept]) == ()
