"""Where the time of a batch goes: the kernels that PyTorch launches, from its profiler's trace."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.device import synchronise
from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import COMPILED
from benchmarks.gpu.step import Context, Step
from benchmarks.gpu.timing import calling, random_pictures
from benchmarks.gpu.ways import inferring, names, open_ways
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-kernels"
PROFILES = "kernels.json"
_CALLS = 5
_TOP = 15
_ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")
# Words in the names of kernels that only put the same numbers elsewhere.
_LAYOUT = ("nchwtonhwc", "nhwctonchw", "transpose", "copy", "cat", "memcpy")


@dataclass(frozen=True)
class Kernel:
    """`launches` and `seconds` of one call of the network; `layout`: moves numbers, computes
    none."""

    name: str
    launches: float
    seconds: float
    layout: bool


@dataclass(frozen=True)
class Profile:
    """Kernels by the time they take, the longest first; `span`: seconds from the first one's start
    to the last one's end, so that what is not `busy` in it is waiting for launches."""

    kernels: tuple[Kernel, ...]
    span: float

    @property
    def launches(self) -> float:
        return sum(kernel.launches for kernel in self.kernels)

    @property
    def busy(self) -> float:
        """Seconds of a call in which kernels run."""
        return sum(kernel.seconds for kernel in self.kernels)

    @property
    def moving(self) -> float:
        """Seconds of a call in which they only move numbers."""
        return sum(kernel.seconds for kernel in self.kernels if kernel.layout)


def steps(context: Context) -> list[Step]:
    """The default networks in the precision that a GPU is bought for."""
    scale = context.scale
    precision = COMPILED if COMPILED in scale.precisions else scale.precisions[0]
    return [
        Step("profile", f"{network} batch {batch}", partial(_profile, network, precision, batch))
        for batch in scale.profiled
        for network in scale.networks
    ]


def _profile(
    network: str, precision: str, batch: int, context: Context
) -> Iterator[list[Measurement]]:
    artifact = open_artifact(context, network, precision)
    ways = open_ways(artifact, context.device, names(context.device, compiling=False))
    pictures = random_pictures(
        batch, artifact.manifest.input.size, rotated=0, device=context.device
    )
    for name, way in ways.items():
        found = profiled(calling(inferring(way.network), pictures), device=context.device)
        settings: dict[str, Scalar] = {
            "network": network, "precision": precision, "batch": batch, "way": name,
            "device": context.device,
        }  # fmt: skip
        _keep(context.journal.folder / PROFILES, settings, found)
        figures = {"launches": found.launches, "moving": found.moving, "span": found.span}
        busy = latencies([found.busy])
        yield [Measurement(NAME, settings | figures, busy, fingerprint(), now())]


def profiled(call: Callable[[], object], *, device: str) -> Profile:
    """Of one call, on average over a few after others that prepare."""
    for _ in range(3):
        call()
    synchronise(device)
    activities = [ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with profile(activities=activities) as profiler:
        for _ in range(_CALLS):
            call()
        synchronise(device)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "trace.json")
        profiler.export_chrome_trace(str(path))
        events = json.loads(path.read_text(encoding="utf-8"))["traceEvents"]
    # The processor's operators stand in where there are no kernels.
    return summarised(events, _CALLS, _ON_DEVICE if device == "cuda" else ("cpu_op",))


def summarised(
    events: Sequence[Mapping[str, Any]], calls: int, categories: Sequence[str] = _ON_DEVICE
) -> Profile:
    """From a trace in Chrome's format, whose times are microseconds."""
    there = [event for event in events if event.get("cat") in categories and "dur" in event]
    if not there:
        return Profile((), 0.0)
    by_name: dict[str, list[float]] = {}
    for event in there:
        by_name.setdefault(str(event["name"]), []).append(float(event["dur"]))
    kernels = [
        Kernel(name, len(took) / calls, sum(took) / 1e6 / calls, _moves_only(name))
        for name, took in by_name.items()
    ]
    kernels.sort(key=lambda kernel: -kernel.seconds)
    start = min(float(event["ts"]) for event in there)
    end = max(float(event["ts"]) + float(event["dur"]) for event in there)
    return Profile(tuple(kernels), (end - start) / 1e6 / calls)


def _moves_only(name: str) -> bool:
    plain = name.lower()
    return any(word in plain for word in _LAYOUT)


def _keep(path: Path, settings: dict[str, Scalar], found: Profile) -> None:
    """Adds to the list in `path`."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    top = [asdict(kernel) for kernel in found.kernels[:_TOP]]
    document = settings | {"launches": found.launches, "span": found.span, "busy": found.busy}
    path.write_text(json.dumps([*before, document | {"kernels": top}], indent=1), encoding="utf-8")
