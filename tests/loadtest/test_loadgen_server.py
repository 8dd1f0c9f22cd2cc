"""LoadGen's Server scenario on a real service: its rate, its verdict, our records of the run."""

from dataclasses import replace

import pytest

from loadtest.load import Closed, Load, Open
from loadtest.loadgen_server import run_loadgen
from loadtest.outcome import LoadgenVerdict, Outcome
from loadtest.prepared import prepare
from loadtest.run import run_load
from loadtest.target import Target
from measuring.errors import InputError

pytest.importorskip("mlperf_loadgen")
LOAD = Load(Open(900.0, "loadgen", latency_bound=5.0), seconds=0.1, warm_up=0.05)


@pytest.fixture(scope="module")
def outcome(tiny_service: str) -> Outcome:
    return run_load(Target(tiny_service, "tiny"), LOAD)


def verdict(outcome: Outcome) -> LoadgenVerdict:
    assert outcome.loadgen is not None
    return outcome.loadgen


def test_every_query_of_loadgen_is_answered(outcome: Outcome) -> None:
    assert outcome.due == outcome.sent == outcome.ok >= 662, outcome.examples
    assert outcome.dropped == outcome.failed == 0
    assert outcome.stages["total"].count == outcome.ok
    # as long as LoadGen's early stopping needs, though less was asked for
    assert outcome.load.seconds == pytest.approx(662 / 900)


def test_verdict_and_percentile_of_loadgen_are_kept(outcome: Outcome) -> None:
    found = verdict(outcome)
    assert found.summary.scenario == "Server"
    assert found.summary.metric == "completed images per second"
    assert found.valid == found.summary.valid
    assert outcome.latency is not None
    # LoadGen counts from when it had scheduled a query, which is before it hands it over
    assert found.summary.p99 >= 0.9 * outcome.latency.percentile(99)
    said = f"tiny-onnx-fp32, 900 requests/s: LoadGen {found.version} says "
    assert outcome.notes[-1].startswith(said)
    assert "bound 5000 ms" in outcome.notes[-1]


def test_queries_that_fail_make_a_run_invalid_whatever_loadgen_says(tiny_service: str) -> None:
    prepared = prepare(Target(tiny_service, "tiny"))
    messages = tuple(message.replace(b"/tiny/", b"/gone/") for message in prepared.messages)
    outcome = run_loadgen(replace(prepared, messages=messages), replace(LOAD, warm_up=0.0))
    assert outcome.errors == {"status 404": outcome.due}
    assert not verdict(outcome).valid
    if verdict(outcome).summary.valid:
        assert outcome.notes[-1].endswith("; but requests failed")


def test_what_loadgen_cannot_do_is_said(tiny_service: str) -> None:
    with pytest.raises(InputError, match="2 processes with LoadGen"):
        replace(LOAD, processes=2)
    with pytest.raises(InputError, match=r"latency bound is 0\.0 s"):
        Open(10.0, latency_bound=0.0)
    with pytest.raises(InputError, match="has a rate, not clients"):
        run_loadgen(prepare(Target(tiny_service, "floor")), Load(Closed()))
