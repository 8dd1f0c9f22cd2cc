"""The device as a stopwatch: seconds of work on it, by its own clock."""

import time
from collections.abc import Callable

import torch

Call = Callable[[], object]


def synchronise(device: str) -> None:
    """Wait until the device has done all it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(call: Call, calls: int, *, device: str) -> float:
    """Seconds of each of `calls` calls in a row, on a GPU between two events on its stream."""
    if device != "cuda":
        started = time.perf_counter()
        for _ in range(calls):
            call()
        return (time.perf_counter() - started) / calls
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        call()
    end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / 1e3 / calls


def forget_peak(device: str) -> None:
    """Count the most memory in use from here on."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_memory(device: str) -> int | None:
    """The most bytes in use since; None where nobody counts."""
    return int(torch.cuda.max_memory_allocated()) if device == "cuda" else None


def free(device: str) -> None:
    """Give unused memory back to the device."""
    if device == "cuda":
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
