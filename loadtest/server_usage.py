"""What a service took while it was driven, by its own account: `/metrics` and `/v2`'s statistics,
read before and after. A service that has neither is measured all the same."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

import orjson

from loadtest.service import Client
from loadtest.target import Target
from measuring.errors import MissingError

STATISTICS = ("queue", "compute_input", "compute_infer", "compute_output")
"""The parts of a request in the statistics extension of /v2, as perf_analyzer shows them."""
_SAMPLE = re.compile(r"^([a-z_]+)(?:\{[^}]*\})? (\S+)", re.MULTILINE)
_WANTED = ("process_cpu_seconds_total", "process_resident_memory_bytes", "stride_images_total")
_TIMEOUT = 5.0


@dataclass(frozen=True)
class Reading:
    """Totals since the service started, None for what it does not tell: processor seconds, bytes
    of memory now, images answered; of each part of `STATISTICS` its count and seconds."""

    cpu: float | None = None
    memory: float | None = None
    images: float | None = None
    parts: Mapping[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Usage:
    """`cpu`: processor seconds, and `cpu_per_image`; `others`: share of the cores that neither the
    service nor the generator took, where they are on one machine; `memory`: resident bytes after
    the load; `parts`: mean seconds of a request. The whole load is in them, its warm-up, too."""

    cpu_per_image: float | None = None
    memory: int | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    cpu: float | None = None
    others: float | None = None


def read_usage(target: Target) -> Reading:
    """Of now. What cannot be read is left out: it is beside the point of a load test."""
    client = Client(target.url, api_key=target.api_key, timeout=_TIMEOUT)
    samples = _samples(_ask(client, "/metrics"))
    parts = _parts(_ask(client, f"/v2/models/{quote(target.model, safe='')}/stats"))
    client.close()
    cpu, memory, images = (samples.get(name) for name in _WANTED)
    return Reading(cpu, memory, images, parts)


def between(before: Reading, after: Reading) -> Usage:
    """What passed from one to the other."""
    images, cpu = _passed(before.images, after.images), _passed(before.cpu, after.cpu)
    parts = {}
    for name, (count, seconds) in after.parts.items():
        earlier_count, earlier_seconds = before.parts.get(name, (0.0, 0.0))
        if count > earlier_count:
            parts[name] = (seconds - earlier_seconds) / (count - earlier_count)
    return Usage(
        cpu_per_image=cpu / images if cpu is not None and images else None,
        memory=None if after.memory is None else int(after.memory),
        parts=parts,
        cpu=cpu,
    )


def _passed(before: float | None, after: float | None) -> float | None:
    """None, too, where it went back: the service was started anew in between."""
    return None if before is None or after is None or after < before else after - before


def _ask(client: Client, path: str) -> bytes:
    try:
        reply = client.ask(path)
    except MissingError:
        return b""
    return reply.data if reply.status == 200 else b""


def _samples(text: bytes) -> dict[str, float]:
    """Summed over labels."""
    found: dict[str, float] = {}
    for name, value in _SAMPLE.findall(text.decode(errors="replace")):
        if name in _WANTED:
            found[name] = found.get(name, 0.0) + float(value)
    return found


def _parts(body: bytes) -> dict[str, tuple[float, float]]:
    try:
        (model,) = orjson.loads(body)["model_stats"]
        told = model["inference_stats"]
        return {name: (float(told[name]["count"]), told[name]["ns"] / 1e9) for name in STATISTICS}
    except (ValueError, KeyError, TypeError):
        return {}
