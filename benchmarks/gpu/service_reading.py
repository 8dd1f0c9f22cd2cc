"""What a running service counts, from its `/metrics`."""

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import urllib3

_SAMPLE = re.compile(r"^([a-z_]+)(\{[^}]*\})? (\S+)$", re.MULTILINE)
_EVERY = 0.5
_GPU = ("nv_gpu_utilization", "nv_gpu_power_usage", "nv_gpu_memory_used_bytes")


@dataclass(frozen=True)
class Reading:
    """Seconds since the service started of its processor (`cpu`), of its decode threads and of
    each of its instances (`busy`), `at` a moment; `gpu`: Triton's series, as they are now."""

    at: float = 0.0
    cpu: float = 0.0
    decoding: float = 0.0
    busy: Mapping[str, float] = field(default_factory=dict)
    gpu: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Passed:
    """Between two readings: `seconds` of load, and in them seconds of the processor, of the decode
    threads, and of the fullest instance."""

    seconds: float
    cpu: float
    decoding: float
    busiest: float


def between(before: Reading, after: Reading, loaded: float) -> Passed:
    """`loaded`: seconds in which something was sent; readings may lie further apart."""
    busy = (after.busy[label] - before.busy.get(label, 0.0) for label in after.busy)
    return Passed(
        min(loaded, after.at - before.at),
        after.cpu - before.cpu,
        after.decoding - before.decoding,
        max(busy, default=0.0),
    )


class Watch:
    """A context in which a thread reads the service's series of GPUs every half second; `most`: the
    largest value of each."""

    def __init__(self, url: str) -> None:
        self.most: dict[str, float] = {}
        self._url = url
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._ended.wait(_EVERY):
            for name, value in read_service(self._url).gpu.items():
                self.most[name] = max(value, self.most.get(name, value))


def read_service(url: str) -> Reading:
    """Raises urllib3's HTTPError where nobody answers."""
    with urllib3.PoolManager(retries=False, timeout=10.0) as pool:
        text = pool.request("GET", f"{url}/metrics").data.decode()
    return reading_of(text, time.monotonic())


def reading_of(text: str, at: float) -> Reading:
    """From exposition text; what is not told is 0."""
    found: dict[str, float] = {}
    busy: dict[str, float] = {}
    for name, labels, value in _SAMPLE.findall(text):
        found[name] = found.get(name, 0.0) + float(value)
        if name == "stride_instance_busy_seconds_total":
            busy[labels] = float(value)
    return Reading(
        at,
        found.get("process_cpu_seconds_total", 0.0),
        found.get("stride_decode_busy_seconds_total", 0.0),
        busy,
        {name: found[name] for name in _GPU if name in found},
    )
