"""A model's totals as Triton's statistics extension has them."""

from service.statistics import BatchStatistics, Statistics
from service.v2.addressing import ONLY_VERSION
from service.v2.answers import BatchSizeStatistics, Duration, InferStatistics, ModelStatistics


def model_statistics(model: str, totals: Statistics) -> ModelStatistics:
    """The counts of all parts are the same, those of the requests that succeeded: clients divide
    by them. No answer comes from a cache."""
    done = totals.success
    return ModelStatistics(
        name=model,
        version=ONLY_VERSION,
        last_inference=totals.last_inference,
        inference_count=totals.images,
        execution_count=totals.executions,
        inference_stats=InferStatistics(
            success=_duration(done, totals.request_seconds),
            fail=_duration(totals.failures, totals.failure_seconds),
            queue=_duration(done, totals.queue_seconds),
            compute_input=_duration(done, totals.input_seconds),
            compute_infer=_duration(done, totals.infer_seconds),
            compute_output=_duration(done, totals.output_seconds),
            cache_hit=_duration(0, 0.0),
            cache_miss=_duration(0, 0.0),
        ),
        batch_stats=[_of_size(size, totals.batches[size]) for size in sorted(totals.batches)],
    )


def _of_size(size: int, batch: BatchStatistics) -> BatchSizeStatistics:
    return BatchSizeStatistics(
        batch_size=size,
        compute_input=_duration(batch.executions, batch.input_seconds),
        compute_infer=_duration(batch.executions, batch.infer_seconds),
        compute_output=_duration(batch.executions, batch.output_seconds),
    )


def _duration(count: int, seconds: float) -> Duration:
    return Duration(count=count, ns=round(seconds * 1e9))
