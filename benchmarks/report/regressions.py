"""Whether this run is slower than an earlier one, beyond noise.

Two runs lie hours apart, so nothing was interleaved: what all options share in a change is told
apart as drift of the machine, and single options are held against the rest only where Holm's
correction at 1 % and a least change of 5 % both say so.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, median

from benchmarks.pages import number
from benchmarks.recommend_choices import is_valid
from benchmarks.report.curves import Way, way
from benchmarks.report.results import Run
from benchmarks.report.section import Section, Table, table
from measuring.record import Measurement
from measuring.significance import holm

Option = tuple[Way, int]

LEVEL = 0.01
_SHOWN = 5  # of what cannot be compared
LEAST = 0.05
"""A change that matters, as a share; an engine that is opened again differs by a few percent."""


@dataclass(frozen=True)
class Difference:
    """One option at one batch size: `speed` is images per second now over then, between `low` and
    `high` in 95 of 100 runs; `p_value` corrected, of a change as large by noise alone."""

    name: str
    batch: int
    before: float
    now: float
    speed: float
    low: float
    high: float
    p_value: float

    @property
    def slower(self) -> bool:
        """A regression: beyond noise and beyond what matters."""
        return self.p_value < LEVEL and self.speed <= 1.0 - LEAST

    @property
    def faster(self) -> bool:
        """The other way round."""
        return self.p_value < LEVEL and self.speed >= 1.0 / (1.0 - LEAST)


@dataclass(frozen=True)
class Regressions:
    """`drift`: the median of all speeds, which is the machine's as likely as the software's;
    `changed`: what else is not as it was; `only_before`, `only_now`: what cannot be compared."""

    before: Run
    now: Run
    differences: tuple[Difference, ...]
    drift: float
    changed: tuple[str, ...]
    only_before: tuple[str, ...]
    only_now: tuple[str, ...]

    @property
    def slower(self) -> tuple[Difference, ...]:
        """The regressions."""
        return tuple(it for it in self.differences if it.slower)


def compare_runs(now: Run, before: Run) -> Regressions:
    """Every option that both runs have valid records of."""
    old, new = _by_option(before.records), _by_option(now.records)
    shared = [key for key in new if key in old]
    changes = [_change(old[key], new[key]) for key in shared]
    corrected = holm([p_value for *_, p_value in changes])
    differences = [
        Difference(
            name=_name(key[0]),
            batch=key[1],
            before=number(old[key], "images_per_second"),
            now=number(new[key], "images_per_second"),
            speed=speed,
            low=low,
            high=high,
            p_value=p_value,
        )
        for key, (speed, low, high, _), p_value in zip(shared, changes, corrected, strict=True)
    ]
    return Regressions(
        before=before,
        now=now,
        differences=tuple(sorted(differences, key=lambda it: it.speed)),
        drift=median([it.speed for it in differences]) if differences else 1.0,
        changed=before.machine.differences(now.machine),
        only_before=tuple(_option_name(key) for key in old if key not in new),
        only_now=tuple(_option_name(key) for key in new if key not in old),
    )


def regressions(found: Regressions | None, runs: Sequence[Run]) -> Section:
    """The comparison, or what it would take."""
    title, anchor = "Regressions", "regressions"
    if found is None:
        earlier = ", ".join(run.name for run in runs[1:6])
        return Section(
            anchor,
            title,
            missing="not compared with an earlier run"
            + (f"; there are {earlier}" if earlier else ""),
            commands=(f"stride report --against {runs[1].name if len(runs) > 1 else 'RUN'}",),
        )
    slower, faster = found.slower, [it for it in found.differences if it.faster]
    paragraphs = [
        f"{found.now.name} ({found.now.started[:16]}) against {found.before.name} "
        f"({found.before.started[:16]}): {len(slower)} of {len(found.differences)} options are "
        f"slower, {len(faster)} faster, beyond noise (Holm at {LEVEL:.0%}) and by {LEAST:.0%} or "
        "more.",
        f"All together changed by {found.drift - 1.0:+.1%} (median). The runs were not "
        "interleaved: a change that all share may be the machine's.",
    ]
    if found.changed:
        paragraphs.append(f"The machine changed: {'; '.join(found.changed)}.")
    notes = [
        f"Only in {run.name}: {', '.join(names[:_SHOWN])}{_more(names)}."
        for run, names in ((found.before, found.only_before), (found.now, found.only_now))
        if names
    ]
    return Section(anchor, title, paragraphs, tables=[_table(found)], notes=notes)


def _table(found: Regressions) -> Table:
    columns = (
        *(
            "option",
            ">batch",
            ">images/s before",
            ">now",
            ">change",
            ">95 %",
            ">p (Holm)",
            "verdict",
        ),
    )
    rows = [
        (
            it.name,
            str(it.batch),
            f"{it.before:.0f}",
            f"{it.now:.0f}",
            f"{it.speed - 1.0:+.1%}",
            f"{it.low - 1.0:+.1%} to {it.high - 1.0:+.1%}",
            f"{it.p_value:.3f}" if it.p_value >= 0.001 else "<0.001",
            "SLOWER" if it.slower else "faster" if it.faster else "as before",
        )
        for it in found.differences
    ]
    marked = [i for i, it in enumerate(found.differences) if it.slower]
    return table(columns, rows, "The largest losses first.", marked=marked)


def _by_option(records: Sequence[Measurement]) -> dict[Option, Measurement]:
    return {
        (way(record), int(number(record, "batch"))): record
        for record in records
        if is_valid(record) and record.settings.get("images_per_second")
    }


def _change(before: Measurement, now: Measurement) -> tuple[float, float, float, float]:
    """Speed, its 95 % interval, and the chance of such a change, all on a logarithmic scale where
    the error of a quotient is that of both, and about normal for a median of many blocks."""
    change = math.log(number(now, "images_per_second") / number(before, "images_per_second"))
    error = math.hypot(_error(before), _error(now))
    normal = NormalDist()
    width = normal.inv_cdf(0.975) * error
    p_value = 2.0 * normal.cdf(-abs(change) / error) if error > 0.0 else float(change == 0.0)
    return math.exp(change), math.exp(change - width), math.exp(change + width), p_value


def _error(record: Measurement) -> float:
    """The standard error of the logarithm, from the 95 % interval; 2 % where there is none."""
    if "ci_low" not in record.settings or "ci_high" not in record.settings:
        return 0.02
    width = math.log(number(record, "ci_high") / number(record, "ci_low"))
    return width / 2.0 / NormalDist().inv_cdf(0.975)


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""


def _option_name(key: Option) -> str:
    return f"{_name(key[0])}, batch {key[1]}"


def _name(key: Way) -> str:
    artifact, runtime, _, instances, threads = key
    return f"{artifact} on {runtime}, {instances} x {threads}"
