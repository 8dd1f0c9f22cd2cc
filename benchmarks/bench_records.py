"""A finished run as records: `bench` for each point, `fit` for each engine; see
docs/benchmarks.md."""

from collections.abc import Mapping, Sequence

import numpy as np

from benchmarks.bench_journal import Journal
from benchmarks.bench_points import Point
from inference.manifest import Manifest
from measuring.calibration import drift
from measuring.fit import fit_batch_cost
from measuring.latencies import latencies
from measuring.record import Measurement, Scalar
from measuring.validity import Conditions, objections

BENCH, FIT = "bench", "fit"


def bench_records(
    journal: Journal, points: Sequence[Point], manifests: Mapping[str, Manifest]
) -> list[Measurement]:
    """One for each point; `manifests` by artifact."""
    return [_bench(journal, point, manifests[point.candidate.artifact]) for point in points]


def fit_records(records: Sequence[Measurement]) -> list[Measurement]:
    """T(b) of each engine that was timed at two batch sizes or more."""
    engines: dict[tuple[Scalar, ...], list[Measurement]] = {}
    for record in records:
        names = ("artifact", "runtime", "device", "instances", "threads")
        engines.setdefault(tuple(record.settings[it] for it in names), []).append(record)
    return [_fit(group) for group in engines.values() if len(group) > 1]


def _bench(journal: Journal, point: Point, manifest: Manifest) -> Measurement:
    plan = journal.plan
    images, taken = point.images_per_second, point.taken(plan.machine.cores)
    percentile, calibration = plan.effort.percentile, _drift(journal)
    throttled = 0
    for block in journal.blocks if point.candidate.device != "cpu" else ():
        throttled |= block.throttle_reasons
    reasons = objections(
        Conditions(
            spread=point.spread,
            count=len(point.samples),
            percentile=percentile,
            others=taken.others if taken else None,
            stolen=taken.stolen if taken else None,
            calibration_drift=calibration,
            throttle_reasons=throttled,
        )
    )
    settings: dict[str, Scalar] = {
        "run": plan.run,
        **_identity(point, manifest),
        "images_per_second": images.estimate,
        "ci_low": images.low,
        "ci_high": images.high,
        "blocks": len(point.blocks),
        "rounds": len({block.round for block in journal.blocks}),
        "percentile": percentile,
        **_engine_facts(point),
        **_accuracy(journal, point, manifest),
        "valid": not reasons,
        "reasons": "; ".join(reasons),
        "spread": point.spread,
        "load_before": plan.machine.moment.load,
        "load_during": float(np.mean([block.load for block in journal.blocks])),
        "others": taken.others if taken else None,
        "stolen": taken.stolen if taken else None,
        "calibration_drift": calibration,
    }
    known = {name: value for name, value in settings.items() if value is not None}
    found = latencies(point.samples, blocks=point.block_of_samples)
    return Measurement(BENCH, known, found, plan.machine, plan.started, reasons)


def _drift(journal: Journal) -> float | None:
    ordered = sorted(journal.blocks, key=lambda block: block.number)
    return drift([block.calibration for block in ordered])


def _identity(point: Point, manifest: Manifest) -> dict[str, Scalar]:
    candidate = point.candidate
    return {
        "artifact": candidate.artifact,
        "network": manifest.network,
        "format": manifest.format,
        "precision": manifest.precision,
        "weights": manifest.weights.sha256,
        "trained": manifest.weights.trained,
        "runtime": candidate.runtime,
        "device": candidate.device,
        "engine": point.facts[0].engine,
        "threads": candidate.threads,
        "instances": candidate.instances,
        "batch": point.batch,
    }


def _engine_facts(point: Point) -> dict[str, Scalar]:
    """The median over the rounds of what a fresh process costs."""
    facts, energy = point.facts, point.energy_per_image
    source = "RAPL" if point.candidate.device == "cpu" else "NVML"
    return {
        "cold_start": float(np.median([it.cold_start for it in facts])),
        "rss": _middle([it.rss for it in facts]),
        "peak_rss": _middle([it.peak_rss for it in facts]),
        "vram": _middle([it.vram for it in facts]) if point.candidate.device != "cpu" else None,
        "energy_per_image": energy,
        "energy_source": source if energy is not None else None,
        "file_size": facts[0].file_size,
    }


def _middle(values: Sequence[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return int(np.median(known)) if known else None


def _accuracy(journal: Journal, point: Point, manifest: Manifest) -> dict[str, Scalar]:
    """What was measured on the user's pictures, else what the manifest has."""
    measured = journal.accuracy
    if measured is not None and point.candidate.key in measured.top1:
        top1 = measured.top1[point.candidate.key]
        return {"accuracy": top1, "accuracy_source": measured.source}
    if (told := manifest.accuracy) is not None:
        source = f"the manifest: {told.images} pictures of {told.dataset}"
        return {"accuracy": told.top1, "accuracy_source": source}
    return {}


def _fit(group: Sequence[Measurement]) -> Measurement:
    """Through the median call of each batch size."""
    first = group[0]
    batches = [int(str(record.settings["batch"])) for record in group]
    seconds = [record.latencies.percentile(50.0) for record in group]
    cost = fit_batch_cost(batches, seconds)
    reasons = tuple(dict.fromkeys(reason for record in group for reason in record.reasons))
    names = ("run", "artifact", "network", "precision", "runtime", "device", "engine", "threads")
    settings: dict[str, Scalar] = {
        **{name: first.settings[name] for name in (*names, "instances")},
        "t0": cost.t0,
        "per_image": cost.per_image,
        "residual": cost.residual,
        "batch_sizes": ",".join(map(str, batches)),
        "valid": not reasons,
        "reasons": "; ".join(reasons),
    }
    return Measurement(FIT, settings, latencies(seconds), first.machine, first.started, reasons)
