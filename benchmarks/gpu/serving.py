"""A service with a network on the GPU, and how many pictures a second it answers over HTTP."""

from collections.abc import Iterator
from functools import partial

from benchmarks.gpu.step import Context, Step, StepSkippedError
from measuring.record import Measurement

NEEDS = ("fastapi", "uvicorn", "httptools", "orjson", "multipart")


def steps(context: Context) -> list[Step]:
    """One for each default network."""
    return [
        Step("http", network, partial(_serve, network), needs=NEEDS)
        for network in context.scale.networks
    ]


def _serve(network: str, context: Context) -> Iterator[list[Measurement]]:
    """Raises StepSkippedError: the load tests do not come from here yet."""
    raise StepSkippedError(f"no load test of ours asks for {network} on {context.device} yet")
