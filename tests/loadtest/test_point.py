"""What a point tells, what it leaves on disk, in perf_analyzer's columns, and at the gate."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtest.gate import failures, undecided_errors
from loadtest.goodput import find_goodput, probe_load
from loadtest.load import Closed, Load, Open
from loadtest.objections import UNSENT, objections
from loadtest.outcome import SLICES
from loadtest.perf_analyzer_csv import require_writable, rows, write_csv
from loadtest.point import Point, floor_point
from loadtest.records import goodput_record, load_record
from loadtest.search import Effort
from loadtest.slo import parse
from loadtest.tally import Tally
from measuring.errors import InputError
from measuring.latencies import latencies
from measuring.percentiles import least_count
from measuring.record import read_measurements, write_measurements
from tests.loadtest.made_points import FLOOR, MODEL, RUN, point

PERF_ANALYZER = (
    "Concurrency,Inferences/Second,Client Send,Network+Server Send/Recv,Server Queue,"
    "Server Compute Input,Server Compute Infer,Server Compute Output,Client Recv,p50 latency,"
    "p90 latency,p95 latency,p99 latency"
)
"""The first line of a file of perf_analyzer 2.51.0 with --concurrency-range."""


def test_percentiles_of_a_slo_count_what_was_not_answered_as_endless() -> None:
    whole = point(count=1000, spread=0.0)
    lossy = point(count=990, spread=0.0, errors={"status 503": 8}, dropped=2)

    assert whole.percentile(99.5) == 0.010
    assert lossy.error_share == 0.01
    assert lossy.percentile(99.0) == 0.010
    assert lossy.percentile(99.1) == math.inf
    assert point(count=0, errors={"timeout": 5}).percentile(50.0) == math.inf


def test_throughput_of_a_service_that_ends_halfway_is_uncertain() -> None:
    ended = point(count=500)
    assert ended.outcome.latency is not None
    assert ended.outcome.latency.samples is not None
    blocks = np.arange(500) * (SLICES // 2) // 500
    early = point(count=500, latency=latencies(ended.outcome.latency.samples, blocks=blocks))

    assert early.throughput is not None
    assert early.throughput.high > 1.2 * early.throughput.estimate


def test_throughput_has_an_interval_over_slices() -> None:
    even = point(count=1000, batch=4)

    assert even.throughput is not None
    assert (even.throughput.low, even.throughput.estimate, even.throughput.high) == pytest.approx(
        (400, 400, 400)
    )


def test_floor_is_the_null_model_under_the_same_load() -> None:
    floors = [point(model=FLOOR, batch=batch, seconds=0.001) for batch in (1, 8)]
    measured = point(batch=8)

    assert floor_point([*floors, measured], measured) is floors[1]
    assert floor_point([*floors, measured], floors[1]) is None
    assert floor_point(floors, point(batch=8, traffic=Closed(2))) is None


def test_records_come_back_from_disk(tmp_path: Path) -> None:
    made = point(slo="p99=1ms", errors={"status 503": 3}, invalid=("the generator was busy",))
    record = load_record(made, RUN)
    assert record is not None

    write_measurements(tmp_path / "run.jsonl", [record])
    (read,) = read_measurements(tmp_path / "run.jsonl")

    assert read.name == "load"
    assert read.reasons == ("the generator was busy",)
    assert read.settings["errors status 503"] == 3
    assert read.settings["stage queue"] == 0.001
    assert read.settings["server_memory"] == 250_000_000
    assert read.settings["kept"] is False
    assert "p99 is" in str(read.settings["broken"])
    low, high = (float(str(read.settings[f"p99 {end}"])) for end in ("low", "high"))
    assert low <= read.latencies.summary["p99"] <= high
    assert read.latencies.blocks is not None
    assert load_record(point(count=0, errors={"timeout": 5}), RUN) is None


def test_csv_begins_with_the_columns_of_perf_analyzer(tmp_path: Path) -> None:
    path = tmp_path / "new" / "points.csv"

    write_csv(path, [point(spread=0.0, batch=8), point(count=100)])

    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    assert ",".join(lines[0]).startswith(PERF_ANALYZER)
    row = dict(zip(lines[0], lines[1], strict=True))
    assert row["Concurrency"] == "4"
    assert row["Inferences/Second"] == "800.00"
    assert row["Network+Server Send/Recv"] == "3700"  # 10 ms without the 6.3 ms inside
    assert (row["Server Queue"], row["Server Compute Infer"]) == ("1000", "5000")
    assert (row["p50 latency"], row["p99 latency"], row["p99.9 latency"]) == ("10000", "10000", "")
    assert (row["Model"], row["Batch Size"]) == ("small-onnx-fp32", "8")
    assert dict(zip(lines[0], lines[2], strict=True))["p99 latency"] == ""  # too few to claim it


def test_csv_of_rates_has_their_column() -> None:
    assert rows([point(traffic=Open(50.0))])[0][0] == "Request Rate"
    assert rows([point(traffic=Open(50.0)), point()])[0][:2] == ["Concurrency", "Request Rate"]


def test_csv_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"--csv .* cannot be written"):
        write_csv(tmp_path / "file" / "points.csv", [point()])
    with pytest.raises(InputError, match=r"--csv .* cannot be written"):
        require_writable(tmp_path / "file" / "points.csv")

    require_writable(tmp_path / "points.csv")
    assert not list(tmp_path.glob("points*"))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        pytest.param(point(), [], id="nothing-asked"),
        pytest.param(point(slo="p99=20ms,errors=0"), [], id="kept"),
        pytest.param(
            point(slo="p99=5ms", spread=0.0),
            ["small-onnx-fp32, batch 1, 4 connections: p99 is 10ms, 5ms (100%) over the bound of "
             "5ms"],
            id="broken",
        ),
        pytest.param(
            point(slo="p99=20ms", count=600),
            [f"p99 cannot be told: n too small, 600 answers of the {least_count(99.0)} it needs"],
            id="undecided",
        ),
        pytest.param(
            point(slo="p99=20ms", invalid=("the generator was busy",)),
            ["INVALID, so it cannot be told: the generator was busy; let it decide all the same"],
            id="invalid",
        ),
        pytest.param(
            point(
                slo="p99=20ms",
                dropped=50,
                invalid=("generator: 50 of 1,050 requests were not sent, since all 10 waited",),
            ),
            ["p99 has no end: more than 1% were not answered rightly"],
            id="dropped-by-a-slow-service",
        ),
        pytest.param(
            point(invalid=("the generator was busy",)), [], id="invalid-where-nothing-is-asked"
        ),
        pytest.param(
            point(errors={"wrong answer": 2, "status 503": 1}),
            ["WRONG ANSWERS, 2 of 1,003, wrong answer: an example of wrong answer"],
            id="wrong",
        ),
        pytest.param(
            point(count=0, errors={"status 503": 7}),
            ["no request was answered rightly (7 status 503)"],
            id="nothing-answered",
        ),
        pytest.param(
            point(count=0),
            ["no request was answered rightly (none was due in 10 s; measure longer"],
            id="nothing-due",
        ),
        pytest.param(
            point(count=0, dropped=9),
            ["no request was answered rightly (none of 9 was sent, since all connections waited)"],
            id="nothing-sent",
        ),
    ],
)  # fmt: skip
def test_gate_says_why_it_stays_shut(made: Point, told: list[str]) -> None:
    found = failures([made])

    assert len(found) == len(told)
    assert all(words in it for words, it in zip(told, found, strict=True))


def test_errors_that_nothing_was_asked_of_are_a_warning() -> None:
    failing = point(errors={"status 503": 250})

    told = undecided_errors([point(), failing])
    assert told.startswith("errors decide nothing without an SLO, up to 20.00% at small-onnx-fp32,")
    assert failures([failing]) == ()
    assert undecided_errors([failing, point(slo="p50=1s")]) == ""
    assert undecided_errors([point()]) == ""


def test_requests_dropped_by_a_slow_service_are_known_by_their_objection() -> None:
    tally = Tally(begin=0.0, end=1.0)
    tally.drop(0.5)

    assert [UNSENT in reason for reason in objections(Load(Open(5.0)), tally)] == [True]


def test_gate_may_let_invalid_points_decide() -> None:
    invalid = point(slo="p99=20ms", invalid=("the generator was busy",))

    assert failures([replace(invalid, lenient=True)]) == ()


@pytest.mark.parametrize(
    ("slo", "undecided"),
    [
        pytest.param("p99=20ms", "", id="kept-all-the-same"),
        pytest.param("p99=5ms", "INVALID: sent late", id="broken-by-whom"),
        pytest.param("p99.9=20ms", "INVALID: sent late", id="too-few"),
    ],
)
def test_open_loop_that_was_late_can_keep_an_slo_but_not_break_it(slo: str, undecided: str) -> None:
    late = point(traffic=Open(100.0), slo=slo, invalid=("sent late",))

    assert late.undecided == undecided
    assert ["sent late" in it for it in failures([late])] == [True] * bool(undecided)


def service(rate: float) -> Point:
    """Answers within 10 ms up to 100 requests per second, and then within 50."""
    return point(traffic=Open(rate), seconds=0.010 if rate <= 100 else 0.050, slo="p99=20ms")


@pytest.mark.parametrize(
    ("slo", "failed"),
    [
        pytest.param("p99=20ms", "", id="kept"),
        pytest.param("p99=20ms,throughput=90", "", id="enough"),
        pytest.param(
            "p99=20ms,throughput=200", "images/s keep p99=20ms, 1", id="too-little"
        ),
    ],
)  # fmt: skip
def test_goodput_is_the_rate_that_keeps_the_slo(slo: str, failed: str) -> None:
    goodput = find_goodput(
        point().outcome.target, MODEL, parse(slo), Effort(0.05), probe=service, start=30.0
    )

    assert goodput.found.kept == pytest.approx(100, rel=0.05)
    assert goodput.found.broken == pytest.approx(100, rel=0.05)
    assert goodput.kept is not bool(failed)
    assert [failed in it for it in failures([goodput])] == [True] * bool(failed)
    record = goodput_record(goodput, RUN, "2026-01-31T12:00:00+00:00")
    assert record is not None
    assert record.settings["rate"] == goodput.found.kept


def test_wrong_answers_at_any_rate_of_a_search_fail_it() -> None:
    """A service that mixes answers up when it is pressed is not fit, whatever rate it keeps."""

    def mixing(rate: float) -> Point:
        pressed = rate > 100
        return point(
            traffic=Open(rate),
            seconds=0.050 if pressed else 0.010,
            errors={"wrong answer": 1} if pressed else None,
            slo="p99=20ms",
        )

    goodput = find_goodput(
        point().outcome.target, MODEL, parse("p99=20ms"), Effort(), probe=mixing, start=30.0
    )

    assert goodput.kept
    (told,) = failures([goodput])
    assert "in all probes, wrong answer: an example of wrong answer" in told


def test_goodput_of_a_service_that_keeps_nothing() -> None:
    def slow(rate: float) -> Point:
        return point(traffic=Open(rate), seconds=1.0, slo="p99=20ms")

    goodput = find_goodput(
        point().outcome.target, MODEL, parse("p99=20ms"), Effort(), probe=slow, start=2.0
    )

    assert goodput.images_per_second == 0.0
    told = "no rate was found that keeps p99=20ms (0.125 requests/s is too many already)"
    assert told in failures([goodput])[0]
    assert goodput_record(goodput, RUN, "2026-01-31T12:00:00+00:00") is None


def test_probes_last_until_the_percentile_can_be_told() -> None:
    load = Load(Closed(1), seconds=5.0)

    seconds = [probe_load(load, parse("p99=20ms"), rate).seconds for rate in (1000, 20, 1)]

    assert seconds == pytest.approx([5.0, 1.2 * 662 / 20, 120.0])
