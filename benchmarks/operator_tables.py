"""What operators take, as tables: arithmetic, bytes, time, rate, and the papers' figures beside."""

from collections.abc import Sequence
from typing import Any

from benchmarks.contrasts import seconds_of, time_ratio
from benchmarks.operators import AGAINST
from measuring.bootstrap import Interval
from measuring.record import Measurement

TABLES = {
    "operator": "Ten layers of equal width",
    "block": "Ten blocks of equal accuracy budget",
    "G1": "G1: equal channel width",
    "G2": "G2: groups",
    "G3": "G3: fragments",
    "G4": "G4: element-wise operations",
}
_COMMON = ("map", "operator", "runtime", ">M MACs", ">MB", ">ms", ">10⁹ MACs/s", ">GB/s")
_PUBLISHED = {
    "gpu_fps": ">2080 Ti images/s",
    "cpu_ms": ">i9-9900X ms",
    "arm_ms": ">Cortex-A72 ms",
    "gpu_batches": ">1080 Ti batches/s",
}
_FIRST = {"operator": "conv"}  # else the first that others are compared with
_THEIRS = {"operator": ("gpu_fps", "cpu_ms", "arm_ms"), "block": ()}


def base_of(table: str) -> str:
    """What the times of a table are told as multiples of."""
    return _FIRST.get(table, AGAINST[table][0])


def columns(table: str) -> tuple[str, ...]:
    """The headings of `rows`; those aligned to the right begin with `>`."""
    theirs = _THEIRS.get(table, ("gpu_batches",))
    return (*_COMMON, f">times {base_of(table)}", *(_PUBLISHED[key] for key in theirs))


def rows(found: Sequence[Measurement], table: str) -> list[list[str]]:
    """A line for each operator, runtime and map of a table, map by map."""
    some = [m for m in found if m.name == "operator" and m.settings["table"] == table]
    places = dict.fromkeys((m.settings["channels"], m.settings["side"]) for m in some)
    if table.startswith("G"):  # widths differ from row to row, and the rows belong together
        return [_row(m, table) for m in some]
    return [
        _row(m, table)
        for place in places
        for operator in dict.fromkeys(m.settings["operator"] for m in some)
        for m in some
        if (m.settings["channels"], m.settings["side"]) == place
        and m.settings["operator"] == operator
    ]


def _row(measured: Measurement, table: str) -> list[str]:
    settings = measured.settings
    macs, moved = (float(str(settings[key])) for key in ("macs", "bytes"))
    taken = seconds_of(measured)
    theirs = [settings.get(f"published {key}") for key in _THEIRS.get(table, ("gpu_batches",))]
    return [
        f"{settings['channels']} x {settings['side']}²",
        str(settings["operator"]).replace("_", " "),
        f"{settings['runtime']}{'' if settings['device'] == 'cpu' else ' cuda'}",
        *(f"{macs / 1e6:,.0f}", f"{moved / 1e6:.1f}"),
        with_interval(taken, 1e3),
        *(f"{macs / taken.estimate / 1e9:.1f}", f"{moved / taken.estimate / 1e9:.1f}"),
        _times(measured, base_of(table)),
        *("" if value is None else f"{float(str(value)):,g}" for value in theirs),
    ]


def _times(measured: Measurement, base: str) -> str:
    if measured.settings["operator"] == base:
        return "1"
    ratio = time_ratio(measured, base)
    return "" if ratio is None else with_interval(ratio)


def with_interval(value: Interval, factor: float = 1.0) -> str:
    """`1.23 (1.20 to 1.31)`, each times `factor`."""
    middle, low, high = (factor * each for each in (value.estimate, value.low, value.high))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def document(found: Sequence[Measurement]) -> list[dict[str, Any]]:
    """For machines: settings, with the seconds and their interval among them."""
    return [
        {**measured.settings, "valid": measured.valid, "reasons": list(measured.reasons)}
        for measured in found
    ]
