"""The service under random arrivals: at 70 % of its capacity, and at twice of it.

    python -m benchmarks.serving_scenarios [poisson] [overload] [--quick]

The service has one core and one instance, the generator the other core, and the capacity is
measured in that same setting. At 70 % the 99th percentile is held against a simulated queue
(`benchmarks.queueing`) with the same arrivals, whose service times are the latencies of requests
sent one at a time. `benchmarks.serving_page` makes the tables of docs/serving.md from the records.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks import options
from benchmarks.open_loop import Arrivals, send
from benchmarks.queueing import poisson_arrivals, simulated
from benchmarks.serving_load import Post, drive
from benchmarks.serving_processes import Server
from benchmarks.serving_recovery import Overload, judge
from benchmarks.serving_ways import RAW, bodies, serve_command
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, append_measurements, now

NETWORKS = ("shufflenet_v2_x1_0", "shufflenet_v2_x0_5")
SERVICE, GENERATOR = (0,), (1,)
"""Cores of each."""
DEADLINE = 0.25
"""Seconds that requests of the overload allow."""


@dataclass(frozen=True)
class Plan:
    """`rounds` of each scenario, of so many seconds each; `calm`: seconds before and after an
    overload; `probe`: seconds of measuring the capacity."""

    rounds: int
    poisson: float
    overload: float
    calm: float
    probe: float


FULL = Plan(rounds=5, poisson=12.0, overload=30.0, calm=4.0, probe=3.0)
QUICK = Plan(rounds=1, poisson=6.0, overload=6.0, calm=3.0, probe=2.0)

Scenario = Callable[[Post, float, Plan, int], tuple[Arrivals, dict[str, Scalar]]]


@click.command()
@click.argument("scenarios", nargs=-1, type=click.Choice(["poisson", "overload"]))
@click.option("--network", "networks", multiple=True, default=NETWORKS, help="Repeatable.")
@options.quick
@options.repository
@options.output("results/serving.jsonl")
def main(
    scenarios: Sequence[str], networks: tuple[str, ...], quick: bool, repository: Path, output: Path
) -> None:
    """Send raw pixels at random moments, first at 70 % of the capacity, then at 200 %."""
    plan = QUICK if quick else FULL
    for network in networks:
        artifact = repository / f"{network}-onnx-fp32"
        option = f"m={artifact.name}:runtime=onnxruntime,instances=1,threads=1,max_batch=1"
        with Server(serve_command(artifact, option), ready="/readyz", cores=SERVICE) as server:
            headers = RAW | {"X-Request-Timeout": f"{DEADLINE:g}"}
            post = Post(server.url, "/v2/models/m/infer", bodies().tensor, headers)
            for number in range(plan.rounds):
                for name in scenarios or ("poisson", "overload"):
                    found = _measure(name, post, plan, number, network)
                    append_measurements(output, [found])
                    click.echo(f"{name}: {dict(found.settings)}", err=True)


def _measure(name: str, post: Post, plan: Plan, number: int, network: str) -> Measurement:
    started = now()
    probe = drive(post, connections=8, seconds=plan.probe, cores=GENERATOR)
    arrivals, facts = SCENARIOS[name](post, probe.rate, plan, number)
    common: dict[str, Scalar] = {
        "network": network,
        "round": number,
        "capacity": probe.rate,
        "late_p99": float(np.nanpercentile(arrivals.lag, 99)),
        "sent": int(np.isfinite(arrivals.sent).sum()),
        "ok": int(arrivals.ok.sum()),
        "threads": 1,
        "instances": 1,
    }
    answered = latencies(arrivals.latency[arrivals.ok])
    return Measurement(f"serving {name}", common | facts, answered, fingerprint(), started)


def poisson(
    post: Post, capacity: float, plan: Plan, number: int
) -> tuple[Arrivals, dict[str, Scalar]]:
    """At 70 %, beside what a queue must take."""
    alone = drive(post, connections=1, seconds=plan.probe, cores=GENERATOR).latencies
    due = poisson_arrivals(0.7 * capacity, plan.poisson, seed=number)
    arrivals = send(post, due)
    queue = simulated(due, alone, servers=1, repetitions=50, seed=number)
    measured = arrivals.latency[arrivals.ok]
    facts: dict[str, Scalar] = {"rate": 0.7 * capacity, "service": float(alone.mean())}
    for rank in (50, 99):
        facts[f"p{rank}"] = float(np.percentile(measured, rank))
        facts[f"simulated_p{rank}"] = float(np.percentile(queue, rank))
    return arrivals, facts


def overload(
    post: Post, capacity: float, plan: Plan, number: int
) -> tuple[Arrivals, dict[str, Scalar]]:
    """Twice the capacity between two calm times of half of it."""
    calm = [poisson_arrivals(capacity / 2, plan.calm, seed=2 * number + n) for n in range(2)]
    storm = poisson_arrivals(2 * capacity, plan.overload, seed=number)
    end = plan.calm + plan.overload
    arrivals = send(post, np.concatenate([calm[0], plan.calm + storm, end + calm[1]]))
    found = judge(arrivals, Overload(plan.calm, end, capacity, DEADLINE))
    return arrivals, {"rate": 2 * capacity, "deadline": DEADLINE, **found}


SCENARIOS: dict[str, Scenario] = {"poisson": poisson, "overload": overload}

if __name__ == "__main__":
    main()
