"""The page of five tools from records made by hand, and once from the tools themselves."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks import crosscheck_page
from benchmarks.crosscheck import main
from benchmarks.crosscheck_tools import Point, require_tools, tools_for
from measuring.errors import MissingError
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, read_measurements
from tests.tiny import write_tiny

MACHINE = fingerprint()


def record(tool: str, round_: int, p50: float, **settings: Scalar) -> Measurement:
    common: dict[str, Scalar] = {
        "model": "floor", "body": "pixels", "batch": 1, "mode": "closed", "rate": 100.0,
        "tool": tool, "round": round_, "p50": p50, "p99": 2 * p50, "throughput": 1 / p50,
        "requests": 1_000, "failures": 0, "cpu": 0.2, "threads": 1, "command": f"{tool} --go",
    }  # fmt: skip
    if tool in ("stride", "locust"):
        common |= {"served_p50": 1e-4, "due_p50": p50 + 1e-5}
    return Measurement(
        "crosscheck", common | settings, latencies([p50]), MACHINE, "2026-11-26T12:00:00"
    )


def test_tables_hold_each_tool_against_the_median_of_all() -> None:
    medians = {"stride": 2e-4, "wrk": 1.8e-4, "hey": 2e-4, "perf_analyzer": 2.1e-4, "locust": 5e-4}
    found = [
        record(tool, number, p50 * (1 + number / 10))
        for tool, p50 in medians.items()
        for number in (0, 1, 2)
    ]
    page = crosscheck_page.tables(found)
    assert "### The null runtime, pixels, batch size 1, one request after the other" in page
    assert "| stride | 4545.5 (4166.7 to 5000.0) | 1.000 | 220 (200 to 240) | 1.000 |" in page
    assert "3 interleaved blocks" in page
    title = "The null runtime, pixels, batch size 1, one request after the other"
    beyond = page.partition("### Beyond 10 %")[2].partition("###")[0]
    assert f"| {title} | locust | -60% | +150% | +330 |" in beyond
    assert f"| {title} | wrk | +11% | -10% | -22 |" in beyond
    assert beyond.count("\n| The") == 2
    assert f"| {title} | 100 | 120 | 100 | 450 | 230 |" in page
    assert "| locust | one request after the other | `locust --go` |" in page


def test_tools_go_where_they_can() -> None:
    assert tools_for(Point("net", "jpeg", 1, "closed")) == ["stride", "wrk", "hey", "locust"]
    assert tools_for(Point("net", "pixels", 8, "poisson")) == ["stride", "perf_analyzer"]


@pytest.mark.full
def test_every_tool_measures_every_point(tmp_path: Path) -> None:
    try:
        require_tools()
    except MissingError as error:
        pytest.skip(str(error))
    artifact, output = write_tiny(tmp_path, "one"), tmp_path / "crosscheck.jsonl"
    words = ["floor", "net/pixels/8", "--rounds", "1", "--seconds", "1"]
    done = CliRunner().invoke(main, [*words, "--artifact", str(artifact), "--output", str(output)])
    assert done.exception is None, done.output
    found = read_measurements(output)
    assert len(found) == 23
    assert {measured.settings["tool"] for measured in found} == {
        "stride", "wrk", "hey", "perf_analyzer", "locust",
    }  # fmt: skip
    assert all(measured.settings["failures"] == 0 for measured in found)
    assert crosscheck_page.tables(found)
