"""How an overload is judged, on arrivals made by hand."""

import numpy as np
import pytest

from benchmarks.open_loop import Arrivals
from benchmarks.serving_recovery import Overload, judge

OVERLOAD = Overload(start=10.0, end=20.0, capacity=10.0, deadline=0.25)


def arrivals(status: dict[float, int], slow: dict[float, float] | None = None) -> Arrivals:
    """Ten a second for 30 seconds, twenty during the overload, all answered 200 in 10 ms but those
    due at the given moments."""
    calm = np.arange(0, 10, 0.1), np.arange(20, 30, 0.1)
    due = np.round(np.concatenate([calm[0], np.arange(10, 20, 0.05), calm[1]]), 2)
    taken = np.array([(slow or {}).get(moment, 0.01) for moment in due.tolist()])
    states = np.array([status.get(moment, 200) for moment in due.tolist()], np.int64)
    return Arrivals(due, due + 0.001, due + 0.001 + taken, states)


def test_goodput_counts_good_answers_alone() -> None:
    every_other = {round(10 + n / 10, 2): 503 for n in range(100)}
    found = judge(arrivals(every_other), OVERLOAD)
    assert found["goodput"] == pytest.approx(1.0, abs=0.02)
    assert found["refused"] == 100
    assert found["refusal_p99"] == pytest.approx(0.01)
    assert found["late"] == found["expired"] == found["unanswered"] == 0
    assert found["recovery"] == 0.0


def test_late_expired_and_lost_answers_are_told_apart() -> None:
    states = {12.05: 504, 12.1: 0, 12.2: 503, 12.3: 503}
    found = judge(arrivals(states, {12.2: 0.245, 13.0: 0.3}), OVERLOAD)
    assert (found["expired"], found["unanswered"], found["late"]) == (2, 1, 1)
    assert found["refused"] == 1
    assert found["most"] == pytest.approx(0.3)


def test_recovery_lasts_until_the_last_slow_or_refused_request() -> None:
    found = judge(arrivals({20.2: 503}, {20.7: 0.1, 21.0: 0.02}), OVERLOAD)
    assert found["recovery"] == pytest.approx(0.7)
