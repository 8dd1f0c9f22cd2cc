"""LoadGen's own verdicts, read from its words, and real runs of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.bench_messages import Opened
from benchmarks.bench_plan import Sweep
from benchmarks.loadgen import LoadgenOrder, capacity, run_loadgen
from benchmarks.loadgen_settings import OFFICIAL, SCENARIOS, Duration, scenarios
from inference.artifact import read_artifact
from measuring.errors import InputError, StrideError
from measuring.loadgen_log import read_summary
from measuring.record import Measurement, read_measurements
from tests.benchmarks.watchers import Onlooker
from tests.tiny import write_tiny

# As mlcommons-loadgen 6.0.17 writes them, shortened.
SINGLE_STREAM = """
Scenario : SingleStream
Mode     : PerformanceOnly
90.0th percentile latency (ns) : 586273
Result is : VALID
  Min duration satisfied : Yes
  Early stopping satisfied: Yes
Early Stopping Result:
 * Processed at least 64 queries (801).

99.00 percentile latency (ns)   : 873091
"""
SERVER = """
Scenario : Server
Completed samples per second    : 184.90
Result is : INVALID
  Performance constraints satisfied : NO
  Min duration satisfied : Yes
  Early stopping satisfied: NO
Recommendations:
Early Stopping Result:
 * Run unsuccessful.
 * Processed 100 queries.
 * Would need to run at least 359 more queries,
 with the run being successful if every additional
 query were under latency.

================================================
99.00 percentile latency (ns)   : 20982529
"""


def test_summary_of_a_valid_run_is_in_seconds() -> None:
    found = read_summary(SINGLE_STREAM)
    assert (found.scenario, found.valid, found.reasons) == ("SingleStream", True, ())
    assert found.metric == "p90 seconds of a query"
    assert (found.value, found.p99) == pytest.approx((0.000586273, 0.000873091))


def test_summary_of_an_invalid_run_says_why() -> None:
    found = read_summary(SERVER)
    assert (found.valid, found.value) == (False, 184.9)
    constraints, stopping = found.reasons
    assert constraints == "Performance constraints: no"
    assert stopping.startswith("Early stopping: no (Run unsuccessful. Processed 100 queries.")
    assert stopping.endswith("query were under latency.)")


@pytest.mark.parametrize("text", ["", "Scenario : Server\nResult is : VALID\n"])
def test_summary_that_is_none_is_an_error(text: str) -> None:
    with pytest.raises(StrideError, match="expected that of mlcommons-loadgen 6"):
        read_summary(text)


def test_official_durations_are_those_of_the_rules() -> None:
    assert (OFFICIAL.seconds, OFFICIAL.scaled) == (600.0, False)
    assert OFFICIAL.min_queries("Offline") == 24_576
    assert Duration().min_queries("SingleStream") == 64
    assert Duration().min_queries("Server") == 662


def test_capacity_is_that_of_the_largest_batch_or_of_the_only_one() -> None:
    one = Opened("made", 1, "model.onnx", "0" * 64, 1, cold_start=0.1, seconds={1: 0.004})
    assert capacity(one, 2) == pytest.approx(500.0)
    assert capacity(replace(one, seconds={1: 0.003, 8: 0.010}), 2) == pytest.approx(1600.0)


def test_scenarios_are_found_whatever_their_case() -> None:
    assert scenarios(("offline", "Server")) == ("Offline", "Server")
    with pytest.raises(InputError, match="'Online', expected some of SingleStream"):
        scenarios(("Online",))


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Measurement]:
    """A tiny network in every scenario, by LoadGen itself."""
    pytest.importorskip("mlperf_loadgen")
    folder = tmp_path_factory.mktemp("loadgen")
    artifact = read_artifact(write_tiny(folder / "artifacts"))
    sweep = Sweep(runtimes=("onnxruntime",), instances=(2,), threads=(1,))
    order = LoadgenOrder(duration=Duration(0.1), rate=500.0, latency_bound=1.0)
    result = run_loadgen([artifact], sweep, order, folder, Onlooker())
    assert result.left_out == {}
    assert list(result.logs.glob("*/mlperf_log_summary.txt"))
    return {str(it.settings["scenario"]): it for it in read_measurements(result.path)}


def test_loadgen_runs_every_scenario(records: dict[str, Measurement]) -> None:
    assert tuple(records) == SCENARIOS
    for record in records.values():
        assert record.name == "loadgen"
        assert record.settings["scaled"] is True
        assert record.settings["valid"] is record.valid
        assert record.latencies.count >= int(str(record.settings["min_queries"]))


def test_loadgen_has_a_page_that_lists_every_setting(records: dict[str, Measurement]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    part = page.partition("### `loadgen`")[2]
    for record in records.values():
        assert [name for name in record.settings if f"`{name}`" not in part] == []


def test_loadgen_sends_queries_at_the_rate_that_was_told(records: dict[str, Measurement]) -> None:
    server = records["Server"].settings
    assert server["target_rate"] == 500.0
    assert 250.0 < float(str(server["value"])) < 1000.0


def test_loadgen_gives_multi_stream_eight_pictures_at_once(
    records: dict[str, Measurement],
) -> None:
    assert records["MultiStream"].settings["batch"] == 8
    assert records["MultiStream"].latencies.count % 8 == 0
