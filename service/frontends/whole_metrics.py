"""The metrics of a front end: it counts for itself, and tells what all processes have counted."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from service.frontends.families import Document, merged
from service.metrics import Metrics


class WholeMetrics(Metrics):
    """`own`: what this process counts; `registry`, which /metrics shows: what all of them do, as it
    was gathered last, and what this one can see of the machine."""

    def __init__(self) -> None:
        super().__init__(CollectorRegistry(auto_describe=True))
        self.own = self.registry
        self.take([])

    def take(self, gathered: Document) -> None:
        """What all have counted; a registry knows the names of what it has from the start."""
        self.registry = CollectorRegistry(auto_describe=True)
        self.registry.register(_Gathered(merged([gathered])))
        self.registry.register(self._gpus)


class _Gathered(Collector):
    def __init__(self, families: list[Metric]) -> None:
        self.families = families

    def collect(self) -> Iterable[Metric]:
        return self.families
