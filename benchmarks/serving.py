"""What the service delivers of what its engines can do, and beside a plain FastAPI service.

    python -m benchmarks.serving [NETWORK...] [--quick]

Needs wrk, and verified artifacts:

    stride export shufflenet_v2_x1_0 shufflenet_v2_x0_5 --weights untrained --precision fp32,int8 \\
        --repository artifacts/serving

The tables in docs/serving.md are made from the records by `benchmarks.serving_page`.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import click
import numpy as np

from benchmarks import options
from benchmarks.serving_processes import busy_seconds
from benchmarks.serving_ways import INSTANCES, Bodies, Drive, Visit, bodies, limit, plain, served
from measuring.cores import available_cores
from measuring.latencies import latencies
from measuring.machine import Machine, fingerprint
from measuring.record import Measurement, Scalar, append_measurements, now

NETWORKS = ("shufflenet_v2_x1_0", "shufflenet_v2_x0_5")
NAME = "serving"
LIMIT, SERVED, PLAIN, BEST = "engines alone", "stride", "plain FastAPI", "stride, best artifact"
BEST_LIMIT = "engines alone, best artifact"
BEST_ARTIFACT = ("onnx-int8", "openvino")
KINDS = ("jpeg", "tensor")
CONNECTIONS = (16, 64)
DISTURBED = 0.04
"""Share of the processor that others may take during a visit."""
ATTEMPTS = 4


@dataclass(frozen=True)
class Cell:
    """One thing that is measured in every round."""

    way: str
    kind: str
    connections: int


CELLS = tuple(
    Cell(way, kind, connections)
    for kind in KINDS
    for way, loads in (
        (LIMIT, (INSTANCES,)), (SERVED, CONNECTIONS), (PLAIN, CONNECTIONS), (BEST, (16,)),
        (BEST_LIMIT, (INSTANCES,)),
    )
    for connections in loads
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """`rounds` of `seconds` for each cell, each round in a random order."""

    rounds: int
    seconds: float


FULL, QUICK = Plan(5, 3.0), Plan(2, 1.0)


@click.command()
@click.argument("networks", nargs=-1)
@options.quick
@click.option("--way", "ways", multiple=True, help="Only these ways; repeatable.")
@click.option("--kind", "kinds", multiple=True, help="Only these kinds of body; repeatable.")
@options.repository
@options.output("results/serving.jsonl")
def main(
    networks: tuple[str, ...],
    quick: bool,
    ways: tuple[str, ...],
    kinds: tuple[str, ...],
    repository: Path,
    output: Path,
) -> None:
    """Drive the services with NETWORKS, and the engines without a service."""
    chosen = [
        cell
        for cell in CELLS
        if (not ways or cell.way in ways) and (not kinds or cell.kind in kinds)
    ]
    for network in networks or NETWORKS:
        with ExitStack() as stack:
            needed = {cell.way for cell in chosen}
            drives = _open(stack, repository, network, needed)
            found: list[Measurement] = []
            for measured in measure(NAME, network, drives, chosen, QUICK if quick else FULL):
                found.append(measured)
                if len(found) == len(chosen):  # a round: what is interrupted is not all lost
                    append_measurements(output, found)
                    found.clear()


def _open(stack: ExitStack, repository: Path, network: str, ways: set[str]) -> dict[str, Drive]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    pictures: Bodies = bodies()
    exact = repository / f"{network}-onnx-fp32"
    end, runtime = BEST_ARTIFACT
    best = repository / f"{network}-{end}"
    opened: dict[str, Drive] = {}
    if LIMIT in ways:
        opened[LIMIT] = limit(stack, exact, "onnxruntime", pictures, folder)
    if SERVED in ways:
        opened[SERVED] = served(stack, exact, "onnxruntime", pictures)
    if PLAIN in ways:
        opened[PLAIN] = plain(stack, exact, pictures)
    if BEST_LIMIT in ways:
        opened[BEST_LIMIT] = limit(stack, best, runtime, pictures, folder)
    if BEST in ways:
        opened[BEST] = served(stack, best, runtime, pictures, as_limit=False)
    return opened


def measure(
    name: str, network: str, drives: dict[str, Drive], cells: list[Cell], plan: Plan
) -> Iterator[Measurement]:
    """A record for each cell and round."""
    for cell in cells:
        drives[cell.way](cell.kind, cell.connections, 1.0)
    machine, rng = fingerprint(), np.random.Generator(np.random.PCG64(0))
    for number in range(plan.rounds):
        for index in rng.permutation(len(cells)):
            cell, started = cells[index], now()
            visit, reasons = undisturbed(
                partial(drives[cell.way], cell.kind, cell.connections, plan.seconds)
            )
            click.echo(told(network, cell, visit), err=True)
            found = record(name, network, cell, visit, number, started, machine)
            yield replace(found, reasons=reasons)


def undisturbed(drive: Callable[[], Visit]) -> tuple[Visit, tuple[str, ...]]:
    """A visit during which nothing else took the processor; after a few that were disturbed, the
    last of them and the reason why it should not be trusted."""
    cores, others = available_cores(), 0.0
    for _ in range(ATTEMPTS):
        before, started = busy_seconds(), time.perf_counter()
        visit = drive()
        others = busy_seconds() - before - visit.cpu - visit.generator_cpu
        others /= cores * (time.perf_counter() - started)
        if others <= DISTURBED:
            return visit, ()
        click.echo(f"others took {others:.1%} of the processor: once more", err=True)
    return visit, (f"other processes took {others:.1%} of the processor",)


def told(network: str, cell: Cell, visit: Visit) -> str:
    """A line for whoever waits."""
    p50, p99 = np.percentile(visit.latencies, [50, 99]) * 1e3
    return (
        f"{network} {cell.kind} {cell.way}, {cell.connections} connections: "
        f"{visit.requests / visit.seconds:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms, processor "
        f"{visit.cpu / visit.requests * 1e3:.3f} ms, generator "
        f"{visit.generator_cpu / visit.requests * 1e3:.3f} ms, failures {visit.failures}"
    )


def record(
    name: str,
    network: str,
    cell: Cell,
    visit: Visit,
    number: int,
    started: str,
    machine: Machine,
) -> Measurement:
    """The latencies, with what they cost as settings."""
    settings: dict[str, Scalar] = {
        "network": network,
        "kind": cell.kind,
        "way": cell.way,
        "connections": cell.connections,
        "round": number,
        "threads": 1,
        "instances": INSTANCES,
        "requests": visit.requests,
        "seconds": visit.seconds,
        "cpu": visit.cpu,
        "generator_cpu": visit.generator_cpu,
        "failures": visit.failures,
    }
    return Measurement(name, settings, latencies(visit.latencies), machine, started)


if __name__ == "__main__":
    main()
