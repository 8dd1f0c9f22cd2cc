import gc
from collections import Counter

import numpy as np
import pytest

from measuring.errors import InputError
from measuring.timing import Schedule, interleave
from tests.measuring.clock import Clock


def test_interleave_keeps_the_seconds_of_every_call() -> None:
    clock = Clock()
    timed = interleave(
        {"fast": clock.taking("fast", 0.25), "slow": clock.taking("slow", 2.0)},
        Schedule(runs=4, seconds=0.0, blocks=2),
        clock=clock.read,
    )
    assert timed["fast"].samples.tolist() == [0.25] * 4
    assert timed["slow"].samples.tolist() == [2.0] * 4
    assert timed["fast"].blocks.tolist() == [0, 0, 1, 1]


def test_interleave_goes_on_until_both_runs_and_seconds_are_reached() -> None:
    clock = Clock()
    timed = interleave(
        {"fast": clock.taking("fast", 0.125), "slow": clock.taking("slow", 4.0)},
        Schedule(runs=10, seconds=5.0, blocks=5),
        clock=clock.read,
    )
    assert len(timed["fast"].samples) == 40  # 5 s of 0.125 s, more than 10 runs
    assert len(timed["slow"].samples) == 10  # 10 runs, more than 5 s


def test_interleave_visits_every_callable_once_in_each_block() -> None:
    clock = Clock()
    names = ["a", "b", "c"]
    schedule = Schedule(runs=8, seconds=0.0, warmup=0, settle=0, blocks=8)
    interleave({n: clock.taking(n, 1.0) for n in names}, schedule, clock=clock.read)
    visits = [tuple(clock.calls[i : i + 3]) for i in range(0, 24, 3)]
    assert all(sorted(block) == names for block in visits)
    assert len(set(visits)) > 2


def test_interleave_order_follows_the_seed() -> None:
    def order(seed: int) -> list[str]:
        clock = Clock()
        schedule = Schedule(runs=20, seconds=0.0, blocks=20, seed=seed)
        interleave({n: clock.taking(n, 1.0) for n in "abc"}, schedule, clock=clock.read)
        return clock.calls

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_interleave_leaves_warm_up_and_settling_out_of_the_samples() -> None:
    clock = Clock()
    schedule = Schedule(runs=6, seconds=0.0, warmup=5, settle=2, blocks=3)
    timed = interleave({"a": clock.taking("a", 1.0)}, schedule, clock=clock.read)
    assert Counter(clock.calls)["a"] == 5 + 3 * (2 + 2)
    assert len(timed["a"].samples) == 6


def test_interleave_counts_the_wait_for_a_device_to_the_call() -> None:
    clock = Clock()
    timed = interleave(
        {"a": clock.taking("a", 1.0)},
        Schedule(runs=2, seconds=0.0, blocks=2),
        synchronise=clock.taking("wait", 0.5),
        clock=clock.read,
    )
    assert timed["a"].samples.tolist() == [1.5, 1.5]
    assert clock.calls[0] == "wait"


def test_interleave_holds_the_garbage_collector_back_and_lets_it_go() -> None:
    collecting = []
    interleave(
        {"a": lambda: collecting.append(gc.isenabled())},
        Schedule(runs=2, seconds=0.0, warmup=0, blocks=2),
    )
    assert collecting == [False] * 4
    assert gc.isenabled()


def test_interleave_lets_the_collector_go_when_a_call_fails() -> None:
    with pytest.raises(ZeroDivisionError):
        interleave({"a": lambda: 1 / 0}, Schedule(warmup=0))
    assert gc.isenabled()


def test_interleave_with_the_real_clock_gives_non_negative_seconds() -> None:
    timed = interleave({"sum": lambda: sum(range(50))}, Schedule(runs=20, seconds=0.0))
    assert np.all(timed["sum"].samples >= 0.0)


def test_interleave_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="nothing to time"):
        interleave({}, Schedule())


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param({"blocks": 0}, "blocks is 0, expected 1 or more", id="no-blocks"),
        pytest.param({"warmup": -1}, "warmup is -1", id="negative-warm-up"),
        pytest.param({"runs": 5, "blocks": 6}, "at least one for each of the 6", id="few-runs"),
        pytest.param({"seconds": float("inf")}, "seconds is inf", id="for-ever"),
        pytest.param({"seconds": float("nan")}, "seconds is nan", id="no-number"),
    ],
)
def test_schedule_that_times_nothing_is_refused(settings: dict[str, float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Schedule(**settings)  # type: ignore[arg-type]
