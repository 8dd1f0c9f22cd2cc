"""Records of what a network's time is made of: one for each different operation of its graph."""

from collections.abc import Sequence

import numpy as np
from torch import nn

from benchmarks.layer_times import OperationTime, Shape, profile
from benchmarks.network_graphs import input_spec, network_graph, pictures
from benchmarks.operation_kinds import kind, macs
from benchmarks.roofline import LAYER
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.record import Measurement, Scalar, now
from models import create
from models.operators import PartialConv

BLOCKS = (8, 16)  # channels that ONNX Runtime fills up to
RUNS, QUICK_RUNS = 30, 5


def measure_layers(
    name: str, runtime: str, machine: Machine, *, threads: int, batch: int = 1, runs: int = RUNS
) -> list[Measurement]:
    """Profiles the network and gives a record for each different operation, equal ones together.

    Settings: `network`, `runtime`, `threads`, `batch`, `kind`, `operation`, `shape`, `count`,
    `macs` and `bytes` of all of them; latencies: seconds of all of them in each run.
    """
    started = now()
    graph = network_graph(name, runtime)
    given = pictures(batch, input_spec(name).size)
    found = profile(runtime, graph, given, threads=threads, runs=runs)
    common: dict[str, Scalar] = {
        "network": name, "runtime": runtime, "precision": "fp32", "device": "cpu",
        "threads": threads, "batch": batch,
    }  # fmt: skip
    partial = partial_shapes(create(name))
    return [
        Measurement(LAYER, common | settings, latencies(seconds), machine, started)
        for settings, seconds in grouped(found, partial)
    ]


def grouped(
    operations: Sequence[OperationTime], partial: frozenset[Shape]
) -> list[tuple[dict[str, Scalar], list[float]]]:
    """Operations of one kind on equal shapes together, in the order of the first of each."""
    groups: dict[tuple[str, str, str], list[OperationTime]] = {}
    for operation in operations:
        key = (kind(operation, partial), operation.operation, _shape(operation))
        groups.setdefault(key, []).append(operation)
    return [
        (
            {
                "kind": kind_,
                "operation": operation,
                "shape": shape,
                "count": len(equal),
                "macs": sum(map(macs, equal)),
                "bytes": sum(each.moved for each in equal),
            },
            np.sum([each.seconds for each in equal], axis=0).tolist(),
        )
        for (kind_, operation, shape), equal in groups.items()
    ]


def partial_shapes(network: nn.Module) -> frozenset[Shape]:
    """Weights of the network's partial convolutions, as they are and as runtimes fill them up."""
    widths = {m.sizes[0] for m in network.modules() if isinstance(m, PartialConv)}
    widths |= {-(-width // block) * block for width in widths for block in BLOCKS}
    return frozenset((width, width, 3, 3) for width in widths)


def _shape(operation: OperationTime) -> str:
    """`80x160x1x1 on 28x28`: weights and what is written."""
    weights = "x".join(map(str, operation.weights)) or "x".join(
        map(str, operation.inputs[0] if operation.inputs else ())
    )
    return f"{weights} to {'x'.join(map(str, operation.output))}"
