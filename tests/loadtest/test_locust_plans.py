"""Users over time, and where a ramp ends: numbers made by hand, no locust."""

import math

import pytest
from scipy.stats import binom  # type: ignore[import-untyped]

from loadtest import slo
from loadtest.locust_plans import Counts, Course, Plan, Window, at_least, make_plan

BOUNDS = slo.parse("p99=100ms,errors=1%")


def shape(plan: Plan) -> list[tuple[int, float]]:
    return [(phase.users, phase.seconds) for phase in plan.phases]


def test_shapes_have_the_users_and_the_length_that_were_asked_for() -> None:
    assert shape(make_plan("constant", users=7)) == [(7, math.inf)]
    assert shape(make_plan("steps", users=10, seconds=50.0, steps=5)) == [
        (2, 10.0), (4, 10.0), (6, 10.0), (8, 10.0), (10, 10.0),
    ]  # fmt: skip
    assert shape(make_plan("spike", users=50, seconds=100.0, base_users=5)) == [
        (5, 40.0), (50, 20.0), (5, 40.0),
    ]  # fmt: skip
    soak = make_plan("soak", users=8)
    assert {users for users, _ in shape(soak)} == {8}
    assert sum(seconds for _, seconds in shape(soak)) == pytest.approx(3_600.0)
    assert sum(seconds for _, seconds in shape(make_plan("ramp", users=100))) == pytest.approx(
        200.0
    )


def test_steps_are_as_many_as_there_are_users_for() -> None:
    assert shape(make_plan("ramp", users=3, seconds=30.0)) == [(1, 10.0), (2, 10.0), (3, 10.0)]


def test_phase_ends_when_its_time_is_over() -> None:
    plan = make_plan("steps", users=2, seconds=20.0, steps=2)
    assert [plan.index_at(elapsed) for elapsed in (0.0, 9.9, 10.0, 19.9, 20.0)] == [
        0,
        0,
        1,
        1,
        None,
    ]


def test_percentiles_are_those_of_what_came_since() -> None:
    before = Counts(100, 0, {500.0: 100})
    after = Counts(300, 4, {500.0: 100, 2.0: 150, 3.0: 48, 90.0: 2})
    window = Window(before, after, 10.0)
    assert window.answered == 200
    assert window.rate == 20.0
    assert window.error_share == 0.02
    assert window.percentile(50.0) == 0.002
    assert window.percentile(75.0) == 0.002
    assert window.percentile(76.0) == 0.003
    assert window.percentile(100.0) == 0.09
    assert window.told() == "20.0 requests/s, p50 2 ms, p99 3 ms, errors 2.00%"


class Crowd:
    """A service of which each user takes 1,000 requests in a second, with `slow(users)` of them
    taking a second and `failed(users)` of them failing."""

    def __init__(self, slow: float, failed: float) -> None:
        self.slow, self.failed = slow, failed
        self.users = 0
        self.counts = Counts()

    def second(self) -> None:
        many = 1_000 * self.users
        slow = round(many * min(1.0, self.slow * self.users))
        times = dict(self.counts.times)
        for time, count in ((5.0, many - slow), (1_000.0, slow)):
            times[time] = times.get(time, 0) + count
        failures = self.counts.failures + round(many * self.failed * self.users)
        self.counts = Counts(self.counts.requests + many, failures, times)


def run(plan: Plan, crowd: Crowd) -> tuple[Course, list[int], list[str]]:
    course, users, told = Course(plan), list[int](), list[str]()
    for elapsed in range(1_000):
        tick = course.tick(float(elapsed), lambda: crowd.counts)
        told += tick.told
        if tick.users is None:
            break
        crowd.users = tick.users
        users.append(tick.users)
        crowd.second()
    return course, users, told


def ramp() -> Plan:
    return make_plan("ramp", users=10, seconds=40.0, slo=BOUNDS)


def test_ramp_ends_at_the_users_whose_latency_is_over_the_bound() -> None:
    course, users, told = run(ramp(), Crowd(slow=0.003, failed=0.0))
    assert users == [1] * 4 + [2] * 4 + [3] * 4 + [4] * 4
    assert (course.held, course.broke, course.exit_code) == (3, 4, 0)
    assert told[-1] == "p99=100ms,errors=1% broke at 4 users; 3 users kept it"
    assert "4 users: p99 is 1s, 900ms (900%) over the bound of 100ms" in told
    assert told[0].startswith("step 1 of 10, 1 users: 1,000.0 requests/s, p50 5 ms, p99 5 ms")


def test_ramp_ends_at_the_users_with_too_many_errors() -> None:
    course, _, told = run(ramp(), Crowd(slow=0.0, failed=0.005))
    assert (course.held, course.broke) == (2, 3)
    assert any(line.startswith("3 users: errors") and "1.5%" in line for line in told)


def test_ramp_that_nobody_breaks_says_so() -> None:
    course, users, told = run(ramp(), Crowd(slow=0.0, failed=0.0))
    assert (len(users), course.held, course.broke) == (40, 10, None)
    assert course.exit_code is None  # as locust has it
    assert told[-1].startswith("p99=100ms,errors=1% did not break; 10 users kept it")


def test_ramp_that_the_first_user_breaks_has_nothing_that_held() -> None:
    course, users, told = run(ramp(), Crowd(slow=1.0, failed=0.0))
    assert (users, course.held, course.broke, course.exit_code) == ([1] * 4, None, 1, 1)
    assert told[-1].endswith("broke at 1 users; no step is known to have kept it")


def after_one_step(times: dict[float, int]) -> tuple[Course, tuple[str, ...]]:
    course = Course(make_plan("ramp", users=1, seconds=4.0, slo=BOUNDS))
    course.tick(1.0, Counts)
    tick = course.tick(4.0, lambda: Counts(sum(times.values()), 0, times))
    assert tick.users is None
    return course, tick.told


def test_too_few_answers_neither_break_nor_keep() -> None:
    course, told = after_one_step({20.0: 300, 900.0: 6})
    assert (course.held, course.broke, course.exit_code) == (None, None, 1)
    assert "n too small" in told[1]
    assert told[2].startswith("p99=100ms,errors=1% did not break; no step is known to have kept it")


def test_few_answers_break_a_percentile_that_too_many_of_them_exceed() -> None:
    course, told = after_one_step({20.0: 300, 900.0: 10})
    assert (course.held, course.broke) == (None, 1)
    assert told[1] == (
        "1 users: p99=100ms is broken: 10 of 310 answers took longer, expected 1.000% at most"
    )


def test_a_service_that_does_not_answer_breaks_every_bound() -> None:
    assert after_one_step({})[0].broke == 1


@pytest.mark.parametrize(("hits", "count", "chance"), [(10, 310, 0.01), (3, 3, 0.2), (40, 60, 0.5)])
def test_binomial_tail_is_scipys(hits: int, count: int, chance: float) -> None:
    assert at_least(hits, count, chance) == pytest.approx(binom.sf(hits - 1, count, chance))


def test_other_shapes_tell_of_each_phase_and_end_with_their_time() -> None:
    course, users, told = run(
        make_plan("spike", users=9, seconds=20.0, base_users=2, slo=BOUNDS), Crowd(1.0, 0.0)
    )
    assert users == [2] * 8 + [9] * 4 + [2] * 8
    assert [line.partition(":")[0] for line in told] == [
        "before the spike, 2 users", "spike, 9 users", "after it, 2 users",
    ]  # fmt: skip
    assert (course.broke, course.exit_code) == (None, None)
