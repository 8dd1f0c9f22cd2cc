"""What the service tells of itself: its instances, its threads, its loop and its process."""

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition, parser
from prometheus_client.parser import text_string_to_metric_families

from measuring.gpu import GpuReading
from service.busy import BusyTime
from service.decode_forecast import DecodeForecast
from service.loop_lag import LoopLag
from service.metrics import Metrics
from service.seam import Priority
from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

ID, OTHER = "tiny-onnx-fp32", "zother-onnx-fp32"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
FORMATS = ("", OPENMETRICS)
OF_MODELS = (
    "stride_instance_busy_seconds_total", "stride_engine_start_seconds", "stride_engine_ready",
    "stride_queue_capacity",
)  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    write_tiny(repository, "zother", seed=1)
    (repository / "token").write_text("a-token-of-this-test")
    started = ServiceProcess(
        repository, "--drain-delay", "0", "--decode-threads", "3", "--model-control",
        "--admin-token-file", str(repository / "token"),
        "--model", f"{ID}:instances=2,threads=1,max_batch=1", "--model", OTHER,
    ).wait_until_ready()  # fmt: skip
    yield started
    assert started.stop() == 0, started.text


def values(client: Client, accept: str = "") -> dict[tuple[str, ...], float]:
    """By name and its labels' values, in the order of the labels' names. Both parsers refuse what
    is not strictly right."""
    text = client.get("/metrics", **({"Accept": accept} if accept else {})).data.decode()
    parse = parser.text_string_to_metric_families if accept else text_string_to_metric_families
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parse(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("accept", FORMATS, ids=("classic", "openmetrics"))
def test_process_metrics_are_told_in_both_formats(service: ServiceProcess, accept: str) -> None:
    for _ in range(3):
        assert service.client.post(f"/v1/classify?model={ID}", png()).status == 200
    found = values(service.client, accept)

    shares = [found["stride_instance_busy_seconds_total", instance, ID] for instance in "01"]
    assert sum(shares) > 0
    assert found["stride_instance_busy_seconds_total", "0", OTHER] == 0
    assert 0 < found["stride_engine_start_seconds", ID] < 60
    assert found["stride_decode_threads",] == 3
    assert found["stride_decode_busy_seconds_total",] > 0
    assert found["stride_decode_waiting",] == 0
    assert found["stride_open_connections",] >= 1
    assert ("stride_event_loop_lag_seconds_bucket", "+Inf") in found
    pid = service.process.pid
    assert found["process_open_fds",] == pytest.approx(len(os.listdir(f"/proc/{pid}/fd")), abs=3)  # noqa: PTH208
    resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert found["process_resident_memory_bytes",] == pytest.approx(resident, rel=0.1)
    assert 0 < found["process_cpu_seconds_total",] < 600
    assert found["process_start_time_seconds",] == pytest.approx(time.time(), abs=600)


def test_process_metrics_count_each_open_connection(service: ServiceProcess) -> None:
    before = values(service.client)["stride_open_connections",]
    more = [Client(service.url) for _ in range(3)]
    for client in more:
        assert client.get("/healthz").status == 200

    assert values(service.client)["stride_open_connections",] == before + 3
    for client in more:
        client.close()


def test_process_metrics_of_a_model_go_with_it_and_come_back_with_it(
    service: ServiceProcess,
) -> None:
    token = {"Authorization": "Bearer a-token-of-this-test"}
    address = f"/v2/repository/models/{OTHER}"
    assert service.client.post(f"{address}/unload", b"", **token).status == 200
    for accept in FORMATS:
        found = values(service.client, accept)
        names = {(name, label) for name, *labels in found for label in labels}
        assert not {(name, OTHER) for name in OF_MODELS} & names
        assert {(name, ID) for name in OF_MODELS} <= names

    assert service.client.post(f"{address}/load", b"", **token).status == 200
    found = values(service.client)
    assert ("stride_engine_start_seconds", OTHER) in found
    assert found["stride_queue_capacity", OTHER] == 256


def test_busy_time_counts_what_goes_on_and_never_goes_back() -> None:
    busy = BusyTime()
    started = time.perf_counter()
    busy.start(started)
    during = busy.seconds
    ended = time.perf_counter()
    busy.end(ended)

    assert 0 < during <= busy.seconds == ended - started
    busy.start(time.perf_counter() + 60)  # as where a batch was taken a moment later
    assert busy.seconds == ended - started


def test_decode_busy_seconds_count_pictures_that_are_being_decoded() -> None:
    pool = DecodeForecast(2)
    assert pool.busy_seconds == 0
    pictures = [pool.queue(b"\xff\xd8", Priority.NORMAL) for _ in range(2)]
    for picture in pictures:
        pool.start(picture)
    during = pool.busy_seconds
    for picture in pictures:
        pool.end(picture, whole=False)

    after = pool.busy_seconds
    assert 0 < during <= after == pool.busy_seconds


@pytest.mark.anyio
async def test_loop_lag_is_how_long_the_loop_was_held_up() -> None:
    lags: list[float] = []
    arrived = asyncio.Event()

    def observe(seconds: float) -> None:
        lags.append(seconds)
        arrived.set()

    lag = LoopLag(observe)
    asked = threading.Thread(target=lag.ask)
    asked.start()
    asked.join()
    held = time.perf_counter()
    while time.perf_counter() < held + 0.05:  # the loop does nothing else meanwhile
        pass
    await arrived.wait()
    lag.close()
    assert lags[0] >= 0.05

    told = len(lags)
    lag.ask()
    await asyncio.sleep(0)
    assert len(lags) == told, "after its end nothing is told"


def test_gpu_metrics_tell_clocks_temperature_and_what_holds_them_back() -> None:
    registry = CollectorRegistry(auto_describe=True)
    metrics = Metrics(registry)
    metrics.gpus(
        [
            GpuReading("GPU-a", 0.5, 1.0, 1.0, 1.0, 1, 1, 41.0, {"sm": 1.98e9}, 0x24),
            GpuReading("GPU-b", None, None, None, None, 1, 0),
        ]
    )
    text = generate_latest(registry).decode()

    assert 'stride_gpu_clock_hertz{domain="sm",gpu="GPU-a"} 1.98e+09\n' in text
    assert 'stride_gpu_temperature_celsius{gpu="GPU-a"} 41.0\n' in text
    assert 'stride_gpu_throttled{gpu="GPU-a",reason="power_cap"} 1.0\n' in text
    assert 'stride_gpu_throttled{gpu="GPU-a",reason="software_thermal"} 1.0\n' in text
    assert 'stride_gpu_throttled{gpu="GPU-a",reason="hardware"} 0.0\n' in text
    assert "GPU-b" not in text
    alone = generate_latest(registry.restricted_registry(["stride_gpu_clock_hertz"])).decode()
    assert [line for line in text.splitlines() if "gpu_clock" in line] == alone.splitlines()
    strict = exposition.generate_latest(registry).decode()  # type: ignore[no-untyped-call]
    assert list(parser.text_string_to_metric_families(strict))  # type: ignore[no-untyped-call]
    metrics.gpus([])
    assert "stride_gpu" not in generate_latest(registry).decode()
