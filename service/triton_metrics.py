"""Triton's `nv_inference_*` series, for dashboards that expect them.

Rendered by hand: the Prometheus client would append `_total` to the names and write large
values with an exponent, which Triton's own tools misread. Durations are microseconds.
"""

import re
from collections.abc import Callable, Iterable, Mapping

from service.statistics import FAILURE_REASONS, Statistics

_COUNTERS: tuple[tuple[str, str, Callable[[Statistics], float]], ...] = (
    ("request_success", "Successful inference requests", lambda s: s.success),
    ("count", "Inferences performed: images", lambda s: s.images),
    ("exec_count", "Model executions: batches", lambda s: s.executions),
    ("request_duration_us", "Cumulative request time", lambda s: s.request_seconds * 1e6),
    ("queue_duration_us", "Cumulative time in the queue", lambda s: s.queue_seconds * 1e6),
    ("compute_input_duration_us", "Cumulative batch assembly", lambda s: s.input_seconds * 1e6),
    ("compute_infer_duration_us", "Cumulative engine time", lambda s: s.infer_seconds * 1e6),
    ("compute_output_duration_us", "Cumulative hand-over", lambda s: s.output_seconds * 1e6),
)


def render(statistics: Mapping[str, Statistics], pending: Mapping[str, int]) -> str:
    """Exposition text for all models; `pending`: admitted and not yet answered requests."""
    lines: list[str] = []
    for name, text, value in _COUNTERS:
        lines += _header(f"nv_inference_{name}", text, "counter")
        lines += (
            f"nv_inference_{name}{_labels(model)} {value(totals):.0f}"
            for model, totals in statistics.items()
        )
    lines += _header("nv_inference_request_failure", "Failed inference requests", "counter")
    for model, totals in statistics.items():
        lines += (
            f"nv_inference_request_failure{_labels(model, reason)} {totals.failure[reason]}"
            for reason in FAILURE_REASONS
        )
    lines += _header("nv_inference_pending_request_count", "Requests in progress", "gauge")
    lines += (
        f"nv_inference_pending_request_count{_labels(model)} {count}"
        for model, count in pending.items()
    )
    return "\n".join(lines) + "\n"


def untyped(text: str) -> str:
    """Classic exposition text as OpenMetrics, where a counter's name would have to end in `_total`:
    a metric of unknown type may have any name, and is read as the same series."""
    return re.sub(r"^(# TYPE \S+) \w+$", r"\1 unknown", text, flags=re.MULTILINE)


def _header(name: str, text: str, kind: str) -> Iterable[str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _labels(model: str, reason: str | None = None) -> str:
    tail = f',reason="{reason}"' if reason else ""
    return f'{{model="{model}",version="1"{tail}}}'
