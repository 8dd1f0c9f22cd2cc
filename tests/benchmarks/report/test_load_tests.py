"""The section of load tests, from records that `stride loadtest` writes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.report.load_tests import load_tests
from benchmarks.report.results import read_results
from loadtest.goodput import find_goodput
from loadtest.load import Closed, Open
from loadtest.point import Point
from loadtest.records import goodput_record, load_record
from loadtest.search import Effort
from loadtest.slo import parse
from measuring.record import Measurement, write_measurements
from tests.benchmarks.hand_made import MACHINE, STARTED
from tests.loadtest.made_points import FLOOR, MODEL, RUN, point


def record(**changes: Any) -> Measurement:
    found = load_record(point(**changes), RUN)
    assert found is not None
    return found


def searched() -> Measurement:
    def probe(rate: float) -> Point:
        return point(traffic=Open(rate), seconds=0.01 if rate < 80 else 0.1, slo="p99=20ms")

    goodput = find_goodput(
        point().outcome.target, MODEL, parse("p99=20ms"), Effort(), probe=probe, start=40.0
    )
    found = goodput_record(goodput, RUN, STARTED)
    assert found is not None
    return found


@pytest.fixture(scope="module")
def points() -> list[Measurement]:
    """Two batch sizes with their floor, one of them INVALID, and two rates."""
    return [
        record(model=FLOOR, batch=1, seconds=0.002, spread=0.0),
        record(batch=1, slo="p99=8ms", spread=0.0),
        record(model=FLOOR, batch=8, seconds=0.004),
        record(batch=8, invalid=("the generator was busy",)),
        record(traffic=Open(20.0), slo="p99=1s"),
        record(traffic=Open(40.0), count=300),
    ]


def test_without_records_there_is_no_section() -> None:
    assert load_tests((), ()) is None


def test_points_stand_beside_their_floor_and_verdict(points: list[Measurement]) -> None:
    section = load_tests(points, [searched()])
    assert section is not None

    (measured, rates) = section.tables
    heads = [heading for heading, _ in measured.headings]
    rows = [dict(zip(heads, row, strict=True)) for row in measured.rows]
    assert rows[0]["model"] == "floor-onnx-fp32 (null: the floor)"
    assert (rows[1]["floor ms"], rows[1]["above it"]) == ("2.00", "8.00")
    assert (rows[1]["queue ms"], rows[1]["inference ms"]) == ("1.00", "")
    assert rows[1]["verdict"] == "p99 is 10ms, 2ms (25%) over the bound of 8ms"
    assert measured.marked == {1}
    assert rows[3]["verdict"] == "INVALID"
    assert rows[4]["verdict"] == "kept"
    assert (rows[4]["CPU cores"], rows[4]["MB"]) == ("0.40", "250")
    assert rows[5]["p99 ms"] == "n<662"
    assert rates.rows[0][0] == "small-onnx-fp32"
    assert 76 < float(rates.rows[0][4]) <= 80
    assert section.notes == [
        "INVALID: small-onnx-fp32, batch 8, 4 connections: the generator was busy"
    ]


def test_throughput_by_batch_size_and_latency_by_rate_are_drawn(points: list[Measurement]) -> None:
    section = load_tests(points, ())
    assert section is not None

    captions = [figure.caption for figure in section.figures]
    assert captions == [
        "Images per second by batch size, 4 connections, with 95 % intervals; empty: INVALID.",
        "Median latency by the rate that requests came at, batch size 1; empty: INVALID.",
    ]
    by_batch, by_rate = (figure.svg for figure in section.figures)
    assert "floor-onnx-fp32" in by_batch
    assert "small-onnx-fp32" in by_batch
    assert "floor-onnx-fp32" not in by_rate
    assert "small-onnx-fp32" in by_rate


def test_latency_by_rate_is_drawn_for_each_batch_size() -> None:
    found = [record(traffic=Open(rate), batch=batch) for rate in (20.0, 40.0) for batch in (1, 8)]

    section = load_tests(found, ())

    assert section is not None
    assert [figure.caption.partition("batch size ")[2] for figure in section.figures] == [
        "1; empty: INVALID.",
        "8; empty: INVALID.",
    ]


def test_damaged_record_is_left_out_and_named(tmp_path: Path) -> None:
    damaged = replace(record(), settings={**record().settings, "batch": "many"})
    write_measurements(tmp_path / "run.jsonl", [damaged])

    found = read_results(tmp_path)

    assert found.records("load", MACHINE) == ()
    assert "its batch is 'many'" in found.unread["run.jsonl"]


def test_points_of_closed_loops_with_one_batch_size_need_no_plot() -> None:
    section = load_tests([record(traffic=Closed(1)), record(traffic=Closed(2))], ())

    assert section is not None
    assert section.figures == []
