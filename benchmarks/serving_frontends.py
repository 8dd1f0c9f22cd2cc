"""What several front ends cost and bring, where the network takes no time.

    python -m benchmarks.serving_frontends [--quick] [--recovery]

The `null` runtime answers zeros. Services and wrk share all cores, one service driven at a time,
each round in another random order. Then a service with a network has its processes killed, idle and
under load, and is asked until it answers again. The tables in docs/frontends.md are made from the
records by `benchmarks.frontends_page`.
"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from benchmarks import options
from benchmarks.frontends_recovery import recovery
from benchmarks.serving import Cell, Plan, measure
from benchmarks.serving_load import Post
from benchmarks.serving_processes import Server
from benchmarks.serving_ways import RAW, Bodies, Drive, Visit, bodies, python, serve_command, visit
from measuring.record import append_measurements

NAME = "serving front ends"
ONE_PROCESS = "one process"
WAYS = {ONE_PROCESS: 0, "one front end": 1, "two front ends": 2}
"""Ways, and the front ends of each beside an engine process."""
KINDS = ("tensor", "jpeg")
CELLS = [Cell(way, kind, 16) for kind in KINDS for way in WAYS]
FULL, QUICK = Plan(5, 2.0), Plan(1, 1.0)
KILLS, QUICK_KILLS = 5, 1
CLIENTS = (0, 8)
"""Who asks while a process is killed: nobody, and some."""


@click.command()
@options.quick
@click.option("--recovery", "only_recovery", is_flag=True, help="The second part alone.")
@options.artifact("Of the first part only its sizes matter.")
@options.output("results/frontends.jsonl")
def main(quick: bool, only_recovery: bool, artifact: Path, output: Path) -> None:
    """Drive the service in one process and in several, without a network; then kill processes."""
    if not only_recovery:
        _drive(quick, artifact, output)
    for clients in CLIENTS:
        for measured in recovery(artifact, QUICK_KILLS if quick else KILLS, clients=clients):
            append_measurements(output, [measured])


def _drive(quick: bool, artifact: Path, output: Path) -> None:
    option = f"m={artifact.name}:runtime=null,instances=1,threads=1"
    pictures = bodies()
    with ExitStack() as stack:
        drives: dict[str, Drive] = {}
        for way, count in WAYS.items():
            server = stack.enter_context(Server(_command(artifact, option, count), ready="/readyz"))
            drives[way] = partial(_visit, server, pictures)
        for measured in measure(NAME, "null", drives, CELLS, QUICK if quick else FULL):
            append_measurements(output, [measured])


def _command(artifact: Path, option: str, count: int) -> list[str]:
    if count == 1:  # which nobody would want
        return python("benchmarks.single_frontend", str(artifact.parent), option)
    return serve_command(artifact, option, "--frontends", str(count))


def _visit(server: Server, pictures: Bodies, kind: str, connections: int, seconds: float) -> Visit:
    post = Post(server.url, "/v1/classify?model=m", pictures.jpeg)
    if kind == "tensor":
        post = Post(server.url, "/v2/models/m/infer", pictures.tensor, RAW)
    return visit(server, post, connections=connections, seconds=seconds)


if __name__ == "__main__":
    main()
