from collections.abc import Iterable

import orjson
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client import Histogram as ClientHistogram
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

from service.frontends.families import document, growing, merged
from service.frontends.whole_metrics import WholeMetrics
from service.histogram import Histogram
from tests.service.test_metrics_http import samples


def process(requests: int, seconds: Iterable[float], connections: int) -> CollectorRegistry:
    """What a process counts that has had so many requests."""
    registry = CollectorRegistry()
    Counter("requests", "Requests.", ("model",), registry=registry).labels("m").inc(requests)
    histogram = Histogram("seconds", "Time.", ("stage",), bounds=(0.1, 1.0), registry=registry)
    for each in seconds:
        histogram.observe(each, "decode")
    Gauge("connections", "Open.", registry=registry).set(connections)
    Gauge("engine_info", "Always 1.", registry=registry).set(1)
    Gauge("process_start_time_seconds", "Since when.", registry=registry).set(1000 + requests)
    return registry


def text_of(*registries: CollectorRegistry) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    told = [orjson.loads(orjson.dumps(document(registry.collect()))) for registry in registries]
    whole = WholeMetrics()
    whole.take(document(merged(told)))
    strict = openmetrics(whole.registry)  # type: ignore[no-untyped-call]
    assert strict.endswith(b"# EOF\n")
    return samples(generate_latest(whole.registry).decode())


def test_what_counts_is_added_up_series_by_series() -> None:
    found = text_of(process(2, (0.05, 0.5), 3), process(5, (0.5, 5.0), 4))

    decode = ("stage", "decode")
    assert found["requests_total", frozenset({("model", "m")})] == 7
    assert found["seconds_count", frozenset({decode})] == 4
    assert found["seconds_sum", frozenset({decode})] == 6.05
    buckets = [found["seconds_bucket", frozenset({decode, ("le", le)})] for le in ("0.1", "1.0")]
    assert buckets == [1, 3]
    assert found["connections", frozenset()] == 7
    assert found["engine_info", frozenset()] == 1
    assert found["process_start_time_seconds", frozenset()] == 1002
    created = [value for (name, _), value in found.items() if name == "requests_created"]
    assert len(created) == 1


def test_exemplar_of_the_latest_is_kept() -> None:
    registries = []
    for seconds, trace in ((0.05, "a"), (0.06, "b")):
        registry = CollectorRegistry()
        own = ClientHistogram("seconds", "Time.", buckets=(0.1, 1.0), registry=registry)
        own.observe(seconds, {"trace_id": trace})
        registries.append(registry)
    told = [orjson.loads(orjson.dumps(document(registry.collect()))) for registry in registries]
    whole = WholeMetrics()

    whole.take(document(merged(told)))

    text = openmetrics(whole.registry).decode()  # type: ignore[no-untyped-call]
    assert 'seconds_bucket{le="0.1"} 2.0 # {trace_id="b"} 0.06 ' in text


def test_of_a_process_that_has_ended_only_what_counts_is_kept() -> None:
    kept = growing(document(process(2, (0.05,), 3).collect()))

    assert [family[0] for family in kept] == ["requests", "seconds"]


def test_registry_of_all_knows_its_names() -> None:
    whole = WholeMetrics()
    whole.take(document(process(2, (), 3).collect()))

    restricted = whole.registry.restricted_registry(["requests_total"])

    assert b'requests_total{model="m"} 2.0' in generate_latest(restricted)
    assert "stride_requests" in {family.name for family in whole.own.collect()}
