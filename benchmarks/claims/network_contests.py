"""Networks timed against one another on one picture each, in every runtime at hand."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from benchmarks.claims.evidence import NETWORK
from benchmarks.contrasts import contrast
from benchmarks.network_graphs import input_spec, network_graph, pictures, torch_network
from benchmarks.operators import torch_threads
from benchmarks.run_graph import run_graph
from measuring.machine import Machine
from measuring.record import Measurement, Scalar
from measuring.timing import Schedule
from models import cost, create
from models.fasternet import T0, T2, FasterNet, relu

Build = Callable[[], nn.Module]
Call = Callable[[], object]

REFERENCE = "resnet50"
EFFICIENT = (
    *("mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large"),
    *("mobilenet_v4_conv_small", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0"),
    *("shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "efficientnet_b0"),
    *("fasternet_t0", "fasternet_t1", "fasternet_t2"),
)
_QUICK = ("mobilenet_v2", "shufflenet_v2_x1_0", "efficientnet_b0", "fasternet_t0")
_VARIANTS: Mapping[str, Build] = {
    "fasternet_t0 with ReLU": partial(FasterNet, replace(T0, activation=relu)),
    "fasternet_t0 with 1/2": partial(FasterNet, replace(T0, n_div=2)),
    "fasternet_t0 with 1/8": partial(FasterNet, replace(T0, n_div=8)),
    "fasternet_t2 with GELU": partial(FasterNet, replace(T2, activation=nn.GELU)),
}
# What others' times are told as multiples of.
AGAINST = (
    *(REFERENCE, "regnet_x_400mf", "regnet_y_400mf", "regnet_x_8gf"),
    *("mobilenet_v2", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "fasternet_t0", "fasternet_t2"),
)


@dataclass(frozen=True)
class NetworkContest:
    """`builds`: the networks by name, None for the published ones."""

    name: str
    builds: Mapping[str, Build | None]
    schedule: Schedule


def contests(*, quick: bool) -> list[NetworkContest]:
    """The light ones, the heavy pair, and FasterNet's variants."""
    light = (REFERENCE, *(_QUICK if quick else EFFICIENT), "regnet_x_400mf")
    light = light if quick else (*light, "regnet_y_400mf")
    usual = Schedule(runs=12, seconds=0.1, warmup=1, blocks=6) if quick else Schedule(
        runs=20, seconds=0.5, warmup=2, blocks=10
    )  # fmt: skip
    few = Schedule(runs=12, seconds=0.0, warmup=1, blocks=6) if quick else Schedule(
        runs=20, seconds=0.0, warmup=1, blocks=10
    )  # fmt: skip
    variants: dict[str, Build | None] = {"fasternet_t0": None, "fasternet_t2": None, **_VARIANTS}
    heavy: dict[str, Build | None] = dict.fromkeys(("efficientnet_b5", "regnet_x_8gf"))
    found = [NetworkContest("light", dict.fromkeys(light), usual)]
    found.append(NetworkContest("heavy", heavy, few))
    return found if quick else [*found, NetworkContest("variants", variants, usual)]


def measure_contest(
    contest: NetworkContest, runtime: str, machine: Machine, *, threads: int, device: str
) -> list[Measurement]:
    """A record for each network: pixels of one picture to logits, in fp32."""
    calls = {
        name: _call(name, build, runtime, threads, device) for name, build in contest.builds.items()
    }
    settings = {
        name: _settings(name, build, runtime, threads, device)
        for name, build in contest.builds.items()
    }
    wait = torch.cuda.synchronize if device == "cuda" else None
    with torch_threads(threads):
        return contrast(
            NETWORK, calls, settings, AGAINST, machine, contest.schedule, synchronise=wait
        )


def _call(name: str, build: Build | None, runtime: str, threads: int, device: str) -> Call:
    given = pictures(1, input_spec(name.partition(" ")[0]).size)
    if runtime == "torch":
        network = torch_network(name, build).to(device)
        pixels = torch.from_numpy(given).to(device)
        return torch.inference_mode()(lambda: network(pixels))
    graph = network_graph(name, runtime, build=build)
    return run_graph(runtime, graph, given, threads=threads, device=device)


def _settings(
    name: str, build: Build | None, runtime: str, threads: int, device: str
) -> dict[str, Scalar]:
    published = name.partition(" ")[0]
    with torch.device("meta"):
        network = build() if build else create(published)
    counted = cost(network, input_spec(published).size)
    return {
        "network": name,
        "runtime": runtime,
        "device": device,
        "threads": threads,
        "batch": 1,
        "precision": "fp32",
        "macs": counted.macs,
        "bytes": counted.bytes_moved,
        "parameters": counted.parameters,
    }
