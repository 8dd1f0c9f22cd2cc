"""Figures of points, from visits made by hand."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.bench_messages import Opened, Visited
from benchmarks.bench_pairs import compare_points, tied_with
from benchmarks.bench_plan import Candidate
from benchmarks.bench_points import Point
from measuring.activity import Activity

CANDIDATE = Candidate("net-onnx-fp32", "/nowhere", "onnxruntime", "cpu", threads=1, instances=2)
OPENED = Opened("onnxruntime cpu fp32", 64, "model.onnx", "0" * 64, 1, 0.5, {4: 0.01})


def visited(rate: float, *, joules: float | None = None) -> Visited:
    """Two calls of each instance, one of which settled; half of all busy time was ours."""
    return Visited(
        samples=[2.0 / rate] * 2,
        rate=rate,
        elapsed=4.0 / rate,
        before=Activity(busy=1.0, stolen=0.0, own=0.0),
        after=Activity(busy=1.0 + 2.0 / rate, stolen=0.4 / rate, own=1.0 / rate),
        joules=joules,
        calls=4,
    )


def point(rates: list[float], artifact: str = "net-onnx-fp32", batch: int = 4) -> Point:
    candidate = replace(CANDIDATE, artifact=artifact)
    visits = tuple(visited(rate, joules=8.0) for rate in rates)
    return Point(candidate, batch, tuple(range(len(rates))), visits, (OPENED,))


def test_images_per_second_are_those_of_all_instances() -> None:
    images = point([10.0, 10.0, 10.0]).images_per_second
    assert (images.low, images.estimate, images.high) == pytest.approx((40.0, 40.0, 40.0))


def test_images_per_second_of_one_slow_block_are_those_of_the_others() -> None:
    assert point([10.0] * 9 + [1.0]).images_per_second.estimate == pytest.approx(40.0)


def test_spread_is_that_of_the_middle_half() -> None:
    assert point([10.0, 10.0, 10.0, 10.0, 1.0]).spread == 0.0
    assert point([1 / 0.5, 1 / 1.0, 1 / 1.5]).spread == pytest.approx(0.5)


def test_energy_counts_every_call_of_a_visit() -> None:
    assert point([10.0, 10.0]).energy_per_image == 8.0 / (4 * 4)
    dark = point([10.0, 10.0])
    dark = replace(dark, visits=(dark.visits[0], visited(10.0)))
    assert dark.energy_per_image is None


def test_taken_is_what_was_neither_ours_nor_idle() -> None:
    taken = point([10.0, 10.0]).taken(cores=2)
    assert taken is not None
    assert (taken.others, taken.stolen) == pytest.approx((0.125, 0.05))


def test_samples_know_their_block() -> None:
    found = point([10.0, 20.0])
    assert found.samples.tolist() == [0.2, 0.2, 0.1, 0.1]
    assert found.block_of_samples.tolist() == [0, 0, 1, 1]


def test_compare_points_calls_ties_and_differences() -> None:
    generator = np.random.default_rng(0)
    machine = generator.uniform(5.0, 20.0, 20)  # fast and slow minutes, for all alike
    noise = generator.uniform(0.99, 1.01, (3, 20))
    rates = {"a": machine * noise[0], "b": 1.01 * machine * noise[1], "c": machine / 2 * noise[2]}
    pairs = compare_points("run", [point(it.tolist(), name) for name, it in rates.items()])
    called = {(it.faster[0], it.slower[0]): it for it in pairs.pairs}
    assert {key for key, it in called.items() if it.significant} == {("a", "c"), ("b", "c")}
    assert called["b", "c"].ratio == pytest.approx(2.02, rel=0.02)
    (tie,) = tied_with(pairs, f"a {CANDIDATE.key.partition(' ')[2]}", 4)
    assert tie.startswith("b ")


def test_compare_points_leaves_different_batch_sizes_apart() -> None:
    assert compare_points("run", [point([1.0] * 9), point([2.0] * 9, batch=8)]).pairs == ()
