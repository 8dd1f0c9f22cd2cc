"""Tables from records made by hand."""

import pytest

from benchmarks import serving_bare, serving_page
from benchmarks.serving import BEST, BEST_LIMIT, LIMIT, PLAIN, SERVED
from benchmarks.serving_summary import discounted_rate, spread
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar

MACHINE = fingerprint()


def record(name: str, round_: int, **settings: Scalar) -> Measurement:
    common: dict[str, Scalar] = {"network": "net", "round": round_, "threads": 1}
    taken = latencies([0.1] * 98 + [0.15] * 2)
    return Measurement(name, common | settings, taken, MACHINE, "2026-11-24T12:00:00")


def closed(way: str, requests: int, cpu: float, connections: int = 16) -> list[Measurement]:
    return [
        record(
            "serving", number, way=way, kind="tensor", connections=connections,
            requests=requests + number, seconds=4.0, cpu=cpu,
            generator_cpu=0.0 if way == LIMIT else 0.4, failures=0,
        )
        for number in range(3)
    ]  # fmt: skip


def all_ways() -> list[Measurement]:
    return [
        *closed(LIMIT, 1_000, 8.0, connections=2), *closed(SERVED, 900, 7.6),
        *closed(BEST, 2_000, 7.6), *closed(PLAIN, 800, 7.6),
        *closed(BEST_LIMIT, 2_400, 7.6, connections=2),
    ]  # fmt: skip


def test_spread_is_the_median_with_least_and_most() -> None:
    assert spread([3.0, 1.0, 2.0]).told(1) == "2.0 (1.0 to 3.0)"


def test_discounted_rate_gives_the_generators_time_to_the_service() -> None:
    measured = closed(SERVED, 900, 7.0)[0]
    whole = 4.0 * MACHINE.cores
    assert discounted_rate(measured) == pytest.approx(900 / 4.0 * whole / (whole - 0.4))


def test_tables_compare_round_by_round() -> None:
    page = serving_page.tables(all_ways())
    assert "| net | tensor |  | engines alone | 250 (250 to 250) | 100.00 | 150.00 |" in page
    assert "| net | tensor | 16 | stride | 225 (225 to 226) | 100.00 | 150.00 | 8.435 |" in page
    added = 7.6 / 901 - 8.0 / 1001
    assert f"| net | tensor | 16 | {added * 1e3:.3f} (" in page
    assert "| 0.900 (0.900 to 0.900) |" in page
    assert "| net | tensor |  | engines alone, best artifact | 600 (600 to 600) | 100.00 |" in page
    ratios = ("1.12 (1.12 to 1.12)", "2.50 (2.50 to 2.50)", "3.00 (3.00 to 3.00)")
    assert f"| net | tensor | 16 | {' | '.join(ratios)} |" in page
    assert "capacity" not in page


def test_summary_has_a_row_for_each_network() -> None:
    assert "| net | 250 | 225 | 500 | 200 |" in serving_page.summary(all_ways())


def test_tables_of_scenarios_give_medians_and_what_went_wrong() -> None:
    poisson = [
        record(
            "serving poisson", number, rate=70.0, capacity=100.0, p50=0.01, simulated_p50=0.01,
            p99=0.03 + number / 1e3, simulated_p99=0.02, late_p99=0.0002,
        )
        for number in range(3)
    ]  # fmt: skip
    overload = [
        record(
            "serving overload", number, capacity=100.0, goodput=0.9 + number / 100, refused=10,
            refusal_p50=0.001, refusal_p99=0.004, expired=1, late=0, ok=500, most=0.2,
            recovery=0.1 * number,
        )
        for number in range(3)
    ]  # fmt: skip
    page = serving_page.tables([*all_ways(), *poisson, *overload])
    line = "| net | 70 | 100 | 10.0 | 10.0 | 31.0 | 20.0 | 1.55 (1.50 to 1.60) | 0.20 |"
    assert line in page
    line = "| net | 100 | 0.910 (0.900 to 0.920) | 10 | 1.0, 4.0 | 3 | 0 of 1500 | 200 | 0.10 (0.00"
    assert line in page


def test_table_of_the_floor_says_what_recording_costs() -> None:
    with_, without = serving_page._FLOOR
    floor = [
        record("serving floor", number, way=way, requests=1_000, seconds=1.0, cpu=cpu)
        for number in range(3)
        for way, cpu in ((with_, 0.160), (without, 0.150))
    ]
    page = serving_page.tables([*all_ways(), *floor])
    assert "| as it is | 1000 (1000 to 1000) | 100.00 | 150.00 | 160 |" in page
    assert "Recording costs 10.0 (10.0 to 10.0) us" in page


def test_the_barest_service_stands_beside_ours() -> None:
    bare = [
        record(
            serving_bare.NAME, number, way=way, kind="tensor", connections=16, requests=requests,
            seconds=4.0, cpu=7.6, generator_cpu=0.0, failures=0,
        )
        for way, requests in ((LIMIT, 1_000), (serving_bare.BARE, 950), (SERVED, 900))
        for number in range(3)
    ]  # fmt: skip
    page = serving_page.tables([*all_ways(), *bare])
    assert (
        "| net | tensor | barest service | 238 (238 to 238) | 0.400 (0.400 to 0.400) | 0.950"
        in page
    )
    assert "| net | tensor | stride | 225 (225 to 225) | 0.844 (0.844 to 0.844) | 0.900" in page
