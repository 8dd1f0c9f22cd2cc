"""NVIDIA's load generator reads what the service says of itself, and both count the same."""

import os
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loadtest.perf_analyzer_csv import CONCURRENCY, PARTS, PERCENTILES, RATE
from measuring.gpu import GpuReading
from service.gpu_metrics import render_gpus
from tests.service.process import ServiceProcess
from tests.service.v2.perf_analyzer import INSTALLED, Report, analyse
from tests.service.v2.wire import ID

pytestmark = pytest.mark.skipif(
    not INSTALLED, reason="perf_analyzer is not here, see scripts/install-perf-analyzer"
)
WINDOWS = ("--measurement-interval", "150", "--stability-percentage", "999", "--max-trials", "3")
TIMES = (
    "Server Queue", "Server Compute Input", "Server Compute Infer", "Server Compute Output",
    "p50 latency", "p99 latency",
)  # fmt: skip
COUNT = 100


def totals(service: ServiceProcess) -> tuple[int, int]:
    """Images and requests that the service has counted."""
    (model,) = service.client.get(f"/v2/models/{ID}/stats").json["model_stats"]
    return model["inference_count"], model["inference_stats"]["success"]["count"]


def check_times(report: Report) -> None:
    """Its columns are those that `stride loadtest --csv` begins with, too."""
    first, *others = report.rows[0]
    assert first in (CONCURRENCY, RATE)
    assert others[: len(PARTS) + len(PERCENTILES)] == [*PARTS, *PERCENTILES]
    for row in report.rows:
        assert float(row["Inferences/Second"]) > 0
        for name in TIMES:
            assert int(row[name]) >= 0, row
        assert int(row["p50 latency"]) > 0
        server = sum(int(row[name]) for name in TIMES[:4])
        assert 0 < server <= int(row["Avg latency"])


def test_concurrency_from_one_to_four_with_our_metrics(
    service: ServiceProcess, tmp_path: Path
) -> None:
    metrics = service.url.removeprefix("http://") + "/metrics"
    report = analyse(
        service.url, tmp_path / "table.csv", "--concurrency-range", "1:4", *WINDOWS,
        "--collect-metrics", "--metrics-url", metrics, "--metrics-interval", "50",
    )  # fmt: skip

    assert sorted(int(row["Concurrency"]) for row in report.rows) == [1, 2, 3, 4]
    check_times(report)
    assert len(report.counts) == 4
    for client, images, requests in report.counts:
        # It asks for the server's counts a moment before or after it counts itself.
        assert abs(client - requests) <= max(20, client // 4)
        assert abs(client - images) <= max(20, client // 4)


@pytest.mark.parametrize(
    ("arguments", "images"),
    [
        pytest.param(["--concurrency-range", "2", "-b", "4"], 4, id="four-images-a-request"),
        pytest.param(
            ["--request-rate-range", "100", "--request-distribution", "poisson"], 1, id="poisson"
        ),
        pytest.param(
            ["--concurrency-range", "2", "--input-tensor-format", "json",
             "--output-tensor-format", "json"], 1, id="json-in-and-out",
        ),
        pytest.param(["--concurrency-range", "2", "--async"], 1, id="asynchronous"),
    ],
)  # fmt: skip
def test_server_counts_what_the_client_counts(
    service: ServiceProcess, tmp_path: Path, arguments: list[str], images: int
) -> None:
    before: list[tuple[int, int]] = []

    report = analyse(
        service.url, tmp_path / "table.csv", *arguments, "--request-count", str(COUNT),
        begin=lambda: before.append(totals(service)),
    )  # fmt: skip

    ((client, inferences, requests),) = report.counts
    assert client == COUNT
    # It asks for the server's counts when the first requests are under way already.
    assert 0 < requests <= COUNT
    assert 0 < inferences <= COUNT * images
    after = totals(service)
    images_before, requests_before = before[-1]
    assert (after[0] - images_before, after[1] - requests_before) == (COUNT * images, COUNT)
    assert len(report.rows) == 1
    check_times(report)


def test_run_that_waits_for_an_answer_is_told_from_one_that_hangs(
    service: ServiceProcess, tmp_path: Path
) -> None:
    os.kill(service.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(AssertionError, match="no answer within 2 s"):
            analyse(service.url, tmp_path / "t.csv", "--request-count", "1", patience=2.0)
    finally:
        os.kill(service.process.pid, signal.SIGCONT)


@pytest.fixture
def gpu_metrics() -> Iterator[str]:
    """An address that tells of a GPU as the service does where it has one."""
    text = render_gpus(
        [GpuReading("GPU-1f2e", 0.25, 123.5, 700.0, 1e9, memory=85899345920, used=1234567890)]
    ).encode()

    class Metrics(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Not among the tests' output."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Metrics) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"127.0.0.1:{server.server_port}/metrics"
        server.shutdown()
        thread.join()


def test_gpu_memory_arrives_with_all_its_digits(
    service: ServiceProcess, tmp_path: Path, gpu_metrics: str
) -> None:
    report = analyse(
        service.url, tmp_path / "table.csv", "--concurrency-range", "1", *WINDOWS,
        "--collect-metrics", "--metrics-url", gpu_metrics, "--metrics-interval", "50",
    )  # fmt: skip

    (row,) = report.rows
    assert row["Avg GPU Utilization"] == "GPU-1f2e:0.25;"
    assert row["Avg GPU Power Usage"] == "GPU-1f2e:123.5;"
    assert row["Max GPU Memory Usage"] == "GPU-1f2e:1234567890;"
    assert row["Total GPU Memory"] == "GPU-1f2e:85899345920;"
