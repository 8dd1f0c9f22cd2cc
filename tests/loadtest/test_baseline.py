"""Regressions: what is beyond noise is found, what is not is a tie."""

from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import pytest

from loadtest.baseline import Compared, compare, missing, read_baseline
from loadtest.load import Closed, Load, Open
from loadtest.plan import Measure
from loadtest.records import load_record
from loadtest.target import Target
from measuring.errors import InputError
from measuring.record import Measurement, write_measurements
from tests.benchmarks.hand_made import MACHINE, bench
from tests.loadtest.made_points import MODEL, RUN, point


def record(**changes: Any) -> Measurement:
    found = load_record(point(**changes), RUN)
    assert found is not None
    return found


def compared(now: dict[str, Any], before: dict[str, Any]) -> Compared:
    return compare([record(**now)], [record(**before)])


@pytest.mark.parametrize(
    "traffic", [pytest.param(Closed(4), id="closed"), pytest.param(Open(100.0), id="open")]
)
@pytest.mark.parametrize("seed", range(6))
def test_the_same_service_is_no_regression(seed: int, traffic: Closed | Open) -> None:
    found = compared(
        {"seed": 2 * seed, "traffic": traffic, "spread": 0.8},
        {"seed": 2 * seed + 1, "traffic": traffic, "spread": 0.8},
    )

    assert found.regressions == ()
    assert len(found.changes) == 3


@pytest.mark.parametrize(
    ("before", "now", "figures"),
    [
        pytest.param({"count": 1000}, {"count": 700}, ["images/s"], id="less-throughput"),
        pytest.param({"count": 1000}, {"count": 970}, [], id="throughput-within-the-margin"),
        pytest.param({"count": 1000}, {"count": 1500}, [], id="more-throughput"),
        pytest.param(
            {"traffic": Open(100.0)}, {"traffic": Open(100.0), "seconds": 0.015}, ["p50", "p99"],
            id="slower",
        ),
        pytest.param(
            {"traffic": Open(100.0)}, {"traffic": Open(100.0), "seconds": 0.005}, [], id="faster"
        ),
        pytest.param({}, {"count": 1000, "errors": {"status 503": 20}}, ["errors"], id="errors"),
        pytest.param({}, {"count": 1000, "errors": {"status 503": 3}}, [], id="few-errors"),
        pytest.param({"errors": {"timeout": 9}}, {"errors": {"timeout": 9}}, [], id="as-many"),
    ],
)  # fmt: skip
def test_what_is_worse_beyond_noise_and_margin_is_told(
    before: dict[str, Any], now: dict[str, Any], figures: list[str]
) -> None:
    found = compared({"seed": 1, **now}, {"seed": 2, **before})

    assert sorted(change.figure for change in found.regressions) == figures


def test_regression_tells_both_figures_and_an_interval() -> None:
    (change,) = compared({"count": 700}, {"count": 1000}).regressions

    assert (change.before, change.now) == (100.0, 70.0)
    assert change.words.startswith("images/s 70 instead of 100, 1.43 times as bad [")
    assert change.low < 1000 / 700 < change.high


def test_chance_of_errors_is_fishers() -> None:
    """One-sided, against the sum of binomial coefficients."""
    found = compared(
        {"count": 46, "errors": {"timeout": 4}}, {"count": 49, "errors": {"timeout": 1}}
    )

    (change,) = (change for change in found.changes if change.figure == "errors")
    chance = sum(comb(5, k) * comb(95, 50 - k) for k in (4, 5)) / comb(100, 50)
    corrected = chance * len(found.changes)  # the smallest of all, by Holm
    assert change.p_value == pytest.approx(min(1.0, corrected))


def test_points_are_found_by_what_was_asked_for() -> None:
    """The alias says what is compared: another artifact may stand behind it now."""
    old, new = record(batch=1), record(batch=8)
    other = replace(old, settings={**old.settings, "model": "small-onnx-int8"})

    found = compare([other, new], [old, record(batch=2)])

    assert {change.place for change in found.changes} == {
        "small-onnx-fp32, pixels, batch 1, 4 connections"
    }
    assert found.missing == ("small-onnx-fp32, pixels, batch 8, 4 connections",)
    assert found.gone == ("small-onnx-fp32, pixels, batch 2, 4 connections",)


def test_invalid_points_are_compared_only_when_asked() -> None:
    good, invalid = record(), record(count=500, invalid=("the generator was busy",))

    assert compare([invalid], [good]).changes == ()
    assert compare([invalid], [good]).untrusted == (
        "small-onnx-fp32, pixels, batch 1, 4 connections",
    )
    assert compare([invalid], [good], invalid=True).regressions != ()


def test_points_beside_other_load_are_compared_only_when_asked() -> None:
    disturbed = replace(record(count=500), settings={**record(count=500).settings, "others": 0.4})

    assert compare([disturbed], [record()]).untrusted != ()
    assert compare([disturbed], [record()], invalid=True).regressions != ()


def test_another_machine_is_told() -> None:
    there = replace(record(), machine=replace(MACHINE, python="3.12.1"))

    assert compare([record()], [there]).machine == ("python 3.12.1 -> 3.11.7",)


def test_newest_record_of_a_point_counts() -> None:
    older = replace(record(count=2000), started="2025-01-31T12:00:00+00:00")

    assert compare([record()], [record(), older]).regressions == ()


def test_histograms_are_enough(tmp_path: Path) -> None:
    """The samples beside the records are not committed with them."""
    path = tmp_path / "before.jsonl"
    write_measurements(path, [record(traffic=Open(100.0))])
    path.with_suffix(".npz").unlink()

    found = compare([record(traffic=Open(100.0), seconds=0.015)], read_baseline(path))

    assert {change.figure for change in found.regressions} == {"p50", "p99"}


def test_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bench.jsonl"
    write_measurements(path, [bench()])

    with pytest.raises(InputError, match="no record of a load test"):
        read_baseline(path)


def test_missing_points_are_known_before_anything_is_measured() -> None:
    target = Target("http://127.0.0.1:1", model="small-onnx-fp32")
    plan = [Measure(target, MODEL, Load(Closed(count))) for count in (4, 5)]

    assert missing(plan, [record()]) == ("small-onnx-fp32, pixels, batch 1, 5 connections",)
