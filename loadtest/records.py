"""A load test on disk: one record for each point (`load`) and for each search (`goodput`)."""

from collections.abc import Mapping
from dataclasses import dataclass

from loadtest.goodput import Goodput
from loadtest.load import Closed
from loadtest.point import Point, level
from loadtest.service import Model
from loadtest.target import Target
from measuring.bootstrap import Interval, Resampling, interval
from measuring.latencies import Latencies
from measuring.machine import Machine
from measuring.percentiles import CLAIMS, percentile
from measuring.record import Measurement, Scalar
from measuring.timing import Timed

LOAD, GOODPUT = "load", "goodput"
SEARCH = "search"
TAILS = ("p99", "p95", "p90")
"""Of which the highest that the count supports has an interval."""
_RESAMPLING = Resampling(resamples=300)
_ENOUGH = 100_000
"""Samples for an interval, which a long run has many times over."""


@dataclass(frozen=True)
class Run:
    """What all records of a load test have in common; `machine` is the one that made the load."""

    name: str
    machine: Machine


def load_record(point: Point, run: Run) -> Measurement | None:
    """None where no request was answered: there are no latencies to keep."""
    outcome = point.outcome
    if outcome.latency is None:
        return None
    throughput = point.throughput
    settings: dict[str, Scalar | None] = {
        "run": run.name,
        **_identity(outcome.target, point.model),
        **_traffic(point),
        "images_per_second": point.images_per_second,
        "ci_low": throughput.low if throughput else None,
        "ci_high": throughput.high if throughput else None,
        **_intervals(outcome.latency),
        "requests": outcome.due,
        "errors": outcome.failed,
        "dropped": outcome.dropped,
        "error_share": outcome.error_share,
        **{f"errors {kind}": count for kind, count in outcome.errors.items()},
        **{f"stage {stage}": found.summary["mean"] for stage, found in outcome.stages.items()},
        **_usage(point),
        **_loadgen(point),
        **_verdict(point),
    }
    return Measurement(
        LOAD, _known(settings), outcome.latency, run.machine, outcome.started, outcome.invalid
    )


def goodput_record(goodput: Goodput, run: Run, started: str) -> Measurement | None:
    """With the latencies of the probe at the rate that was found, None where there is no such
    rate."""
    best = goodput.found.best
    if best is None or best.outcome.latency is None:
        return None
    settings: dict[str, Scalar | None] = {
        "run": run.name,
        **_identity(goodput.target, goodput.model),
        "load": SEARCH,
        "arrivals": "poisson",
        "rate": goodput.found.kept,
        "broken_rate": goodput.found.broken,
        "precision_of_rate": goodput.effort.precision,
        "probes": goodput.found.probes,
        "ended": goodput.found.ended or None,
        "images_per_second": goodput.images_per_second,
        "slo": goodput.slo.text,
        "kept": goodput.kept,
        "broken": "; ".join(it.words for it in goodput.verdicts if not it.kept) or None,
    }
    return Measurement(GOODPUT, _known(settings), best.outcome.latency, run.machine, started)


def percentile_interval(found: Latencies, name: str) -> Interval | None:
    """Of one percentile, over slices of time; None where it cannot be claimed or where the slices
    are unknown or fewer than two."""
    if name not in found.summary or found.samples is None or found.blocks is None:
        return None
    if len(set(found.blocks.tolist())) < 2:
        return None
    every = -(-found.count // _ENOUGH)
    timed = Timed(found.samples[::every], found.blocks[::every])
    return interval(timed, lambda it: percentile(it, CLAIMS[name]), resampling=_RESAMPLING)


def side_of(target: Target, model: Model) -> int:
    """Of the pictures that are sent, pixels."""
    return model.size if target.body == "pixels" else target.side


def _identity(target: Target, model: Model) -> dict[str, Scalar | None]:
    return {
        "url": target.url,
        "asked": target.model,
        "model": model.id,
        "network": model.network,
        "precision": model.precision,
        "runtime": model.runtime,
        "device": model.device,
        "instances": model.instances,
        "threads": model.threads,
        "trained": model.trained,
        "protocol": target.protocol,
        "body": target.body,
        "side": side_of(target, model),
        "batch": target.batch,
    }


def _traffic(point: Point) -> dict[str, Scalar | None]:
    load = point.outcome.load
    told: dict[str, Scalar | None] = {"load": level(load.traffic)}
    if isinstance(load.traffic, Closed):
        told |= {"arrivals": "closed", "concurrency": load.traffic.connections}
    else:
        told |= {"arrivals": load.traffic.arrivals, "rate": load.traffic.rate}
    return told | {
        "seconds": load.seconds,
        "warm_up": load.warm_up,
        "processes": load.processes,
    }


def _intervals(found: Latencies) -> dict[str, Scalar | None]:
    tail = next((name for name in TAILS if name in found.summary), None)
    told: dict[str, Scalar | None] = {}
    for name in ("p50", tail):
        if name is not None and (between := percentile_interval(found, name)) is not None:
            told |= {f"{name} low": between.low, f"{name} high": between.high}
    return told


def _usage(point: Point) -> dict[str, Scalar | None]:
    usage, generator = point.usage, point.outcome.generator
    return {
        "server_cpu_per_image": usage.cpu_per_image,
        "server_memory": usage.memory,
        "others": usage.others,
        **{f"server {part}": seconds for part, seconds in usage.parts.items()},
        "generator_cpu": max(generator.cpu, default=None),
        "generator_late": generator.late,
        "generator_lag_p50": generator.lag.percentile(50) if generator.lag else None,
        "generator_lag_p99": generator.lag.percentile(99) if generator.lag else None,
        "generator_opened": generator.opened,
        "generator_lost": generator.lost,
    }


def _loadgen(point: Point) -> dict[str, Scalar | None]:
    """What LoadGen says, where it said when requests were due."""
    found = point.outcome.loadgen
    if found is None:
        return {}
    return {
        "loadgen_valid": found.valid,
        "loadgen_reasons": "; ".join(found.summary.reasons),
        "loadgen_p99": found.summary.p99,
        "loadgen_bound": found.latency_bound,
        "loadgen_version": found.version,
    }


def _verdict(point: Point) -> dict[str, Scalar | None]:
    valid = not point.outcome.invalid
    told: dict[str, Scalar | None] = {
        "valid": valid,
        "reasons": "; ".join(point.outcome.invalid),
    }
    if point.slo is not None:
        broken = "; ".join(it.words for it in point.verdicts if not it.kept)
        told |= {"slo": point.slo.text, "kept": point.kept, "broken": broken or None}
    return told


def _known(settings: Mapping[str, Scalar | None]) -> dict[str, Scalar]:
    return {name: value for name, value in settings.items() if value is not None}
