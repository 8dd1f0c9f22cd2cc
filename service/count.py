"""Counters for the path that every request takes: adding is a look into a dictionary.

The Prometheus client's own takes a lock. Here one thread counts and is asked, the event loop's.
"""

from collections.abc import Iterable, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily
from prometheus_client.registry import Collector


class Count(Collector):
    """A family of counters without `_total` in its name. To be used from one thread."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], int] = {}
        registry.register(self)

    def declare(self, *labels: str) -> None:
        """The series is there from now on, at zero."""
        self._series.setdefault(labels, 0)

    def add(self, amount: int, *labels: str) -> None:
        self._series[labels] = self._series.get(labels, 0) + amount

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, count in self._series.items():
            family.add_metric(labels, count)
        return (family,)
