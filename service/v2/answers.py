"""The JSON bodies of /v2, as the OpenAPI document describes them.

Source: KServe's Open Inference Protocol (REST), and Triton's extensions of it.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field


class ServerMetadata(BaseModel):
    """Who answers, and which extensions of the protocol it has."""

    name: str
    version: str
    extensions: list[str]


class Live(BaseModel):
    """The process answers."""

    live: Literal[True] = True


class Ready(BaseModel):
    """At least one model serves."""

    ready: Literal[True] = True


class ModelReady(BaseModel):
    """This model serves."""

    name: str
    ready: Literal[True] = True


class TensorMetadata(BaseModel):
    """One input or output; -1 in `shape` stands for any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Duration(BaseModel):
    """How many times, and nanoseconds altogether."""

    count: int
    ns: int


class InferStatistics(BaseModel):
    """Per request: each one in a batch counts the whole batch's time."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration
    cache_hit: Duration
    cache_miss: Duration


class BatchSizeStatistics(BaseModel):
    """Per engine call of one batch size."""

    batch_size: int
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(BaseModel):
    """Totals since the service started; `last_inference` in milliseconds since 1970."""

    name: str
    version: str
    last_inference: int
    inference_count: int = Field(description="Images of requests that succeeded.")
    execution_count: int = Field(description="Engine calls, failed ones and repeats included.")
    inference_stats: InferStatistics
    response_stats: dict[str, Any] = {}
    batch_stats: list[BatchSizeStatistics]
    memory_usage: list[Any] = []


class AllStatistics(BaseModel):
    """One entry per model."""

    model_stats: list[ModelStatistics]


class IndexEntry(BaseModel):
    """One artifact of the repository."""

    name: str
    version: str
    state: Literal["READY", "LOADING", "UNAVAILABLE"]
    reason: str


class InferOutput(BaseModel):
    """`data` is left out where binary data follows the JSON."""

    name: str
    datatype: Literal["FP32", "BYTES"]
    shape: list[int]
    parameters: dict[str, Any] | None = None
    data: list[float | str] | None = None


class InferResponse(BaseModel):
    """The logits, or the labelled classes asked for."""

    id: str | None = Field(default=None, description="That of the request, where it has one.")
    model_name: str
    model_version: str
    outputs: list[InferOutput]
