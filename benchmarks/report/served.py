"""What was measured around the engines: the service under load, and MLCommons' LoadGen."""

from collections.abc import Sequence

import numpy as np

from benchmarks.recommend_choices import is_valid, reasons
from benchmarks.report.section import Section, table
from measuring.record import Measurement

_PLACE = ("network", "kind", "way", "connections")


def served(records: Sequence[Measurement]) -> Section:
    """Rounds over HTTP by way and connections: medians of the rounds."""
    if not records:
        return Section(
            "serving",
            "Over HTTP",
            missing="the service was not measured",
            commands=("python -m benchmarks.serving",),
        )
    places: dict[tuple[str, ...], list[Measurement]] = {}
    for record in records:
        place = tuple(str(record.settings.get(key, "")) for key in _PLACE)
        places.setdefault(place, []).append(record)
    columns = (
        *("network", "body", "way", ">connections", ">requests/s", ">of engines alone"),
        *(">p50 ms", ">p99 ms", ">rounds"),
    )
    rows = []
    for place, rounds in sorted(places.items()):
        limit = [
            _rate(record)
            for other, found in places.items()
            if other[:2] == place[:2] and other[2] == "engines alone"
            for record in found
        ]
        rate = float(np.median([_rate(record) for record in rounds]))
        tails = (
            float(np.median([record.latencies.percentile(rank) for record in rounds])) * 1e3
            for rank in (50.0, 99.0)
        )
        share = f"{rate / float(np.median(limit)):.0%}" if limit else ""
        figures = (f"{rate:.0f}", share, *(f"{it:.1f}" for it in tails), str(len(rounds)))
        rows.append((*place, *figures))
    return Section(
        "serving",
        "Over HTTP",
        paragraphs=(
            "Closed loops against the running service, beside its engines without any HTTP; "
            "medians of the rounds.",
        ),
        tables=[table(columns, rows)],
    )


def loadgen(records: Sequence[Measurement]) -> Section | None:
    """MLCommons' scenarios, None where nobody ran them."""
    if not records:
        return None
    columns = (
        *("artifact", "runtime", ">instances x threads", "scenario", "of", ">value"),
        *("valid", "remark"),
    )
    rows = [_scenario(record) for record in records]
    return Section(
        "loadgen",
        "MLCommons LoadGen",
        paragraphs=(
            "The same engines driven by MLPerf's own load generator. VALID is its verdict; scaled "
            "runs are shorter than its rules ask for and no MLPerf results.",
        ),
        tables=[table(columns, rows)],
    )


def _scenario(record: Measurement) -> tuple[str, ...]:
    settings = record.settings
    remarks = ["scaled"] if settings.get("scaled") else []
    if not is_valid(record):
        remarks.append(reasons(record))
    return (
        str(settings.get("artifact", "")),
        str(settings.get("runtime", "")),
        f"{settings.get('instances', '')} x {settings.get('threads', '')}",
        str(settings.get("scenario", "")),
        str(settings.get("metric", "")),
        f"{float(str(settings.get('value', 'nan'))):.4g}",
        "VALID" if is_valid(record) else "INVALID",
        "; ".join(remarks),
    )


def _rate(record: Measurement) -> float:
    return float(str(record.settings["requests"])) / float(str(record.settings["seconds"]))
