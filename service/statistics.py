"""Running totals per model since start, in the categories that Triton's counters have."""

from collections import Counter
from dataclasses import dataclass, field

FAILURE_REASONS = ("REJECTED", "CANCELED", "BACKEND", "OTHER")


@dataclass
class Statistics:
    """Counts and seconds. Request figures grow per request, `executions` per engine call;
    the last three add a batch's time once for each request in it, as Triton does."""

    success: int = 0
    failure: Counter[str] = field(default_factory=Counter)
    images: int = 0
    executions: int = 0
    request_seconds: float = 0.0
    queue_seconds: float = 0.0
    input_seconds: float = 0.0
    infer_seconds: float = 0.0
    output_seconds: float = 0.0
