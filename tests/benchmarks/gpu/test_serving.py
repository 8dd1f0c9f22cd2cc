"""What a load over HTTP is said to be limited by, and how a service is read."""

import pytest

from benchmarks.gpu.findings import findings
from benchmarks.gpu.service_reading import between, reading_of
from benchmarks.gpu.serving_limit import Shares, limit
from benchmarks.gpu.table import tables
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

METRICS = """# HELP process_cpu_seconds_total Total
process_cpu_seconds_total {cpu}
stride_instance_busy_seconds_total{{model="network",instance="0"}} {first}
stride_instance_busy_seconds_total{{model="network",instance="1"}} 2.5
stride_decode_busy_seconds_total 1e-3
nv_gpu_utilization{{gpu_uuid="GPU-1"}} 0.25
nv_gpu_power_usage{{gpu_uuid="GPU-1"}} 310.5
"""


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        pytest.param(Shares(generator=0.95, http=1.0), "generator", id="generator-hides-the-rest"),
        pytest.param(Shares(decode=0.9, http=0.97, engine=0.4), "decode", id="decoding"),
        pytest.param(Shares(http=0.92, engine=0.32, gpu=0.2), "http", id="http"),
        pytest.param(Shares(http=0.5, engine=0.97, gpu=0.6), "engine", id="engine"),
        pytest.param(Shares(http=0.5, engine=0.9, gpu=0.99), "gpu", id="gpu"),
        pytest.param(Shares(http=0.6, engine=0.7), "none", id="nothing-is-full"),
        pytest.param(Shares(), "none", id="nothing-is-known"),
    ],
)
def test_limit_is_the_fullest_part(shares: Shares, told: str) -> None:
    assert limit(shares) == told


def test_reading_counts_each_instance_by_itself() -> None:
    before = reading_of(METRICS.format(cpu=10.0, first=1.0), at=100.0)
    after = reading_of(METRICS.format(cpu=12.0, first=2.25), at=103.0)
    passed = between(before, after, loaded=2.5)
    assert (passed.seconds, passed.cpu, passed.busiest) == (2.5, 2.0, 1.25)
    assert after.gpu == {"nv_gpu_utilization": 0.25, "nv_gpu_power_usage": 310.5}
    assert reading_of("", at=0.0).busy == {}


GPU: dict[str, Scalar] = {"nv_gpu_memory_used_bytes": 7.06e9, "nv_gpu_power_usage": 122.7}


def served(model: str, rate: float, **more: Scalar) -> Measurement:
    settings: dict[str, Scalar] = {
        "network": "fasternet_t0", "model": model, "frontends": 1, "body": "pixels", "batch": 32,
        "connections": 4, "traffic": "closed", "rate": None, "images_per_second": rate,
        "share_http": None, "share_engine": None, "share_gpu": None, "share_decode": 0.0,
        "limit": "none", "stage_receive": 0.008, "stage_queue": 0.001, "stage_total": 0.012,
    }  # fmt: skip
    return Measurement("gpu-http", settings | more, latencies([0.014]), fingerprint(), now())


def test_load_is_told_with_its_floor_and_its_limit() -> None:
    found = [
        served("floor", 9584.0),
        served("network", 8832.0, share_http=0.92, share_engine=0.32, limit="http", **GPU),
    ]
    assert "| 32% |  | 0% | 7.1 | 123 | HTTP, most time in receive |" in tables(found)
    cells = "fasternet_t0 | 1 | pixels | 32 | 4 | 8,832 | 14.0 ms | 14.0 ms | 9,584 | 92% | 32%"
    assert cells in tables(found)
    told = "fasternet_t0 pixels x 32: 8,832 (limited by HTTP, most time in receive)"
    assert told in findings(found)
