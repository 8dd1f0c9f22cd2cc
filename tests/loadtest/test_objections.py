"""When a run is INVALID, and how processes' counts become one; and what cannot be asked for."""

import copy

import pytest

from loadtest.load import Closed, Load, Open
from loadtest.objections import objections
from loadtest.tally import Tally, added
from loadtest.target import Target
from measuring.errors import InputError

OPEN, CLOSED = Load(Open(100.0)), Load(Closed(4))


def tally(*, lag: float = 0.0, latency: float = 0.01, cpu: float = 0.1, dropped: int = 0) -> Tally:
    """A hundred requests, all alike but for what was dropped."""
    made = Tally(10.0, 20.0, cpu=[cpu])
    for number in range(100):
        due = 10.0 + number / 10
        made.send(due, due + lag)
        made.right(due, due + lag, due + latency, {"total": 0.9 * latency})
    for number in range(dropped):
        made.drop(10.0 + number)
    return made


def test_generator_that_keeps_up_has_no_objections() -> None:
    assert objections(OPEN, tally()) == ()
    assert objections(OPEN, tally(lag=0.002, latency=0.05)) == ()  # late, but hardly by comparison
    assert objections(OPEN, tally(lag=0.0009, latency=0.001)) == ()  # what a clock can do
    assert objections(CLOSED, tally(lag=0.5, latency=1.0)) == ()  # has no moments to keep


@pytest.mark.parametrize(
    ("load", "counted", "reason"),
    [
        (OPEN, tally(lag=0.002, latency=0.01), "sent 2 ms late at p50, over 10% of the latency"),
        (OPEN, tally(cpu=0.85), "its process 1 used 85% of a core, over 80%"),
        (CLOSED, tally(cpu=0.95), "its process 1 used 95% of a core"),
        (OPEN, tally(dropped=3), "3 of 103 requests were not sent, since all 1,000 connections"),
    ],
)
def test_generator_that_was_the_limit_is_objected_to(
    load: Load, counted: Tally, reason: str
) -> None:
    assert reason in objections(load, counted)[0]


def test_counts_of_processes_are_added_exactly() -> None:
    one, other = tally(lag=0.001, dropped=2), tally(latency=0.5, cpu=0.3)
    other.wrong(12.0, "timeout", "late")
    one.wrong(12.0, "timeout", "later")
    one.wrong(13.0, "reset", "gone")
    both = added([copy.deepcopy(one), copy.deepcopy(other)])
    assert (both.due, both.sent, both.ok, both.dropped) == (202, 200, 200, 2)
    assert both.answered == one.answered + other.answered
    assert both.errors == {"timeout": 2, "reset": 1}
    assert both.examples == {"timeout": "later", "reset": "gone"}
    assert both.cpu == [0.1, 0.3]
    latency = both.latency.latencies()
    assert latency is not None
    assert latency.samples is not None
    assert sorted(latency.samples) == pytest.approx([0.01] * 100 + [0.5] * 100)
    assert both.stages["total"].count == 200
    assert both.timeline[3].sent == one.timeline[3].sent + other.timeline[3].sent
    assert both.timeline[3].slowest == pytest.approx(0.5)
    assert (both.timeline[2].failed, both.timeline[3].failed) == (2, 1)


def test_warm_up_is_not_counted_but_its_answers_may_come_later() -> None:
    made = Tally(10.0, 20.0)
    made.send(9.9, 9.9)
    made.right(9.9, 9.9, 10.1, {"total": 0.1})
    made.drop(9.0)
    made.wrong(9.5, "timeout", "")
    made.send(19.9, 19.9)
    made.right(19.9, 19.9, 20.2, {})
    assert (made.due, made.ok, made.answered) == (1, 1, 1)
    assert not made.errors
    assert list(made.timeline) == [9]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Open(0.0), "rate is 0 requests/s, expected above 0"),
        (lambda: Open(float("nan")), "rate is nan"),
        (
            lambda: Open(1.0, "uniform"),  # type: ignore[arg-type]
            "'uniform', expected poisson or constant or loadgen",
        ),
        (lambda: Closed(0), "connections are 0"),
        (lambda: Load(Closed(2), processes=3), "2 connections for 3 processes"),
        (lambda: Load(Closed(), seconds=0.0), "seconds is 0.0 s"),
        (lambda: Load(Closed(), seed=-1), "seed is -1"),
        (lambda: Target("https://h", "m"), "'https://h' asks for TLS.* http://HOST:PORT"),
        (lambda: Target("http://a:b@h", "m"), "a name or a password in it"),
        (lambda: Target("http://h/?a=1", "m"), "is no address .* http://HOST:PORT"),
        (lambda: Target("http://h/#a", "m"), "is no address"),
        (lambda: Target("http://h/a b", "m"), "is no address"),
        (lambda: Target("http://h/\u65e5", "m"), "is no address"),
        (lambda: Target("http://h:x", "m"), "is no address"),
        (lambda: Target("localhost:8000", "m"), "is no address"),
        (lambda: Target("http://h", "m", "v1"), "/v1 takes pictures, not pixels"),
        (lambda: Target("http://h", "m", "v1", "jpeg", 2), "one picture per request, not 2"),
        (
            lambda: Target("http://h", "m", "v3"),  # type: ignore[arg-type]
            "protocol 'v3' with body 'pixels'",
        ),
        (lambda: Target("http://h", "m", batch=0), "batch size is 0"),
        (lambda: Target("http://h", "m", timeout=0.0), "timeout is 0.0 s"),
        (lambda: Target("http://h", "m", "v2", "jpeg", side=1), "picture side is 1"),
    ],
)
def test_what_cannot_be_asked_for_is_said(make: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()  # type: ignore[operator]
