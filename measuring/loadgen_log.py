"""MLCommons LoadGen, where it is installed, and what it says of its own run."""

import re
from dataclasses import dataclass
from typing import Any

from measuring.errors import MissingError, StrideError

PREFIX = "mlperf_log_"
SUMMARY = f"{PREFIX}summary.txt"

# What each scenario is judged by, as the summary words it; nanoseconds where it is a latency.
_METRICS = {
    "SingleStream": ("90.0th percentile latency (ns)", "p90 seconds of a query"),
    "MultiStream": ("99.0th percentile latency (ns)", "p99 seconds of a query of 8"),
    "Server": ("Completed samples per second", "completed images per second"),
    "Offline": ("Samples per second", "images per second"),
}
_NANOSECOND = 1e-9


@dataclass(frozen=True)
class Summary:
    """`value` of `metric`, in seconds or per second; `reasons` why LoadGen calls it INVALID;
    `p99`: seconds of a query."""

    scenario: str
    metric: str
    value: float
    valid: bool
    reasons: tuple[str, ...]
    p99: float


def load_loadgen() -> Any:
    """The library; MissingError, with what to install, where it is not there."""
    try:
        import mlperf_loadgen  # type: ignore[import-not-found,import-untyped,unused-ignore]
    except ImportError as error:
        raise MissingError(
            f"LoadGen cannot be used: {error}; install it with: pip install mlcommons-loadgen"
        ) from error
    return mlperf_loadgen


def read_summary(text: str) -> Summary:
    """`SUMMARY`, read. Raises StrideError for one that is not as LoadGen 6 writes it."""
    fields = {
        key.strip(): value.strip()
        for key, colon, value in (line.partition(":") for line in text.splitlines())
        if colon and value.strip()
    }
    scenario = fields.get("Scenario", "")
    word, metric = _METRICS.get(scenario, ("", ""))
    result = fields.get("Result is", "")
    try:
        value = float(fields[word])
        p99 = float(fields["99.00 percentile latency (ns)"]) * _NANOSECOND
    except (KeyError, ValueError) as error:
        raise StrideError(
            f"LoadGen's summary of scenario {scenario!r} has no {error}; expected that of "
            "mlcommons-loadgen 6"
        ) from error
    return Summary(
        scenario=scenario,
        metric=metric,
        value=value * _NANOSECOND if "(ns)" in word else value,
        valid=result == "VALID",
        reasons=() if result == "VALID" else _reasons(text),
        p99=p99,
    )


def _reasons(text: str) -> tuple[str, ...]:
    """The conditions that it says NO to, and what it says of early stopping."""
    broken = [
        f"{condition.strip()}: no"
        for condition in re.findall(r"^\s*(.+?) satisfied\s*:\s*NO\s*$", text, re.MULTILINE)
    ]
    stopping = re.search(r"Early Stopping Result:\n((?: \*?.*\n)+)", text)
    if stopping and any(it.startswith("Early stopping") for it in broken):
        said = " ".join(line.strip(" *\n") for line in stopping[1].splitlines())
        broken = [f"{it} ({said})" if it.startswith("Early") else it for it in broken]
    return tuple(broken) or ("LoadGen calls it INVALID and gives no reason",)
