"""Metrics of several processes as one: what counts is added up, also over those that have ended.

A document is what one process counts, as plain data:
`[name, documentation, type, unit, [[sample, labels, value, exemplar], ...]]` for each family.
"""

from collections.abc import Iterable
from typing import Any

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Exemplar, Sample

from service.gpu_metrics import PREFIX as GPU

Document = list[list[Any]]
Key = tuple[str, tuple[tuple[str, str], ...]]

_GROWING = {"counter", "histogram", "summary"}
_LEAST = {"process_start_time_seconds", "process_max_fds"}
"""Gauges of which the service's is the smallest of its processes', not their sum."""
_ONCE = "_info"
"""The end of the name of a gauge that is 1 whoever says it."""


def document(families: Iterable[Metric]) -> Document:
    """What a registry collects, or `merged` gives, as plain data; without the GPUs, of which every
    process would tell the same."""
    return [
        [family.name, family.documentation, family.type, family.unit,
         [_written(sample) for sample in family.samples]]
        for family in families if not family.name.startswith(GPU)
    ]  # fmt: skip


def growing(told: Document) -> Document:
    """The part that must not be lost when the process ends."""
    return [family for family in told if family[2] in _GROWING]


def merged(documents: Iterable[Document]) -> list[Metric]:
    """Counters, histograms and gauges added up series by series; the series of a family in the
    order they first came."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[Key, Sample]] = {}
    for told in documents:
        for name, documentation, kind, unit, samples in told:
            if name not in families:
                families[name] = Metric(name, documentation, kind, unit)
                values[name] = {}
            for written in samples:
                _add(values[name], name, _read(written))
    for name, family in families.items():
        family.samples = list(values[name].values())
    return list(families.values())


def _add(series: dict[Key, Sample], family: str, sample: Sample) -> None:
    key = (sample.name, tuple(sorted(sample.labels.items())))
    known = series.get(key)
    if known is None:
        series[key] = sample
        return
    if family in _LEAST or sample.name.endswith("_created"):
        value = min(known.value, sample.value)
    elif family.endswith(_ONCE):
        value = max(known.value, sample.value)
    else:
        value = known.value + sample.value
    series[key] = known._replace(value=value, exemplar=_later(known.exemplar, sample.exemplar))


def _later(one: Exemplar | None, other: Exemplar | None) -> Exemplar | None:
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda exemplar: float(exemplar.timestamp or 0))


def _written(sample: Sample) -> list[Any]:
    exemplar = sample.exemplar
    told = None
    if exemplar is not None:
        timestamp = None if exemplar.timestamp is None else float(exemplar.timestamp)
        told = [exemplar.labels, exemplar.value, timestamp]
    return [sample.name, sample.labels, sample.value, told]


def _read(told: list[Any]) -> Sample:
    name, labels, value, exemplar = told
    return Sample(name, labels, value, None, Exemplar(*exemplar) if exemplar else None)
