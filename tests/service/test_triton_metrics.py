"""Triton's names as text: parsed strictly, and read as Triton's perf_analyzer reads them."""

import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from measuring.gpu import GpuReading
from service.exchange import Result
from service.gpu_metrics import render_gpus
from service.metrics import Metrics
from service.statistics import FAILURE_REASONS, Statistics
from service.triton_metrics import render

SECONDS = st.floats(0, 1e12, allow_nan=False)
COUNTS = st.integers(0, 2**53)
STATISTICS = st.builds(
    Statistics,
    success=COUNTS, images=COUNTS, executions=COUNTS, request_seconds=SECONDS,
    queue_seconds=SECONDS, input_seconds=SECONDS, infer_seconds=SECONDS, output_seconds=SECONDS,
    failure=st.dictionaries(st.sampled_from(FAILURE_REASONS), COUNTS).map(Counter),
)  # fmt: skip
# As in perf_analyzer's metrics manager: a number without an exponent.
NUMBER = re.compile(r"(\d+\.?\d*)")


def values(text: str) -> dict[tuple[str, ...], float]:
    """By name and labels; the parser gives counters an ending that they do not have."""
    return {
        (sample.name.removesuffix("_total"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.sampled_from(["a-onnx-fp32", "b.c_d"]), STATISTICS), COUNTS)
def test_every_number_survives_with_all_its_digits(
    statistics: dict[str, Statistics], pending: int
) -> None:
    text = render(statistics, dict.fromkeys(statistics, pending))
    for line in text.splitlines():
        if not line.startswith("#"):
            assert NUMBER.fullmatch(line.rpartition(" ")[2]), line
    found = values(text)
    for model, totals in statistics.items():
        assert found[("nv_inference_count", model, "1")] == totals.images
        micros = found[("nv_inference_compute_infer_duration_us", model, "1")]
        assert abs(micros - totals.infer_seconds * 1e6) <= 0.5 + totals.infer_seconds * 1e-9
        assert found[("nv_inference_pending_request_count", model, "1")] == pending
        for reason in FAILURE_REASONS:
            key = ("nv_inference_request_failure", model, "1", reason)
            assert found[key] == totals.failure[reason]


def test_gpu_values_are_plain_decimals_with_one_label() -> None:
    text = render_gpus(
        [
            GpuReading("GPU-a", 0.25, 123.456, 700.0, 123456789.5, 85899345920, 1234567890),
            GpuReading("GPU-b", None, None, None, None, 85899345920, 0),
        ]
    )
    assert 'nv_gpu_utilization{gpu_uuid="GPU-a"} 0.25\n' in text
    assert 'nv_gpu_power_usage{gpu_uuid="GPU-a"} 123.456\n' in text
    assert 'nv_gpu_power_limit{gpu_uuid="GPU-a"} 700\n' in text
    assert 'nv_gpu_memory_total_bytes{gpu_uuid="GPU-b"} 85899345920\n' in text
    assert 'nv_gpu_memory_used_bytes{gpu_uuid="GPU-b"} 0\n' in text
    assert 'nv_gpu_utilization{gpu_uuid="GPU-b"}' not in text
    assert values(text)[("nv_energy_consumption", "GPU-a")] == 123456789.5


def test_no_gpu_is_no_text() -> None:
    assert render_gpus([]) == ""


def test_ours_and_tritons_together_parse_strictly() -> None:
    """OpenMetrics' parser is the stricter of the two: it refuses a family that comes twice."""
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    metrics.request(Result("m", "ok", {"receive": 0.001}, 0.01), "v2")
    tritons = render({"m": Statistics(success=1)}, {"m": 0}) + render_gpus(
        [GpuReading("GPU-a", 1.0, 1.0, 1.0, 1.0, 1, 1)]
    )
    text = generate_latest(registry).decode() + tritons
    names = [family.name for family in text_string_to_metric_families(text)]
    assert len(names) == len(set(names))
    gauges = re.sub(r"(# TYPE \S+) counter", r"\1 unknown", tritons)
    parsed = openmetrics.text_string_to_metric_families(gauges + "# EOF\n")  # type: ignore[no-untyped-call]
    assert len(list(parsed)) == tritons.count("# TYPE")
