"""How much of what the service adds no service like it could save.

    python -m benchmarks.serving_bare [NETWORK...] [--quick]

The engines alone, the barest service that can be built around them (`bare_service.py`) and ours, at
16 connections, in interleaved rounds. The records go beside those of `benchmarks.serving`.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

import click

from benchmarks import options
from benchmarks.serving import KINDS, LIMIT, NETWORKS, SERVED, Cell, Plan, measure
from benchmarks.serving_load import Post
from benchmarks.serving_processes import Server
from benchmarks.serving_ways import INSTANCES, RAW, Bodies, Drive, bodies, driven, limit, python
from benchmarks.serving_ways import served as ours
from measuring.record import append_measurements

NAME = "serving bare"
BARE = "barest service"
CONNECTIONS = 16
WAYS = (LIMIT, BARE, SERVED)
CELLS = [
    Cell(way, kind, INSTANCES if way == LIMIT else CONNECTIONS) for kind in KINDS for way in WAYS
]
FULL, QUICK = Plan(7, 3.0), Plan(2, 1.0)


@click.command()
@click.argument("networks", nargs=-1)
@options.quick
@options.repository
@options.output("results/serving.jsonl")
def main(networks: tuple[str, ...], quick: bool, repository: Path, output: Path) -> None:
    """Drive NETWORKS in the three ways."""
    for network in networks or NETWORKS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            artifact, pictures = repository / f"{network}-onnx-fp32", bodies()
            drives: dict[str, Drive] = {
                LIMIT: limit(stack, artifact, "onnxruntime", pictures, folder),
                BARE: bare(stack, artifact, pictures),
                SERVED: ours(stack, artifact, "onnxruntime", pictures),
            }
            found = list(measure(NAME, network, drives, CELLS, QUICK if quick else FULL))
        append_measurements(output, found)


def bare(stack: ExitStack, artifact: Path, pictures: Bodies) -> Drive:
    """The service that can do nothing else."""
    command = python("benchmarks.bare_service", str(artifact), "--instances", str(INSTANCES))
    server = stack.enter_context(Server(command, ready="/"))
    posts = {kind: Post(server.url, "/", pictures.of(kind), RAW) for kind in KINDS}
    return driven(server, posts)


if __name__ == "__main__":
    main()
