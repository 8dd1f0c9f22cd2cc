"""Sending traces: in the background, bounded, to a collector that may be slow or away."""

import logging
import sys
import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from cli import run
from measuring.errors import InputError, MissingError
from service.core import LocalCore
from service.exchange import Exchange
from service.metrics import Metrics
from service.settings import TraceSettings
from service.spans import BATCH, PERIOD_VARIABLE, QUEUE, Exporter, Seldom
from service.trace_option import parse_endpoint, trace_settings
from service.traceparent import Trace
from service.tracing import Finished, tracing_of
from tests.service.client import png
from tests.service.collector import collecting
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

CLASSIFY = "/v1/classify"


def finished(number: int = 1) -> Finished:
    exchange = Exchange(f"request-{number}", started=1.0)
    trace = Trace(number, number, True, CLASSIFY)
    return Finished(exchange, trace, "POST /", False, 2.0, time.time_ns(), {"n": number}, {})


def test_export_is_bounded_and_counts_what_it_drops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PERIOD_VARIABLE, "60000")  # only whole groups are sent before the end
    with collecting() as collector:
        collector.hold()
        exporter = Exporter(f"{collector.url}/v1/traces")
        for number in range(1, BATCH + 1):
            exporter.put(finished(number))
        assert collector.reached.wait(20)  # the thread is busy with the first group
        for number in range(QUEUE + 10):
            exporter.put(finished(number + 1))
        assert exporter.outcomes == {"exported": 0, "failed": 0, "dropped": 10}

        collector.release()
        exporter.close(20)
        assert exporter.outcomes == {"exported": BATCH + QUEUE, "failed": 0, "dropped": 10}
        assert collector.spans.qsize() == BATCH + QUEUE
        span = collector.take(1)[0]
        assert span.interval[1] - span.interval[0] == 1_000_000_000
        assert span.attributes == {"n": 1}


def test_export_that_a_collector_refuses_is_counted_as_failed() -> None:
    with collecting() as collector:
        collector.status = 400
        exporter = Exporter(f"{collector.url}/v1/traces")
        exporter.put(finished())
        exporter.close(20)
        assert exporter.outcomes == {"exported": 0, "failed": 1, "dropped": 0}


def test_export_ends_though_the_collector_never_answers() -> None:
    with collecting() as collector:
        collector.hold()
        exporter = Exporter(f"{collector.url}/v1/traces")
        for number in range(BATCH):
            exporter.put(finished(number + 1))
        assert collector.reached.wait(20)
        exporter.put(finished())
        exporter.close(0.01)
        assert exporter.outcomes == {"exported": 0, "failed": 0, "dropped": BATCH + 1}


def test_export_says_once_a_minute_what_is_wrong() -> None:
    seldom = Seldom()

    def told(seconds: float, level: int = logging.WARNING) -> bool:
        record = logging.LogRecord("x", level, "", 0, "Transient error", None, None)
        record.created = seconds
        return bool(seldom.filter(record))

    assert told(100.0)
    assert not told(159.0)
    assert told(159.0, logging.ERROR)
    assert told(160.0)


def test_service_answers_and_ends_whatever_becomes_of_its_traces(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    with collecting() as collector:
        collector.hold()
        service = ServiceProcess(
            tmp_path, "--drain-delay", "0", "--grace", "1", "--trace-endpoint", collector.url,
            OTEL_BSP_SCHEDULE_DELAY="1",
        ).wait_until_ready()  # fmt: skip
        for _ in range(3):
            assert service.client.post(CLASSIFY, png()).status == 200
        assert collector.reached.wait(20)
        assert service.client.post(CLASSIFY, png()).status == 200
        assert service.stop() == 0, service.text
        assert "traces ended exported=0" in service.text


def test_tracing_without_the_extra_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "service.spans", None)
    metrics = Metrics(CollectorRegistry())
    with pytest.raises(
        MissingError, match=r"--trace-endpoint .* pip install 'stride\[tracing\]'"
    ) as e:
        tracing_of(TraceSettings("http://localhost:4318/v1/traces"), metrics, LocalCore(metrics))
    assert e.value.exit_code == 3


def test_serve_asks_for_the_extra_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("service.trace_option._NEEDED", "opentelemetry.not_there.at_all")
    nowhere = str(tmp_path / "no repository")
    assert run(["serve", "--repository", nowhere, "--trace-endpoint", "http://a"]) == 3
    assert "pip install 'stride[tracing]'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:4318", "http://localhost:4318/v1/traces"),
        ("https://[::1]:4318/", "https://[::1]:4318/v1/traces"),
        ("http://collector/of/mine", "http://collector/of/mine"),
    ],
)
def test_trace_endpoint_gets_the_path_that_collectors_have(text: str, url: str) -> None:
    assert parse_endpoint(text) == url


@pytest.mark.parametrize(
    "text",
    ["localhost:4318", "ftp://localhost", "http://", "http://a:0", "http://a:99999", "http://[::1",
     "http://a?b=c", "", "grpc://a:4317"],
)  # fmt: skip
def test_trace_endpoint_that_is_none_says_what_is_expected(text: str) -> None:
    with pytest.raises(InputError, match="expected that of a collector, such as http://localhost"):
        parse_endpoint(text)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--trace-endpoint", "localhost:4318"], "is no URL to send to"),
        (["--trace-ratio", "0.1"], "without --trace-endpoint sends traces nowhere"),
        (["--trace-endpoint", "http://a", "--trace-ratio", "1.1"], "is not in the range 0<=x<=1"),
        (["--trace-endpoint", "http://a", "--trace-ratio", "nan"], "is not finite"),
        (["--log-format", "xml"], "is not one of 'text', 'json'"),
    ],
)
def test_serve_refuses_settings_that_make_no_traces(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["serve", *arguments]) == 2
    assert told in capsys.readouterr().err


def test_trace_settings_are_all_or_nothing() -> None:
    assert trace_settings(None, None) is None
    assert trace_settings("http://a/b", None) == TraceSettings("http://a/b", 1.0)
    assert trace_settings("http://a/b", 0.0) == TraceSettings("http://a/b", 0.0)
