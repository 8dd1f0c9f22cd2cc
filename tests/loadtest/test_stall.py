"""A service that stalls once: who arrives meanwhile waits, and the figures must say so.

Clients that wait for their answers do not arrive meanwhile, so that the figures of a closed loop
hide the stall: one slow request among hundreds (coordinated omission).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from loadtest.load import Closed, Load, Open
from loadtest.outcome import Outcome
from loadtest.prepared import prepare
from loadtest.run import run_load
from loadtest.target import Target
from tests.loadtest.stalling_engine import StallingEngine
from tests.service.local_service import LocalService

RATE = 200.0


@contextmanager
def stalling(engine: StallingEngine) -> Iterator[str]:
    service = LocalService(engine, capacity=10_000, requests=10_000)
    try:
        yield service.client.url
    finally:
        service.stop()


def measured(seconds: float, stall: float) -> tuple[Outcome, Outcome]:
    """The same stall in an open and in a closed loop of the same length."""
    engine = StallingEngine(after=0.3 * seconds, stall=stall)
    outcomes = []
    with stalling(engine) as url:
        prepared = prepare(Target(url, "tiny"))
        for traffic in (Open(RATE, "constant"), Closed(1)):
            engine.arm()
            load = Load(traffic, seconds, warm_up=0.0)
            outcomes.append(run_load(prepared.target, load, prepared=prepared))
    return outcomes[0], outcomes[1]


@pytest.mark.parametrize(
    ("seconds", "stall"),
    [
        pytest.param(2.0, 0.5, id="half-a-second-in-two"),
        pytest.param(20.0, 2.0, id="two-seconds-in-twenty", marks=pytest.mark.full),
    ],
)
def test_open_loop_shows_the_stall_that_a_closed_one_hides(seconds: float, stall: float) -> None:
    crowd, client = measured(seconds, stall)

    assert crowd.ok == crowd.due == RATE * seconds
    assert crowd.latency is not None
    assert crowd.latency.samples is not None
    # who is due at x seconds of the stall waits for the rest of it: of all requests the slowest
    # hundredth is due in its first hundredth of the whole run
    must = stall - 0.01 * seconds
    assert crowd.latency.percentile(99) >= 0.95 * must
    waited = np.count_nonzero(crowd.latency.samples > 0.5 * stall)
    assert waited >= 0.9 * 0.5 * stall * RATE
    assert max(second.slowest for second in crowd.timeline) >= 0.95 * stall

    assert client.latency is not None
    assert client.latency.samples is not None
    assert client.ok == client.due >= 100
    assert client.latency.summary["max"] >= stall
    assert np.count_nonzero(client.latency.samples > 0.5 * stall) == 1
    assert client.latency.percentile(99) < 0.5 * must


def test_what_cannot_be_sent_during_the_stall_is_not_forgotten() -> None:
    engine = StallingEngine(after=0.1, stall=0.3)
    with stalling(engine) as url:
        prepared = prepare(Target(url, "tiny"))
        engine.arm()
        load = Load(Open(100.0, "constant", max_connections=1), 0.6, warm_up=0.0)
        outcome = run_load(prepared.target, load, prepared=prepared)
    assert outcome.due == 60
    assert outcome.dropped >= 25
    assert outcome.error_share >= 25 / 60
    assert "requests were not sent, since all 1 connections waited" in outcome.invalid[0]
