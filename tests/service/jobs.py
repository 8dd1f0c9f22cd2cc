"""Requests for the tests of batching."""

import time

from service.batcher import Batcher
from service.job import Job
from service.seam import Answer, Priority
from tests.service.fakes import picture


def put(
    batcher: Batcher, *values: int, priority: Priority = Priority.NORMAL, seconds: float = 60.0
) -> Job:
    """A request with a picture for each value, admitted."""
    job = Job(picture(*values), time.perf_counter() + seconds)
    assert batcher.submit(job, priority) is None
    return job


async def answer(job: Job) -> list[float]:
    """What the fake engine said to each picture."""
    outcome = await job.future
    assert isinstance(outcome, Answer), outcome
    return [float(value) for value in outcome.logits[:, 0]]
