"""LoadGen's Server scenario on a real service: its rate, its verdict, our records of the run."""

from dataclasses import replace

import pytest

from loadtest.loadgen_server import LoadgenOutcome, ServerScenario, run_loadgen
from loadtest.prepared import prepare
from loadtest.target import Target
from measuring.errors import InputError

pytest.importorskip("mlperf_loadgen")


@pytest.fixture(scope="module")
def found(tiny_service: str) -> LoadgenOutcome:
    scenario = ServerScenario(150.0, latency_bound=5.0, seconds=0.6, min_queries=70)
    return run_loadgen(prepare(Target(tiny_service, "tiny")), scenario)


def test_loadgen_sends_what_it_says_and_every_query_is_answered(found: LoadgenOutcome) -> None:
    outcome = found.outcome
    assert outcome.due == outcome.sent == outcome.ok == outcome.answered >= 70
    assert outcome.dropped == outcome.failed == 0
    assert outcome.stages["total"].count == outcome.ok
    assert found.version


def test_verdict_and_percentile_of_loadgen_are_kept(found: LoadgenOutcome) -> None:
    assert found.summary.scenario == "Server"
    assert found.summary.metric == "completed images per second"
    assert found.outcome.latency is not None
    # LoadGen counts from when it had scheduled a query, which is before it hands it over
    assert found.summary.p99 >= 0.9 * found.outcome.latency.percentile(99)
    if not found.summary.valid:
        assert found.summary.reasons
    assert found.valid == found.summary.valid


def test_queries_that_fail_make_a_run_invalid_whatever_loadgen_says(tiny_service: str) -> None:
    prepared = prepare(Target(tiny_service, "tiny"))
    messages = tuple(message.replace(b"/tiny/", b"/gone/") for message in prepared.messages)
    scenario = ServerScenario(200.0, latency_bound=5.0, seconds=0.1, min_queries=5)
    found = run_loadgen(replace(prepared, messages=messages), scenario)
    assert found.outcome.errors == {"status 404": found.outcome.due}
    assert not found.valid


def test_scenario_that_cannot_be_is_said() -> None:
    with pytest.raises(InputError, match="latency bound 0"):
        ServerScenario(10.0, latency_bound=0.0)
    with pytest.raises(InputError, match="rate is -1"):
        ServerScenario(-1.0)
