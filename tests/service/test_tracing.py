"""Traces as a collector receives them, from a service that people would start."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from prometheus_client.openmetrics import parser

from tests.service.client import Client, png
from tests.service.collector import Collector, Received, collecting
from tests.service.process import ServiceProcess
from tests.service.v2.wire import binary_tensor, elements, pictures, whole_body
from tests.tiny import write_tiny

ID, OTHER = "tiny-onnx-fp32", "zother-onnx-fp32"
CLASSIFY = f"/v1/classify?model={ID}"
INFER = f"/v2/models/{ID}/infer"
STAGES = ("receive", "decode", "resize", "queue", "inference", "respond")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = (f"00-{TRACE}-{PARENT}-0{flag}" for flag in "10")


@pytest.fixture(scope="module")
def collector() -> Iterator[Collector]:
    with collecting() as started:
        yield started


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, collector: Collector
) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    write_tiny(repository, "zother", seed=1)
    started = ServiceProcess(
        repository, "--drain-delay", "0", "--access-log", "--log-format", "json",
        "--trace-endpoint", collector.url, "--model", f"{ID}:max_batch=4", "--model", OTHER,
        OTEL_RESOURCE_ATTRIBUTES="deployment.environment.name=tests",
        OTEL_BSP_SCHEDULE_DELAY="10",
    ).wait_until_ready()  # fmt: skip
    yield started
    collector.hold()
    for _ in range(2):  # the second one waits for the first
        assert started.client.post(CLASSIFY, png()).status == 200
    started.terminate()
    started.line("draining")
    collector.release()
    assert started.stop() == 0, started.text
    assert collector.spans.qsize() == 2 * 7, "all are sent before the end"
    for line in started.log:
        assert {"time", "level", "logger", "message"} <= set(json.loads(line)), line
    assert '"level": "ERROR"' not in started.text


def attributes(trace: dict[str, Received], name: str) -> dict[str, object]:
    return trace[name].attributes


def test_trace_has_a_span_for_the_request_and_one_for_each_stage(
    service: ServiceProcess, collector: Collector
) -> None:
    reply = service.client.post(f"{CLASSIFY}&k=2", png(), traceparent=SAMPLED, tracestate="a=b")
    trace = collector.trace(7)

    assert set(trace) == {"POST /v1/classify", *STAGES}
    request = trace["POST /v1/classify"].span
    assert request.kind == Span.SPAN_KIND_SERVER
    assert request.status.code == Status.STATUS_CODE_UNSET
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert len({received.span.span_id for received in trace.values()}) == 7
    start, end = trace["POST /v1/classify"].interval
    before = start
    for stage in STAGES:
        span = trace[stage].span
        assert (span.trace_id, span.parent_span_id) == (request.trace_id, request.span_id)
        assert span.trace_state == request.trace_state == "a=b"
        begun, done = trace[stage].interval
        assert before - 1000 <= begun <= done <= end + 1000, stage  # one after the other
        before = done
        told = re.search(rf"{stage};dur=([\d.]+)", reply.headers["server-timing"])
        assert told is not None
        if stage != "respond":  # its header goes out with it
            assert (done - begun) / 1e6 == pytest.approx(float(told[1]), abs=2e-3)
    assert collector.paths[-1] == "/v1/traces"


def test_trace_says_what_was_asked_by_the_conventions_for_http(
    service: ServiceProcess, collector: Collector
) -> None:
    reply = service.client.post(CLASSIFY, png(), traceparent=SAMPLED, user_agent="tests/1")
    trace = collector.trace(7)
    about = attributes(trace, "POST /v1/classify")

    assert about["http.request.method"] == "POST"
    assert about["http.route"] == about["url.path"] == "/v1/classify"
    assert about["url.query"] == f"model={ID}"
    assert about["http.response.status_code"] == 200
    assert about["user_agent.original"] == "tests/1"
    assert about["network.protocol.version"] == "1.1"
    assert (about["url.scheme"], about["client.address"]) == ("http", "127.0.0.1")
    assert service.url == f"http://{about['server.address']}:{about['server.port']}"
    assert "error.type" not in about
    assert about["stride.request_id"] == reply.headers["x-request-id"]
    ran = {"stride.model": ID, "stride.runtime": "onnxruntime", "stride.batch_size": 1}
    assert {key: about[key] for key in ran} == attributes(trace, "inference") == ran
    resource = trace["queue"].resource
    assert resource["service.name"] == "stride"
    assert resource["deployment.environment.name"] == "tests"


def test_trace_of_a_request_without_a_parent_is_its_own(
    service: ServiceProcess, collector: Collector
) -> None:
    for parent in ({}, {"traceparent": f"00-{'0' * 32}-{PARENT}-01"}):
        assert service.client.post(CLASSIFY, png(), **parent).status == 200
        request = collector.trace(7)["POST /v1/classify"].span
        assert request.trace_id.hex() not in {TRACE, "0" * 32}
        assert request.parent_span_id == b""


def test_trace_that_its_parent_does_not_sample_is_not_sent(
    service: ServiceProcess, collector: Collector
) -> None:
    reply = service.client.post(CLASSIFY, png(), traceparent=UNSAMPLED)
    assert service.client.get("/healthz", traceparent=SAMPLED).status == 200
    marked = service.client.post(CLASSIFY, png(), traceparent=SAMPLED).headers["x-request-id"]

    sent = attributes(collector.trace(7), "POST /v1/classify")
    assert sent["stride.request_id"] == marked, "neither the unsampled one nor the probe"
    line = logged(service, reply.headers["x-request-id"])
    assert line["trace_id"] == TRACE, "the log names it all the same"


def test_trace_of_a_comparison_has_each_models_stages(
    service: ServiceProcess, collector: Collector
) -> None:
    assert service.client.post("/v1/compare", png()).status == 200
    received = collector.take(11)

    models = {
        name: [r.attributes["stride.model"] for r in received if r.span.name == name]
        for name in ("resize", "queue", "inference", "respond")
    }
    assert all(told == [ID, OTHER] for told in models.values()), models
    assert received[0].attributes["stride.model"] == f"{ID},{OTHER}"
    last = {r.attributes["stride.model"]: r.interval for r in received if r.span.name == "respond"}
    first = {r.attributes["stride.model"]: r.interval for r in received if r.span.name == "queue"}
    assert last[ID][1] <= first[OTHER][0], "one model after the other"


def test_trace_of_tensors_and_of_several_pictures(
    service: ServiceProcess, collector: Collector
) -> None:
    pixels = pictures(3)
    document = {"inputs": [binary_tensor(pixels)]}
    body, length = whole_body(document, pixels.tobytes())
    head = {"Inference_Header_Content_Length": str(length)}
    assert service.client.post(INFER, body, **head).status == 200
    raw = collector.trace(5)
    assert set(raw) == {
        "POST /v2/models/{model}/infer", "receive", "queue", "inference", "respond"
    }  # fmt: skip
    assert attributes(raw, "inference")["stride.batch_size"] == 3

    files = elements(*(png(seed) for seed in range(2)))
    size = {"binary_data_size": len(files)}
    image = {"name": "image", "datatype": "BYTES", "shape": [2, 1], "parameters": size}
    body, length = whole_body({"inputs": [image]}, files)
    head = {"Inference_Header_Content_Length": str(length)}
    assert service.client.post(INFER, body, **head).status == 200
    trace = collector.trace(7)
    assert trace["decode"].interval == trace["resize"].interval
    assert trace["decode"].interval[1] <= trace["queue"].interval[0] + 1000
    assert attributes(trace, "decode")["stride.images"] == 2
    seconds = attributes(trace, "decode")["stride.thread_seconds"]
    assert isinstance(seconds, float)
    assert seconds > 0


def test_trace_of_a_request_that_fails_has_the_stages_it_got_to(
    service: ServiceProcess, collector: Collector
) -> None:
    assert service.client.post(CLASSIFY, b"text").status == 415
    trace = collector.trace(2)
    assert set(trace) == {"POST /v1/classify", "receive"}
    assert trace["POST /v1/classify"].span.status.code == Status.STATUS_CODE_UNSET
    assert attributes(trace, "POST /v1/classify")["stride.outcome"] == "invalid"

    odd = service.client.request("PROPFIND", CLASSIFY, None, {"host": "[what is this"})
    assert odd.status == 405
    asked = collector.trace(1)["HTTP /v1/classify"]
    assert asked.attributes["http.request.method"] == "_OTHER"
    assert asked.attributes["http.request.method_original"] == "PROPFIND"
    assert service.url.endswith(
        f"{asked.attributes['server.address']}:{asked.attributes['server.port']}"
    )

    late = service.client.post(CLASSIFY, png(), X_Request_Timeout="0.000000001")
    assert late.status in {503, 504}
    assert service.client.post(CLASSIFY, png()).status == 200
    received = collector.take(8)
    while received[-1].span.name != "respond":  # the late one may have come as far as its body
        received += collector.take(1)
    failed = received[0]
    assert failed.span.status.code == Status.STATUS_CODE_ERROR
    assert failed.attributes["error.type"] == str(late.status)
    assert failed.attributes["http.response.status_code"] == late.status


def test_exemplars_lead_from_the_histograms_to_the_trace(
    service: ServiceProcess, collector: Collector
) -> None:
    service.client.post(CLASSIFY, png(), traceparent=SAMPLED)
    span_id = collector.trace(7)["POST /v1/classify"].span.span_id.hex()
    reply = service.client.get("/metrics", Accept=OPENMETRICS)

    found: dict[str, set[str]] = {}
    parse = parser.text_string_to_metric_families
    for family in parse(reply.data.decode()):  # type: ignore[no-untyped-call]
        for sample in family.samples:
            if (exemplar := sample.exemplar) is not None:
                size = sum(len(key) + len(value) for key, value in exemplar.labels.items())
                assert size <= 128
                assert exemplar.value <= float(sample.labels["le"])
                if exemplar.labels == {"trace_id": TRACE, "span_id": span_id}:
                    name = sample.labels.get("stage", "")
                    found.setdefault(family.name, set()).add(name)
    assert found == {"stride_request_seconds": {""}, "stride_stage_seconds": set(STAGES)}
    assert b" # {" not in service.client.get("/metrics").data
    assert traces(service.client)["exported"] > 0


def test_logs_are_json_whatever_a_client_sends(
    service: ServiceProcess, collector: Collector
) -> None:
    hostile = '"}{"level":"CRITICAL"}'
    reply = service.client.post(CLASSIFY, png(), X_Request_Id=hostile)
    own = reply.headers["x-request-id"]
    assert len(collector.trace(7)) == 7
    assert own != hostile
    path = "/v1/%0A%7B%22level%22%3A%22CRITICAL%22%7D%22"
    found = service.client.get(path, X_Request_Id="mine.1/+=", User_Agent=hostile)

    line = logged(service, own)
    assert (line["level"], line["status"], line["method"]) == ("DEBUG", 200, "POST")
    assert isinstance(line["seconds"], float)
    assert re.fullmatch(r"[0-9a-f]{32}", line["trace_id"])
    assert re.fullmatch(r"[0-9a-f]{16}", line["span_id"])
    assert found.headers["x-request-id"] == "mine.1/+="
    assert logged(service, "mine.1/+=")["path"] == path


def traces(client: Client) -> dict[str, float]:
    text = client.get("/metrics").data.decode()
    found = re.findall(r'^stride_traces_total\{outcome="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {outcome: float(count) for outcome, count in found}


def logged(service: ServiceProcess, request_id: str) -> dict[str, Any]:
    """The line of this request."""
    line: dict[str, Any] = json.loads(service.line(f'"request_id": "{request_id}"'))
    return line
