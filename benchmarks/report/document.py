"""A report for scripts: what is on the page, as plain values."""

import math
from dataclasses import asdict
from typing import Any

from benchmarks.recommend_choices import Choice
from benchmarks.recommend_requirements import Assessed
from benchmarks.report.card import serve_command
from benchmarks.report.compose import Report


def document(report: Report) -> dict[str, Any]:
    """Seconds, bytes and shares; null where nothing is chosen, known or finite. Of load tests
    alone what all have in common; their figures are in the records."""
    found, compared = report.recommendation, report.regressions
    common = {
        "run": report.run.name,
        "machine": report.run.machine.key,
        "unread": dict(report.unread),
    }
    if found is None:
        return {**common, "chosen": None}
    best = found.prediction
    return {
        **common,
        "requirements": asdict(found.requirements),
        "chosen": None if found.chosen is None else _choice(found.chosen),
        "predicted_seconds": None if best is None else _finite(best.seconds),
        "utilisation": None if best is None else best.utilisation,
        "holds": found.holds,
        "headroom": found.headroom,
        "why": list(found.why),
        "changes": [
            {
                "condition": change.condition,
                "chosen": None if change.chosen is None else _choice(change.chosen),
                "words": change.words,
            }
            for change in report.changes
        ],
        "ties": [_choice(choice) for choice in found.ties],
        "tie_break": found.tie_break,
        "nearest": None if found.nearest is None else _assessed(found.nearest),
        "options": [_assessed(it) for it in found.assessed],
        "dominated": [
            {"option": it.choice.name, "by": it.by.name, "better": list(it.better)}
            for it in found.dominated
        ],
        "left_out": [asdict(it) for it in found.left_out],
        "caveats": list(found.caveats),
        "regressions": None
        if compared is None
        else {
            "against": compared.before.name,
            "drift": compared.drift - 1.0,
            "changed": list(compared.changed),
            "differences": [
                {**asdict(it), "slower": it.slower, "faster": it.faster}
                for it in compared.differences
            ],
        },
    }


def _choice(choice: Choice) -> dict[str, Any]:
    return {
        "name": choice.name,
        "artifact": choice.artifact,
        "network": choice.network,
        "precision": choice.precision,
        "runtime": choice.runtime,
        "device": choice.device,
        "threads": choice.threads,
        "instances": choice.instances,
        "max_batch": choice.max_batch,
        "images_per_second": choice.throughput.estimate,
        "ci_low": choice.throughput.low,
        "ci_high": choice.throughput.high,
        "memory": choice.memory,
        "accuracy": None if choice.accuracy is None else asdict(choice.accuracy),
        "trained": choice.trained,
        "command": serve_command(choice),
    }


def _assessed(it: Assessed) -> dict[str, Any]:
    return {
        **_choice(it.choice),
        "predicted_seconds": _finite(it.prediction.seconds),
        "utilisation": it.prediction.utilisation,
        "shortfalls": [{**asdict(short), "share": _finite(short.share)} for short in it.shortfalls],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
