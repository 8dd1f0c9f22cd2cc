"""What is left of a request when the network takes no time, and what of that is recording.

    python -m benchmarks.serving_floor [--quick]

The `null` runtime answers zeros. The service has one core, wrk the other; raw pixels of one picture
come in, a thousand logits go out. Beside it the same service that records nothing, and it again
when it traces some requests or all of them.
"""

import os
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import click

from benchmarks import options
from benchmarks.serving import Cell, Plan, measure
from benchmarks.serving_load import Post
from benchmarks.serving_processes import Server
from benchmarks.serving_ways import RAW, Drive, Visit, bodies, python, serve_command, visit
from benchmarks.trace_sink import trace_sink
from measuring.record import append_measurements

NAME = "serving floor"
WITH, WITHOUT = "as it is", "recording nothing"
TRACING = {"tracing 1 %": "0.01", "tracing all": "1"}
"""Ways, and the share of requests that each of them traces."""
SERVICE, GENERATOR = (0,), (1,)
"""Cores of each."""
CELLS = [Cell(way, "tensor", 16) for way in (WITH, WITHOUT, *TRACING)]
FULL, QUICK = Plan(9, 3.0), Plan(3, 1.0)


@click.command()
@options.quick
@options.artifact("Only its sizes matter.")
@options.output("results/serving.jsonl")
def main(quick: bool, artifact: Path, output: Path) -> None:
    """Drive the service without a network, with and without its metrics, and tracing."""
    os.sched_setaffinity(0, GENERATOR)  # what traces are sent to is here
    option = f"m={artifact.name}:runtime=null,instances=1,threads=1,max_batch=1"
    commands = {
        WITH: serve_command(artifact, option),
        WITHOUT: python("benchmarks.serving_silent", str(artifact.parent), option),
    }
    with ExitStack() as stack:
        endpoint = stack.enter_context(trace_sink())
        for way, ratio in TRACING.items():
            traced = ("--trace-endpoint", endpoint, "--trace-ratio", ratio)
            commands[way] = serve_command(artifact, option, *traced)
        drives: dict[str, Drive] = {}
        for way, command in commands.items():
            server = stack.enter_context(Server(command, ready="/readyz", cores=SERVICE))
            drives[way] = partial(_visit, server)
        found = list(measure(NAME, "null", drives, CELLS, QUICK if quick else FULL))
    append_measurements(output, found)


def _visit(server: Server, kind: str, connections: int, seconds: float) -> Visit:  # noqa: ARG001
    post = Post(server.url, "/v2/models/m/infer", bodies().tensor, RAW)
    return visit(server, post, connections=connections, seconds=seconds, cores=GENERATOR)


if __name__ == "__main__":
    main()
