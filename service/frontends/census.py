"""What the processes of a service have counted, those that have ended included: the supervisor
remembers, so that no counter ever goes back."""

import asyncio
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.frontends.child import Child
from service.frontends.families import Document as Families
from service.frontends.families import document, growing, merged
from service.frontends.line import Document
from service.frontends.process import ENGINE, FRONTEND

PATIENCE = 1.0
"""Seconds for a process to tell; then what it told before must do."""


class Census(Collector):
    """`restarts` by role. Also a collector of what the supervisor knows of the processes."""

    def __init__(self, names: Sequence[str]) -> None:
        """`names`: of the processes that there should be."""
        self._names = tuple(names)
        self.restarts: Counter[str] = Counter({ENGINE: 0, FRONTEND: 0})
        self._left: Families = []
        """What those have counted that have ended."""
        self._statistics: dict[str, Any] = {}
        self._pending: dict[str, int] = {}
        self._models: list[Any] = []
        self._switched_off: list[str] = []
        self._numbers = itertools.count(1)
        self._asked: dict[tuple[int, int], asyncio.Event] = {}
        self._children: Sequence[Child] = ()
        self._own = CollectorRegistry()
        ProcessCollector(registry=self._own)
        self._own.register(self)

    def handed_on(self) -> Document:
        """What a new engine process goes on from."""
        return {
            "statistics": self._statistics,
            "models": self._models,
            "switched_off": self._switched_off,
        }

    def hear(self, child: Child, said: Document) -> None:
        """What a process tells by itself or was asked for."""
        if "families" in said:
            child.counted = said["families"]
        if "statistics" in said:
            self._statistics = said["statistics"]
        if "pending" in said:
            self._pending = said["pending"]
        if "models" in said:
            self._models = said["models"]
            self._switched_off = said["switched_off"]
        if waiting := self._asked.get((child.pid, said.get("told", 0))):
            waiting.set()

    def ended(self, child: Child) -> None:
        self._left = document(merged([self._left, growing(child.counted)]))
        child.counted = []
        if child.role == ENGINE:
            self._pending = {}
        for (pid, _), waiting in self._asked.items():
            if pid == child.pid:
                waiting.set()

    async def take(self, children: Iterable[Child]) -> None:
        """Ask all that are up, and wait for them as long as is reasonable."""
        number = next(self._numbers)
        asked = []
        for child in children:
            if child.up:
                self._asked[child.pid, number] = asyncio.Event()
                asked.append((child.pid, number))
                child.say(do="ask", number=number)
        try:
            async with asyncio.timeout(PATIENCE):
                for key in asked:
                    await self._asked[key].wait()
        except TimeoutError:
            pass
        finally:
            for key in asked:
                del self._asked[key]

    def whole(self, children: Sequence[Child]) -> Document:
        """All of it added up."""
        self._children = children
        told = [self._left, *(child.counted for child in children), document(self._own.collect())]
        return {
            "families": document(merged(told)),
            "statistics": self._statistics,
            "pending": self._pending,
        }

    def collect(self) -> Iterable[Metric]:
        restarts = CounterMetricFamily(
            "stride_process_restarts",
            "Processes that were started again after they had ended.",
            labels=("process",),
        )
        for role, count in self.restarts.items():
            restarts.add_metric((role,), count)
        up = GaugeMetricFamily(
            "stride_process_up", "1 while a process of the service works.", labels=("process",)
        )
        memory = GaugeMetricFamily(
            "stride_process_resident_memory_bytes",
            "Resident memory of each process; what they share counts in each.",
            labels=("process",),
        )
        children = {child.name: child for child in self._children}
        for name in self._names:
            child = children.get(name)
            up.add_metric((name,), float(child is not None and child.up))
            memory.add_metric((name,), child.resident_bytes if child is not None else 0)
        memory.add_metric(("supervisor",), _own_resident_bytes())
        return (restarts, up, memory)


def _own_resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
