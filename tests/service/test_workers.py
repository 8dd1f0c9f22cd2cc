import asyncio
import gc
import threading
import time
import weakref
from contextlib import suppress

import pytest

from service.seam import Priority
from service.workers import Workers

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_workers_compute_off_the_loop_and_answer_each_caller() -> None:
    workers = Workers(2, "test")
    names = await asyncio.gather(
        *(workers.submit(lambda i=i: (i, threading.current_thread().name)) for i in range(50))  # type: ignore[misc]
    )
    workers.close()
    assert [index for index, _ in names] == list(range(50))
    assert {name for _, name in names} <= {"test-0", "test-1"}


async def test_workers_compute_no_more_at_once_than_there_are_threads() -> None:
    workers, lock, running, most = Workers(3, "test"), threading.Lock(), 0, 0

    def compute() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.01)
        with lock:
            running -= 1

    await asyncio.gather(*(workers.submit(compute) for _ in range(12)))
    workers.close()
    assert most == 3


async def test_workers_hand_an_error_to_its_caller_alone() -> None:
    workers = Workers(1, "test")
    broken = workers.submit(lambda: 1 / 0)
    whole = workers.submit(lambda: 7)
    with pytest.raises(ZeroDivisionError):
        await broken
    assert await whole == 7
    workers.close()


async def test_workers_never_start_what_nobody_waits_for() -> None:
    workers, gate, started = Workers(1, "test"), threading.Event(), list[str]()
    first = workers.submit(gate.wait)
    given_up = workers.submit(lambda: started.append("given up"))
    last = workers.submit(lambda: started.append("last"))
    given_up.cancel()
    gate.set()
    await asyncio.gather(first, last)
    workers.close()
    assert started == ["last"]


async def test_workers_take_what_is_normal_first() -> None:
    workers, gate, order = Workers(1, "test"), threading.Event(), list[str]()
    first = workers.submit(gate.wait)
    calls = [
        workers.submit(lambda: order.append("background"), Priority.BACKGROUND),
        workers.submit(lambda: order.append("normal")),
    ]
    gate.set()
    await asyncio.gather(first, *calls)
    workers.close()
    assert order == ["normal", "background"]


async def test_workers_survive_a_caller_who_leaves_while_they_compute() -> None:
    workers, gate, inside = Workers(1, "test"), threading.Event(), threading.Event()

    def compute() -> None:
        inside.set()
        gate.wait()

    call = workers.submit(compute)
    while not inside.is_set():
        await asyncio.sleep(0.001)
    call.cancel()
    gate.set()
    assert await workers.submit(lambda: "still there") == "still there"
    workers.close()


async def test_workers_closed_cancel_what_waits_and_refuse_more() -> None:
    workers, gate = Workers(1, "test"), threading.Event()
    running, waiting = workers.submit(gate.wait), workers.submit(lambda: None)
    await asyncio.sleep(0.01)
    workers.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    gate.set()
    assert await running
    with pytest.raises(RuntimeError, match="told to end"):
        workers.submit(lambda: None)


async def test_workers_threads_end_when_closed() -> None:
    workers = Workers(2, "ending")
    await workers.submit(lambda: None)
    workers.close()
    for thread in threading.enumerate():
        if thread.name.startswith("ending"):
            thread.join(5)
            assert not thread.is_alive()


async def test_workers_keep_nothing_of_a_failed_call_alive() -> None:
    """Neither in a thread that waits nor in a cycle: pictures are too large to wait for."""

    class Payload:
        pass

    async def fail_with(payload: Payload) -> None:
        def fail() -> None:
            raise ValueError(str(payload))

        with suppress(ValueError):
            await workers.submit(fail)

    workers, payload = Workers(1, "test"), Payload()
    gone = weakref.ref(payload)
    gc.disable()
    try:
        await fail_with(payload)
        del payload
        await workers.submit(lambda: None)
        assert gone() is None
    finally:
        gc.enable()
        workers.close()


def test_workers_outlive_a_loop_that_was_closed_before_the_answer() -> None:
    gate = threading.Event()

    async def leave() -> Workers:
        workers = Workers(1, "test")
        workers.submit(gate.wait)
        return workers

    workers = asyncio.run(leave())
    gate.set()

    async def ask() -> str:
        return await workers.submit(lambda: "answered")

    assert asyncio.run(ask()) == "answered"
    workers.close()
