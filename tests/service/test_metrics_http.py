from collections.abc import Iterator
from itertools import pairwise

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import OUTCOMES, PROTOCOLS, SECONDS, STAGES
from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

ID, OTHER = "tiny-onnx-fp32", "zother-onnx-fp32"
CLASSIFY = f"/v1/classify?model={ID}"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


@pytest.fixture
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    write_tiny(repository, "zother", seed=1)
    service = ServiceProcess(
        repository, "--drain-delay", "0", "--model", ID, "--model", OTHER
    ).wait_until_ready()
    yield service.client
    assert service.stop() == 0, service.text


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(client: Client, name: str, **labels: str) -> float:
    text = client.get("/metrics").data.decode()
    return samples(text)[(name, frozenset(labels.items()))]


def test_metrics_count_requests_by_outcome(client: Client) -> None:
    for _ in range(3):
        assert client.post(CLASSIFY, png()).status == 200
    assert client.post(CLASSIFY, b"text").status == 415
    assert client.post("/v1/classify?model=nobody", png()).status == 404

    assert value(client, "stride_requests_total", model=ID, outcome="ok") == 3
    assert value(client, "stride_requests_total", model=ID, outcome="invalid") == 1
    assert value(client, "stride_requests_total", model="unknown", outcome="invalid") == 1
    assert value(client, "stride_images_total", model=ID) == 3
    ok = {"model": ID, "protocol": "v1", "outcome": "ok"}
    assert value(client, "stride_request_seconds_count", **ok) == 3
    assert value(client, "stride_request_seconds_sum", **ok) > 0


def test_metrics_time_every_stage_of_a_request_once(client: Client) -> None:
    answer = client.post(CLASSIFY, png()).json

    for stage in STAGES:
        assert value(client, "stride_stage_seconds_count", model=ID, stage=stage) == 1
        seconds = value(client, "stride_stage_seconds_sum", model=ID, stage=stage)
        if stage != "respond":  # the body cannot know how long its own encoding took
            assert seconds == pytest.approx(answer["timings"][stage], abs=1e-6)
    assert value(client, "stride_batch_size_sum", model=ID) == 1


def test_metrics_compare_is_one_request_to_each_model_with_its_own_time(client: Client) -> None:
    results = client.post("/v1/compare", png()).json["results"]

    assert [result["model"] for result in results] == [ID, OTHER]
    for result in results:
        labels = {"model": result["model"], "protocol": "v1", "outcome": "ok"}
        assert value(client, "stride_request_seconds_count", **labels) == 1
        seconds = value(client, "stride_request_seconds_sum", **labels)
        assert seconds == pytest.approx(sum(result["timings"].values()), abs=1e-3)


def test_metrics_compare_that_fails_counts_for_its_models(client: Client) -> None:
    assert client.post(f"/v1/compare?models={ID},{OTHER}", b"text").status == 415

    for model in (ID, OTHER):
        assert value(client, "stride_requests_total", model=model, outcome="invalid") == 1


def test_metrics_exist_before_the_first_request(client: Client) -> None:
    text = client.get("/metrics").data.decode()

    series = samples(text)
    for outcome in OUTCOMES:
        key = frozenset({"model": ID, "outcome": outcome}.items())
        assert series[("stride_requests_total", key)] == 0
    for protocol in PROTOCOLS:  # what begins above zero has no rate
        answered = {"model": ID, "protocol": protocol, "outcome": "ok"}
        assert value(client, "stride_request_seconds_count", **answered) == 0
    assert value(client, "stride_queue_depth", model=ID) == 0
    engine = {"model": ID, "runtime": "onnxruntime", "precision": "fp32", "device": "cpu"}
    assert value(client, "stride_engine_info", **engine) == 1


def test_metrics_never_label_a_series_with_a_name_from_a_request(client: Client) -> None:
    client.post("/v1/classify?model=smuggled", png(), X_Request_Id="smuggled")
    client.get("/smuggled")

    assert b"smuggled" not in client.get("/metrics").data


def test_metrics_classic_text_carries_tritons_names(client: Client) -> None:
    client.post(CLASSIFY, png())
    client.post(CLASSIFY, png())
    text = client.get("/metrics").data.decode()

    def read(name: str, more: str = "") -> int:
        prefix = f'nv_inference_{name}{{model="{ID}",version="1"{more}}} '
        return next(
            int(line.removeprefix(prefix)) for line in text.splitlines() if line.startswith(prefix)
        )

    assert read("request_success") == read("count") == read("exec_count") == 2
    assert read("request_failure", ',reason="REJECTED"') == 0
    assert read("pending_request_count") == 0
    assert 0 < read("compute_infer_duration_us") <= read("request_duration_us")
    assert samples(text)


def test_metrics_openmetrics_parses_strictly_and_keeps_tritons_names(client: Client) -> None:
    client.post(CLASSIFY, png())
    reply = client.get("/metrics", Accept=OPENMETRICS)

    assert reply.headers["content-type"].startswith("application/openmetrics-text")
    parse = openmetrics.text_string_to_metric_families
    families = {family.name: family for family in parse(reply.data.decode())}  # type: ignore[no-untyped-call]
    assert "stride_requests" in families
    count = families["nv_inference_count"]
    assert count.type == "unknown"  # a counter would have to be called something_total
    assert {sample.labels["model"]: sample.value for sample in count.samples} == {ID: 1, OTHER: 0}


def test_metrics_buckets_begin_at_a_tenth_of_a_millisecond() -> None:
    assert SECONDS[0] == pytest.approx(100e-6)
    assert list(SECONDS) == sorted(set(SECONDS))
    assert max(b / a for a, b in pairwise(SECONDS)) <= 1.7
