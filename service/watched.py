"""Metrics that cost nothing until somebody scrapes: each value is asked for then."""

from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

Value = Callable[[], float]


class Watched(Collector):
    """One family, with a source for each of its series. To be used from one thread."""

    def __init__(
        self,
        family: type[CounterMetricFamily] | type[GaugeMetricFamily],
        name: str,
        documentation: str,
        labels: Sequence[str] = (),
        *,
        registry: CollectorRegistry,
    ) -> None:
        self._family = family
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._sources: dict[tuple[str, ...], Value] = {}
        registry.register(self)

    def watch(self, value: Value, *labels: str) -> None:
        """The series is there from now on; a source it had is forgotten."""
        self._sources[labels] = value

    def forget(self, first: str) -> None:
        """Every series with this value of the first label is gone."""
        self._sources = {k: v for k, v in self._sources.items() if k[0] != first}

    def collect(self) -> Iterable[CounterMetricFamily | GaugeMetricFamily]:
        family = self._family(self._name, self._documentation, labels=self._labels)
        for labels, value in self._sources.items():
            family.add_metric(labels, value())
        return (family,)
