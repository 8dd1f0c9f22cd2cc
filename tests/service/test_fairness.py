"""Models on cores that are not enough for all. In the tests of the gate alone, a second is what
the test says it is."""

import asyncio
import threading
import time
from collections.abc import Callable

import pytest

from inference.engine import Logits, Pixels
from service.batcher import Batcher
from service.fairness import CoreGate, Share, Turn
from tests.service.fakes import FakeEngine
from tests.service.jobs import put

pytestmark = pytest.mark.anyio
MakeBatcher = Callable[..., Batcher]


def test_gate_with_cores_for_everybody_asks_nothing() -> None:
    gate = CoreGate(cores=2)
    shares = [gate.join(threads=1, instances=1) for _ in range(2)]

    assert not gate.contended
    assert [share.ask(1.0) for share in shares] == [None, None]


def test_gate_is_contended_only_while_several_models_ask_for_too_much() -> None:
    gate = CoreGate(cores=2)
    alone = gate.join(threads=2, instances=4)
    assert alone.ask(1.0) is None  # more threads than cores, but its own business
    other = gate.join(threads=2, instances=1)
    assert alone.ask(1.0) is not None
    other.close()
    assert alone.ask(1.0) is None


def waiting(*shares: Share) -> int:
    return sum(len(share.waiting) for share in shares)


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.0005)


def entered(share: Share, seconds: float) -> Turn:
    turn = share.ask(seconds)
    assert turn is not None
    turn.wait()
    return turn


class Saturated:
    """Models of two instances each, on one core, that all want to run all the time."""

    def __init__(self, gate: CoreGate, costs: dict[str, float]) -> None:
        self.used = dict.fromkeys(costs, 0.0)
        self._shares = {name: gate.join(threads=1, instances=2) for name in costs}
        self._costs = costs
        self._over = False

    def alone(self, name: str, turns: int) -> None:
        """This one runs while the others are idle."""
        for _ in range(turns):
            entered(self._shares[name], self._costs[name]).end(self._costs[name])

    def run(self, turns: int) -> None:
        """All of them want to run; every turn but the last ends when all others wait for theirs."""
        left = [turns]
        threads = [
            threading.Thread(target=self._instance, args=(name, left), daemon=True)
            for name in self._costs
            for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()

    def _instance(self, name: str, left: list[int]) -> None:
        others = 2 * len(self._shares) - 1
        while left[0] > 0:
            turn = entered(self._shares[name], 1.0)  # expected wrongly, and set right at its end
            if left[0] > 0:
                wait_for(lambda: waiting(*self._shares.values()) == others)
                self.used[name] += self._costs[name]
                left[0] -= 1
            turn.end(self._costs[name])


def test_gate_shares_core_seconds_equally_between_saturated_models() -> None:
    models = Saturated(CoreGate(cores=1), {"light": 1.0, "heavy": 7.0})

    models.run(turns=80)

    assert abs(models.used["light"] - models.used["heavy"]) <= 2 * 7.0
    assert sum(models.used.values()) >= 80


def test_gate_gives_no_credit_for_idling() -> None:
    models = Saturated(CoreGate(cores=1), {"busy": 1.0, "idle": 1.0})
    models.alone("busy", 1000)

    models.run(turns=40)

    assert abs(models.used["busy"] - models.used["idle"]) <= 3


def test_gate_lets_a_light_model_go_before_a_heavy_one_that_came_first() -> None:
    gate = CoreGate(cores=1)
    heavy, light = (gate.join(threads=1, instances=2) for _ in range(2))
    order: list[str] = []

    def run(name: str, share: Share) -> None:
        turn = entered(share, 10.0)
        order.append(name)
        turn.end(10.0)

    running = entered(heavy, 10.0)
    threads = [threading.Thread(target=run, args=("heavy", heavy))]
    threads[0].start()
    wait_for(lambda: waiting(heavy) == 1)
    threads.append(threading.Thread(target=run, args=("light", light)))
    threads[1].start()
    wait_for(lambda: waiting(light) == 1)
    running.end(10.0)
    for thread in threads:
        thread.join(30)

    assert order == ["light", "heavy"]


def test_gate_starts_a_wide_instance_when_one_core_is_free_and_then_nobody_else() -> None:
    gate = CoreGate(cores=2)
    narrow, wide = gate.join(threads=1, instances=2), gate.join(threads=2, instances=1)
    first = entered(narrow, 1.0)
    broad = entered(wide, 1.0)
    late: list[Turn] = []
    thread = threading.Thread(target=lambda: late.append(entered(narrow, 1.0)))
    thread.start()
    wait_for(lambda: waiting(narrow) == 1)

    first.end(1.0)
    assert waiting(narrow) == 1  # the wide one has both cores now
    broad.end(1.0)
    thread.join(30)
    assert len(late) == 1


class Meter:
    """How many engines run at once."""

    def __init__(self) -> None:
        self.now = self.most = 0


class MeteredEngine(FakeEngine):
    """A fake that takes its time by sleeping."""

    def __init__(self, seconds: float, meter: Meter) -> None:
        super().__init__()
        self.spent = 0.0
        self._seconds = seconds
        self._meter = meter

    def infer(self, pixels: Pixels) -> Logits:
        started = time.perf_counter()
        self._meter.now += 1
        self._meter.most = max(self._meter.most, self._meter.now)
        time.sleep(self._seconds)
        self._meter.now -= 1
        self.spent += time.perf_counter() - started
        return super().infer(pixels)


@pytest.mark.parametrize("instances", [1, 2])
async def test_batchers_saturated_get_equal_engine_seconds(
    make_batcher: MakeBatcher, instances: int
) -> None:
    gate, meter = CoreGate(cores=1), Meter()
    engines = [[MeteredEngine(t, meter) for _ in range(instances)] for t in (0.002, 0.01)]
    batchers = [
        make_batcher(
            *own, max_batch=1, capacity=1000, share=gate.join(threads=1, instances=instances)
        )
        for own in engines
    ]
    jobs = [[put(batcher, 1) for _ in range(100)] for batcher in batchers]

    await jobs[0][-1].future  # as long as both had work
    light, heavy = (sum(engine.spent for engine in own) for own in engines)
    for job in jobs[1]:
        job.future.cancel()

    assert meter.most == 1
    assert abs(light - heavy) <= 0.2 * light + 2 * 0.01


async def test_batcher_cuts_its_batch_once_it_has_a_core(make_batcher: MakeBatcher) -> None:
    gate = CoreGate(cores=1)
    shares = [gate.join(threads=1, instances=1) for _ in range(2)]
    first, second = FakeEngine(held=True), FakeEngine()
    running = put(make_batcher(first, share=shares[0]), 0)
    batcher = make_batcher(second, share=shares[1])
    await first.running()
    jobs = [put(batcher, 1)]
    await asyncio.to_thread(wait_for, lambda: waiting(shares[1]) == 1)
    jobs.append(put(batcher, 2))
    first.let_go()

    await asyncio.gather(running.future, *(job.future for job in jobs))
    assert second.calls == [2]
