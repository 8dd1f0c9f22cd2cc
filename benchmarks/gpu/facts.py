"""The GPU as it is found: name, clocks, power limit, driver, libraries."""

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.gpu.step import Context, Step
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now
from measuring.timing import Schedule, interleave

NAME = "gpu-facts"


def steps() -> list[Step]:
    """One look."""
    return [Step("fingerprint", "machine", _look)]


def _look(context: Context) -> Iterator[list[Measurement]]:
    """The time is that of an empty call to the device and back: no answer can come sooner."""
    device = torch.device(context.device)
    one = torch.zeros(1, device=device)
    schedule = Schedule(runs=50, seconds=0.0, warmup=5, blocks=5)
    found = interleave({"there and back": lambda: one.add(1).cpu()}, schedule)["there and back"]
    machine = fingerprint()
    settings: dict[str, Scalar] = {"device": context.device, "torch": torch.__version__}
    if context.device == "cuda":
        settings |= _cuda()
    for index, state in enumerate(machine.moment.gpu_states):
        settings |= {f"gpu{index} {key}": value for key, value in asdict(state).items()}
    taken = latencies(found.samples, blocks=found.blocks)
    yield [Measurement(NAME, settings, taken, machine, now())]


def _cuda() -> dict[str, Scalar]:
    properties = torch.cuda.get_device_properties(0)
    return {
        "gpu": properties.name,
        "capability": f"{properties.major}.{properties.minor}",
        "multiprocessors": properties.multi_processor_count,
        "memory": properties.total_memory,
        "l2": getattr(properties, "L2_cache_size", None),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),  # type: ignore[no-untyped-call]
        "nvidia_driver": _driver(),
    }


def _driver() -> str | None:
    path = Path("/proc/driver/nvidia/version")
    return path.read_text(encoding="utf-8").splitlines()[0] if path.is_file() else None
