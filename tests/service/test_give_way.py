import os
import threading

import pytest

from service.give_way import give_way
from tests.service.conftest import MakeBatcher
from tests.service.fakes import FakeEngine
from tests.service.jobs import answer, put

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="a policy of Linux"),
]


def test_give_way_is_for_the_calling_thread_alone() -> None:
    found: list[int] = []

    def compute() -> None:
        give_way()
        found.append(os.sched_getscheduler(0))

    thread = threading.Thread(target=compute)
    thread.start()
    thread.join()
    assert found == [os.SCHED_BATCH]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER


async def test_instances_give_way_to_the_event_loop(make_batcher: MakeBatcher) -> None:
    batcher = make_batcher(FakeEngine(), name="polite")
    assert await answer(put(batcher, 7)) == [7.0]
    (instance,) = (thread for thread in threading.enumerate() if thread.name == "polite-0")
    assert instance.native_id is not None
    assert os.sched_getscheduler(instance.native_id) == os.SCHED_BATCH
    assert os.sched_getscheduler(threading.get_native_id()) == os.SCHED_OTHER
