import threading

import pytest

from measuring.errors import InputError
from measuring.timing import Schedule
from measuring.together import visit_together
from tests.measuring.clock import Clock


def test_visit_together_of_one_gives_its_rate() -> None:
    clock = Clock()
    schedule = Schedule(runs=4, seconds=0.0, blocks=1)
    found = visit_together([clock.taking("a", 0.25)], schedule, clock=clock.read)
    assert found.samples.tolist() == [0.25] * 4
    assert found.rate == 4.0
    assert len(clock.calls) == 5  # one more to settle


def test_visit_together_calls_all_at_the_same_time() -> None:
    """Each call waits until as many are in it: alone it would never end."""
    inside = threading.Barrier(3)
    schedule = Schedule(runs=5, seconds=0.0, blocks=1)
    found = visit_together([lambda: inside.wait(timeout=30)] * 3, schedule)
    assert len(found.samples) == 15
    assert found.rate > 0.0


def test_visit_together_times_nothing_until_all_have_settled() -> None:
    """The second settles only after the first has, and would otherwise still be at it."""
    done = threading.Event()
    order: list[str] = []

    def first() -> None:
        order.append("first")
        done.set()

    def second() -> None:
        assert done.wait(timeout=30)
        order.append("second")

    schedule = Schedule(runs=50, seconds=0.0, blocks=1)
    visit_together([first, second], schedule)
    assert sorted(order[:2]) == ["first", "second"]


def test_visit_together_passes_on_what_a_callable_raises() -> None:
    def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        visit_together([fail, int], Schedule(runs=1, seconds=0.0, blocks=1))
    with pytest.raises(InputError, match="nothing to time"):
        visit_together([], Schedule(runs=1, seconds=0.0, blocks=1))
