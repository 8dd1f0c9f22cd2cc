"""A load test for scripts: what was measured as plain values, and why it is not passed."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from commands.loadtest_run import Kept
    from loadtest.baseline import Compared
    from loadtest.goodput import Goodput
    from loadtest.point import Point
    from measuring.record import Measurement


def document(
    kept: "Kept", compared: "Compared | None", failures: Sequence[str], *, complete: bool
) -> dict[str, Any]:
    """Seconds, bytes and shares; `null` for what is unknown or cannot be claimed."""
    from loadtest.point import Point

    return {
        "run": kept.run.name,
        "records": str(kept.path) if kept.records else None,
        "complete": complete,
        "passed": complete and not failures,
        "failures": list(failures),
        "points": [_point(kept, it) for it in kept.results if isinstance(it, Point)],
        "searches": [_search(it) for it in kept.results if not isinstance(it, Point)],
        "baseline": None if compared is None else _baseline(compared),
    }


def _point(kept: "Kept", point: "Point") -> dict[str, Any]:
    from loadtest.point import floor_point
    from loadtest.records import load_record
    from measuring.percentiles import CLAIMS

    outcome = point.outcome
    record = load_record(point, kept.run)
    floor = floor_point(kept.points, point)
    summary = outcome.latency.summary if outcome.latency else {}
    return {
        **(_settings(record) if record else {"model": point.model.id}),
        "latency": {**dict.fromkeys(CLAIMS), **summary},
        "errors": dict(outcome.errors),
        "examples": dict(outcome.examples),
        "stages": {name: it.summary["mean"] for name, it in outcome.stages.items()},
        "floor": None
        if floor is None or floor.outcome.latency is None
        else floor.outcome.latency.percentile(50.0),
        "invalid": list(outcome.invalid),
        "verdicts": [
            {"bound": it.bound.text, "measured": it.measured, "kept": it.kept, "words": it.words}
            for it in point.verdicts
        ],
    }


def _settings(record: "Measurement") -> dict[str, Any]:
    """Without what has a place of its own."""
    own = ("errors ", "stage ", "reasons", "broken")
    return {name: it for name, it in record.settings.items() if not name.startswith(own)}


def _search(goodput: "Goodput") -> dict[str, Any]:
    found = goodput.found
    return {
        "model": goodput.model.id,
        "batch": goodput.target.batch,
        "slo": goodput.slo.text,
        "kept_rate": found.kept,
        "broken_rate": found.broken,
        "images_per_second": goodput.images_per_second,
        "probes": found.probes,
        "precision": goodput.effort.precision,
        "ended": found.ended,
        "kept": goodput.kept,
    }


def _baseline(compared: "Compared") -> dict[str, Any]:
    return {
        "changes": [{**asdict(it), "regression": it.regression} for it in compared.changes],
        "missing": list(compared.missing),
        "gone": list(compared.gone),
        "untrusted": list(compared.untrusted),
        "machine": list(compared.machine),
    }
