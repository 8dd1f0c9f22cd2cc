"""The same points by five load generators, to see whether ours tell the same story as others'.

    python -m benchmarks.crosscheck [POINT...]     # floor, net/pixels, net/pixels/1/poisson, ...

The service is kept to one core and the generator to another; each round visits all points and
tools in another random order. Needs wrk and hey (scripts/install-test-tools), perf_analyzer
(scripts/install-perf-analyzer) and a verified artifact:

    stride export shufflenet_v2_x1_0 --weights untrained --repository artifacts/serving

The page is made from the records by `benchmarks.crosscheck_page`.
"""

import tempfile
from dataclasses import asdict, replace
from pathlib import Path

import click
import numpy as np

from benchmarks.crosscheck_tools import TOOLS, Mode, Point, Reading, Visit, require_tools, tools_for
from benchmarks.serving_processes import Server
from benchmarks.serving_ways import serve_command
from loadtest.load import Closed, Load
from loadtest.prepared import Prepared, prepare
from loadtest.run import run_load
from loadtest.target import Target
from measuring.latencies import latencies
from measuring.machine import Machine, fingerprint
from measuring.record import Measurement, Scalar, append_measurements, now

NAME = "crosscheck"
FLOOR, NET = "floor", "net"
SHARE = 0.4
"""Of what one connection gets, the rate that is offered where there is one."""
MOST = 400.0
SERVICE_CORE, GENERATOR_CORE = 0, 1
PATIENCE = 3
"""Times as long as others a point with random arrivals takes: its rate is random, too."""
_ALL: tuple[Mode, ...] = ("closed", "constant", "poisson")
POINTS = (
    *(Point(FLOOR, "pixels", 1, mode) for mode in _ALL),
    *(Point(FLOOR, "jpeg", 1, mode) for mode in _ALL[:2]),
    *(Point(NET, "pixels", 1, mode) for mode in _ALL),
    Point(NET, "pixels", 8, "closed"),
)


@click.command()
@click.argument("points", nargs=-1)
@click.option("--rounds", default=4, show_default=True)
@click.option("--seconds", default=3, show_default=True, help="Of each tool at each point.")
@click.option(
    "--artifact",
    type=click.Path(path_type=Path),
    default=Path("artifacts/serving/shufflenet_v2_x1_0-onnx-fp32"),
    show_default=True,
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("results/crosscheck.jsonl"),
    show_default=True,
)
def main(points: tuple[str, ...], rounds: int, seconds: int, artifact: Path, output: Path) -> None:
    """Measure POINTS, or all of them: those whose name begins so. `floor` is the null runtime,
    `net` the artifact on ONNX Runtime."""
    require_tools()
    chosen = [point for point in POINTS if point.name.startswith(points or "")]
    if not chosen:
        known = ", ".join(point.name for point in POINTS)
        raise click.UsageError(f"no point begins with {' or '.join(points)}; there are {known}")
    models = [
        f"{alias}={artifact.name}:runtime={runtime},instances=1,threads=1,max_batch=8"
        for alias, runtime in ((FLOOR, "null"), (NET, "onnxruntime"))
    ]
    command = serve_command(artifact, models[0], "--model", models[1], "--decode-threads", "1")
    machine = fingerprint()
    with (
        Server(command, ready="/readyz", cores=(SERVICE_CORE,)) as server,
        tempfile.TemporaryDirectory() as folder,
    ):
        visits = [_visit(server, point, seconds, Path(folder)) for point in chosen]
        cells = [(visit, tool) for visit in visits for tool in tools_for(visit.point)]
        rng = np.random.Generator(np.random.PCG64(0))
        for number in range(rounds):
            found = []
            for index in rng.permutation(len(cells)):
                visit, tool = replace(cells[index][0], seed=number), cells[index][1]
                found.append(_measure(server, visit, tool, number, artifact.name, machine))
            append_measurements(output, found)  # a round: what is interrupted is not all lost


def _visit(server: Server, point: Point, seconds: int, folder: Path) -> Visit:
    """One body for all tools, and the rate, from what one connection gets in a second."""
    target = Target(
        server.url,
        point.model,
        protocol="v2" if point.body == "pixels" else "v1",
        body=point.body,
        batch=point.batch,
    )
    prepared = _first(prepare(target))
    load = Load(Closed(1), seconds=1.0, warm_up=0.5, cores=(GENERATOR_CORE,))
    rate = run_load(target, load, prepared=prepared).requests_per_second
    if point.mode != "closed":
        rate = float(round(min(MOST, SHARE * rate)))
    if point.mode == "poisson":
        seconds *= PATIENCE
    return Visit(point, prepared, rate, seconds, GENERATOR_CORE, folder)


def _first(prepared: Prepared) -> Prepared:
    return replace(prepared, messages=prepared.messages[:1], references=prepared.references[:1])


def _measure(
    server: Server, visit: Visit, tool: str, number: int, artifact: str, machine: Machine
) -> Measurement:
    started, before = now(), server.cpu()
    reading: Reading = TOOLS[tool](visit)
    spent = server.cpu() - before
    click.echo(
        f"{visit.point.model} {visit.point.body} x{visit.point.batch} {visit.point.mode} {tool}: "
        f"{reading.throughput:.1f}/s, p50 {reading.p50 * 1e6:.0f} us, failures {reading.failures}",
        err=True,
    )
    told = {name: value for name, value in asdict(reading).items() if value is not None}
    settings: dict[str, Scalar] = {
        **asdict(visit.point), **told,
        "tool": tool, "round": number, "rate": visit.expected, "artifact": artifact,
        "seconds": visit.seconds, "cpu": spent, "threads": 1,
    }  # fmt: skip
    return Measurement(NAME, settings, latencies([reading.p50]), machine, started)


if __name__ == "__main__":
    main()
