"""Histograms for the path that every request takes: an observation is a search and two additions.

The Prometheus client's own takes a lock and walks through the buckets. Here one thread records and
is asked, the event loop's, so that neither is needed.
"""

import time
from bisect import bisect_left
from collections.abc import Container, Iterable, Mapping, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString


class Histogram(Collector):
    """`bounds`: the upper bounds of the buckets, ascending, without infinity. To be used from one
    thread."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        bounds: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._told = (*map(floatToGoString, self._bounds), "+Inf")
        self._series: dict[tuple[str, ...], _Series] = {}
        registry.register(self)

    def declare(self, *labels: str) -> None:
        """The series is there from now on, empty."""
        if labels not in self._series:
            self._series[labels] = _Series(len(self._told))

    def observe(self, amount: float, *labels: str) -> None:
        series = self._series.get(labels)
        if series is None:
            series = self._series[labels] = _Series(len(self._told))
        series.counts[bisect_left(self._bounds, amount)] += 1
        series.sum += amount

    def observe_each(
        self, amounts: Mapping[str, float], *labels: str, but: Container[str] = ()
    ) -> None:
        """Each amount in the series with these labels and its own name as the last one."""
        known, bounds = self._series, self._bounds
        for name, amount in amounts.items():
            if name in but:
                continue
            series = known.get(key := (*labels, name))
            if series is None:
                series = known[key] = _Series(len(self._told))
            series.counts[bisect_left(bounds, amount)] += 1
            series.sum += amount

    def exemplify(self, amount: float, trace: tuple[str, str], *labels: str) -> None:
        """What was observed last of that series is an example: these are its trace and its span.
        The latest of each bucket is kept."""
        series = self._series.get(labels)
        bucket = bisect_left(self._bounds, amount)
        if series is not None and series.counts[bucket]:
            told = {"trace_id": trace[0], "span_id": trace[1]}
            series.exemplars[bucket] = Exemplar(told, amount, time.time())

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        for labels, series in self._series.items():
            buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
            for index, count in enumerate(accumulate(series.counts)):
                example = series.exemplars.get(index)
                bound = self._told[index]
                buckets.append((bound, count, example) if example else (bound, count))
            family.add_metric(labels, buckets, series.sum)
        return (family,)


class _Series:
    __slots__ = ("counts", "exemplars", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets  # the last one: above every bound
        self.sum = 0.0
        self.exemplars: dict[int, Exemplar] = {}
