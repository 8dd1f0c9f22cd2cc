from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.report.regressions import compare_runs
from benchmarks.report.results import Run
from measuring.record import Measurement
from tests.benchmarks.hand_made import MACHINE, bench, invalid

NETWORKS = [f"network_{number}" for number in range(10)]


def run(name: str, records: list[Measurement]) -> Run:
    return Run(name, "bench", Path(name), tuple(records))


def times(slow: dict[str, float], width: float = 0.01) -> list[Measurement]:
    """All at 4 ms but those in `slow`, with intervals of +- `width`."""
    records = [bench(name, seconds=0.004 * slow.get(name, 1.0)) for name in NETWORKS]
    return [
        replace(
            record,
            settings={
                **record.settings,
                "ci_low": float(str(record.settings["images_per_second"])) * (1 - width),
                "ci_high": float(str(record.settings["images_per_second"])) * (1 + width),
            },
        )
        for record in records
    ]


def test_regressions_find_what_is_slower_beyond_noise_and_nothing_else() -> None:
    found = compare_runs(run("now", times({"network_3": 1.2})), run("then", times({})))
    (slower,) = found.slower
    assert slower.name.startswith("network_3")
    assert slower.speed == pytest.approx(1 / 1.2)
    assert slower.low < 1 / 1.2 < slower.high
    assert found.drift == pytest.approx(1.0)
    assert not any(it.faster for it in found.differences)


def test_regressions_what_is_faster_now_is_no_regression() -> None:
    found = compare_runs(run("now", times({"network_3": 0.8})), run("then", times({})))
    assert found.slower == ()
    assert [it.name[:9] for it in found.differences if it.faster] == ["network_3"]


def test_regressions_small_changes_are_none_however_sure() -> None:
    found = compare_runs(
        run("now", times({"network_3": 1.03}, width=0.0001)), run("then", times({}, width=0.0001))
    )
    assert found.slower == ()
    assert found.differences[0].p_value < 0.01


def test_regressions_wide_intervals_prove_nothing() -> None:
    found = compare_runs(
        run("now", times({"network_3": 1.2}, width=0.3)), run("then", times({}, width=0.3))
    )
    assert found.slower == ()


def test_regressions_the_more_is_compared_the_more_it_takes() -> None:
    """6 % with +-2 % on both sides is 4.1 standard errors, p = 4e-5; with +-2.6 %, 3.2 and 0.0015:
    enough alone, not among ten."""
    now, before = times({"network_3": 1.062}, width=0.026), times({}, width=0.026)
    alone = compare_runs(run("now", now[3:4]), run("then", before[3:4]))
    among = compare_runs(run("now", now), run("then", before))
    assert len(alone.slower) == 1
    assert among.slower == ()


def test_regressions_a_change_of_all_is_told_as_drift() -> None:
    slow = dict.fromkeys(NETWORKS, 1.1)
    found = compare_runs(run("now", times(slow)), run("then", times({})))
    assert found.drift == pytest.approx(1 / 1.1)
    assert len(found.slower) == 10


def test_regressions_say_what_cannot_be_compared_and_what_changed() -> None:
    newer = replace(MACHINE, libraries={"onnxruntime": "1.32.0"})
    now = [bench("a", machine=newer), bench("b", machine=newer), invalid(bench("c"))]
    found = compare_runs(run("now", now), run("then", [bench("a"), bench("c"), bench("d")]))
    assert [it.name[0] for it in found.differences] == ["a"]
    assert [name[0] for name in found.only_before] == ["c", "d"]
    assert [name[0] for name in found.only_now] == ["b"]
    assert found.changed == ("onnxruntime 1.31.1 -> 1.32.0",)


def test_regressions_of_runs_with_nothing_in_common_are_none() -> None:
    found = compare_runs(run("now", [bench("a")]), run("then", [bench("b")]))
    assert (found.differences, found.slower, found.drift) == ((), (), 1.0)
