import pytest

from service.job import Job
from service.lanes import Lanes
from service.seam import Priority
from tests.service.fakes import picture

pytestmark = pytest.mark.anyio
SOON, NEVER = 20.0, 1e9


def lanes_with(*jobs: Job, priority: Priority = Priority.NORMAL) -> Lanes:
    lanes = Lanes(capacity=4)
    for job in jobs:
        lanes.put(job, priority)
    return lanes


async def test_lanes_drop_what_cannot_be_in_time_while_others_wait() -> None:
    hurried, patient = Job(picture(1), SOON), Job(picture(2), NEVER)
    lanes = lanes_with(hurried, patient)

    slices, dropped = lanes.cut(1, merge=True, now=0.0, least=60.0)

    assert dropped == [hurried]
    assert [piece.job for piece in slices] == [patient]
    assert lanes.total == 0


async def test_lanes_try_the_last_one_even_if_it_seems_hopeless() -> None:
    hurried = Job(picture(1), SOON)
    lanes = lanes_with(hurried)

    slices, dropped = lanes.cut(1, merge=True, now=0.0, least=60.0)

    assert dropped == []
    assert [piece.job for piece in slices] == [hurried]


async def test_lanes_drop_what_is_past_its_deadline_without_exception() -> None:
    late = Job(picture(1), SOON)
    lanes = lanes_with(late)

    assert lanes.cut(1, merge=True, now=SOON, least=0.0) == ([], [late])


async def test_lanes_cut_requests_apart_where_they_must_not_be_merged() -> None:
    first, second = Job(picture(1, 2, 3), NEVER), Job(picture(4), NEVER)
    lanes = lanes_with(first, second)

    sizes = []
    while lanes.total:
        slices, _ = lanes.cut(2, merge=False, now=0.0, least=0.0)
        sizes.append([piece.images for piece in slices])

    assert sizes == [[2], [1], [1]]


async def test_lanes_fill_a_batch_from_the_lower_lane() -> None:
    background, normal = Job(picture(1), NEVER), Job(picture(2), NEVER)
    lanes = lanes_with(background, priority=Priority.BACKGROUND)
    lanes.put(normal, Priority.NORMAL)

    assert lanes.ahead_of(Priority.NORMAL) == 1
    assert lanes.ahead_of(Priority.BACKGROUND) == 2
    assert lanes.oldest() == background.arrived
    slices, _ = lanes.cut(2, merge=True, now=0.0, least=0.0)
    assert [piece.job for piece in slices] == [normal, background]


async def test_lanes_do_not_grow_by_what_is_taken_out() -> None:
    """Behind an engine that hangs, clients may come and go away for hours."""
    lanes = lanes_with(Job(picture(0), NEVER))
    for _ in range(100):
        job = Job(picture(1), NEVER)
        lanes.put(job, Priority.NORMAL)
        lanes.take_out(job)
        lanes.take_out(job)  # a second time changes nothing

    assert lanes.total == 1
    assert lanes.length <= 1 + lanes.capacity + 1
    assert job.pixels.size == 0
