"""Running totals per model since start, in the categories that Triton's counters have."""

from collections import Counter
from dataclasses import dataclass, field

FAILURE_REASONS = ("REJECTED", "CANCELED", "BACKEND", "OTHER")


@dataclass
class BatchStatistics:
    """Engine calls of one batch size: how many, and their seconds in each part."""

    executions: int = 0
    input_seconds: float = 0.0
    infer_seconds: float = 0.0
    output_seconds: float = 0.0


@dataclass
class Statistics:
    """Counts and seconds; they only grow.

    `success`, `failure` and their seconds count requests, `images` those of the requests that
    succeeded; `executions` and `batches` (by batch size) count what engines did, failed calls and
    single ones after a failed batch included. The last four add up, over the requests that
    succeeded, their time in the queue, of putting their batch together, in the engine and until
    the answer was handed back; their count is `success`. Each request of a batch counts the whole
    batch's time, as with Triton. `last_inference`: milliseconds since 1970 of the latest engine
    call, 0 before the first.
    """

    success: int = 0
    failure: Counter[str] = field(default_factory=Counter)
    images: int = 0
    executions: int = 0
    batches: dict[int, BatchStatistics] = field(default_factory=dict)
    last_inference: int = 0
    request_seconds: float = 0.0
    failure_seconds: float = 0.0
    queue_seconds: float = 0.0
    input_seconds: float = 0.0
    infer_seconds: float = 0.0
    output_seconds: float = 0.0

    @property
    def failures(self) -> int:
        """Requests that did not succeed, for whatever reason."""
        return self.failure.total()
