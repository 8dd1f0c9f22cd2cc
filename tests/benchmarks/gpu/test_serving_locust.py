"""What is kept of locust's tables, and that its step is named where locust is not there."""

import importlib.util
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.gpu import plan, serving_locust
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.journal import Journal
from benchmarks.gpu.run import run
from benchmarks.gpu.scale import FULL, REHEARSAL
from benchmarks.gpu.serving_locust import LOCUST, measurement, read_rows
from benchmarks.gpu.step import Context, StepError
from benchmarks.gpu.table import ended, tables
from benchmarks.pages import number
from loadtest.locust_options import BATCH_SIZES
from measuring.record import Scalar

# In locust's columns, without those that nobody reads.
TABLE = """Type,Name,Request Count,Failure Count,Max Response Time,Requests/s,Failures/s,50%,99%
POST,infer x8,420,{failed},31.5,105.0,{failed_rate},8.25,22.1
stage,infer x8: inference,400,0,9.0,100.0,0.0,1.5,4.0
stage,infer x8: receive,400,0,9.0,100.0,0.0,3.25,6.0
stage,infer x8: total,400,0,9.0,100.0,0.0,6.5,9.0
,Aggregated,420,{failed},31.5,105.0,{failed_rate},8.25,22.1
"""
ASKED: dict[str, Scalar] = {
    "network": "fasternet_t0", "frontends": 1, "body": "pixels", "batch": 8, "connections": 8,
}  # fmt: skip


def rows(folder: Path, *, failed: int = 0) -> list[serving_locust.Row]:
    path = folder / "locust_stats.csv"
    path.write_text(TABLE.format(failed=failed, failed_rate=failed / 4), encoding="utf-8")
    return read_rows(path)


def test_table_of_locust_becomes_a_record(tmp_path: Path) -> None:
    measured = measurement(ASKED, rows(tmp_path))
    assert number(measured, "images_per_second") == 8 * 105.0
    assert number(measured, "p50") == measured.latencies.percentile(50.0) == 0.00825
    assert (number(measured, "p99"), number(measured, "longest")) == (0.0221, 0.0315)
    assert (measured.settings["requests"], measured.settings["errors"]) == (420, 0)
    assert number(measured, "stage_receive") == 0.00325
    cells = "| fasternet_t0 | pixels | 8 | 8 | 840 | 8,250 us | 22.1 ms | 0 | receive |"
    assert cells in tables([measured])


def test_what_failed_counts_for_no_throughput(tmp_path: Path) -> None:
    measured = measurement(ASKED, rows(tmp_path, failed=20))
    assert measured.settings["errors"] == 20
    assert number(measured, "images_per_second") == 8 * 100.0


def test_load_without_a_right_answer_is_no_record(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="1 kinds of requests, 420 of 420 failed"):
        measurement(ASKED, rows(tmp_path, failed=420))
    with pytest.raises(StepError, match="0 kinds of requests"):
        measurement(ASKED, read_rows(tmp_path / "none.csv"))


def test_batches_are_those_of_the_stage_as_far_as_users_go() -> None:
    asked = serving_locust._asked(FULL)
    assert asked == [*(("pixels", batch) for batch in (1, 8, 32, 64)), ("pictures", 1)]
    assert {batch for _, batch in asked} <= set(BATCH_SIZES)


@pytest.mark.parametrize("absent", LOCUST)
def test_step_is_named_where_a_part_of_locust_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, absent: str
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(plan, "find_spec", lambda name: None if name == absent else found(name))
    told = f"needs {absent}, not installed"

    shown = CliRunner().invoke(main, ["--dry-run", "--stages", "http"])
    assert f"  fasternet_t0 with locust: left out, {told}\n" in shown.output

    context = Context("cpu", REHEARSAL, Journal(tmp_path), tmp_path / "artifacts")
    entries = run(
        serving_locust.steps(context), context, budgets={}, most=1e6, report=lambda _: None
    )
    assert f"- http, shufflenet_v2_x0_5 with locust: skipped: {told}" in ended(entries)
