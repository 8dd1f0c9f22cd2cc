"""Whether a load test is worse than an earlier one, beyond noise.

The two lie hours or weeks apart. Each figure has an interval from a bootstrap over slices of its
own run; what such slices cannot show, such as a machine that has another day, is allowed for by a
margin. All figures are held together (Holm), and a difference that is not shown is a tie.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from types import MappingProxyType

from loadtest.other_load import OTHERS
from loadtest.plan import Measure, Step
from loadtest.point import level
from loadtest.records import GOODPUT, LOAD, SEARCH, TAILS, percentile_interval, side_of
from measuring.errors import InputError
from measuring.record import Measurement, read_measurements
from measuring.significance import holm

LEVEL = 0.01
MARGINS: Mapping[str, float] = MappingProxyType(
    {"images/s": 0.05, "goodput": 0.10, "p50": 0.10, **dict.fromkeys(TAILS, 0.25)}
)
"""A change up to here, as a share, is none: runs of the same service differ by so much."""
_IDENTITY = ("asked", "protocol", "body", "side", "batch", "load")
_NORMAL = NormalDist()
Key = tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One figure of one point: how many times as bad it is `now` as `before`, between `low` and
    `high` in 95 of 100 runs; `p_value` corrected, of a change beyond the margin by noise alone."""

    place: str
    figure: str
    before: float
    now: float
    worse: float
    low: float
    high: float
    p_value: float

    @property
    def regression(self) -> bool:
        """Beyond noise and beyond the margin."""
        return self.p_value < LEVEL

    @property
    def words(self) -> str:
        """`images/s 150 instead of 210, 1.40 times as bad [1.32, 1.49]`."""
        shown = (_shown(self.figure, it) for it in (self.now, self.before))
        change = f"{self.figure} {' instead of '.join(shown)}"
        if self.figure == "errors":
            return f"{change}, by chance in {self.p_value:.2g} of all cases"
        return f"{change}, {self.worse:.2f} times as bad [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True)
class Compared:
    """`missing`: points that the baseline does not have; `gone`: those that only it has;
    `untrusted`: those that are INVALID on either side or had other load beside them, which are not
    compared; `machine`: what is not the same there."""

    changes: tuple[Change, ...]
    missing: tuple[str, ...]
    gone: tuple[str, ...]
    untrusted: tuple[str, ...]
    machine: tuple[str, ...]

    @property
    def regressions(self) -> tuple[Change, ...]:
        """The worst first."""
        found = [change for change in self.changes if change.regression]
        return tuple(sorted(found, key=lambda change: -change.worse))


def read_baseline(path: Path) -> tuple[Measurement, ...]:
    """The records of a load test. Raises InputError for a file that has none."""
    records = tuple(it for it in read_measurements(path) if it.name in (LOAD, GOODPUT))
    if not records:
        raise InputError(
            f"baseline {path} has no record of a load test; make one with `stride loadtest`, and "
            "give the .jsonl file that it names"
        )
    return records


def compare(
    now: Sequence[Measurement], before: Sequence[Measurement], *, invalid: bool = False
) -> Compared:
    """Every point that both have, by what was asked for; of several records of a point the newest.

    `invalid`: those that are not to be trusted, too."""
    new, old = _by_place(now), _by_place(before)
    shared = [key for key in new if key in old]
    usable = [key for key in shared if invalid or (_trusted(new[key]) and _trusted(old[key]))]
    found = [change for key in usable for change in _changes(_name(key), old[key], new[key])]
    corrected = holm([change.p_value for change in found])
    return Compared(
        changes=tuple(
            Change(**{**vars(it), "p_value": p}) for it, p in zip(found, corrected, strict=True)
        ),
        missing=tuple(_name(key) for key in new if key not in old),
        gone=tuple(_name(key) for key in old if key not in new),
        untrusted=tuple(_name(key) for key in shared if key not in usable),
        machine=before[-1].machine.differences(now[0].machine) if now and before else (),
    )


def missing(plan: Sequence[Step], before: Sequence[Measurement]) -> tuple[str, ...]:
    """What is going to be measured and cannot be compared, before anything is."""
    old = _by_place(before)
    return tuple(_name(key) for key in map(_key_of, plan) if key not in old)


def _key_of(step: Step) -> Key:
    target = step.target
    if isinstance(step, Measure):
        kind, load = LOAD, level(step.load.traffic)
    else:
        kind, load = GOODPUT, SEARCH
    side = side_of(target, step.model)
    return (kind, target.model, target.protocol, target.body, str(side), str(target.batch), load)


def _by_place(records: Sequence[Measurement]) -> dict[Key, Measurement]:
    ordered = sorted(records, key=lambda it: it.started)
    return {
        (it.name, *(str(it.settings.get(name, "")) for name in _IDENTITY)): it for it in ordered
    }


def _trusted(record: Measurement) -> bool:
    return record.valid and (_number(record, "others") or 0.0) <= OTHERS


def _name(key: Key) -> str:
    _, asked, _, body, _, batch, load = key
    return f"{asked}, {body}, batch {batch}, {load}"


def _changes(place: str, before: Measurement, now: Measurement) -> Iterator[Change]:
    if now.name == GOODPUT:
        yield from _of_rate(place, "goodput", before, now, ("rate", "broken_rate"))
        return
    if now.settings.get("arrivals") == "closed":
        yield from _of_rate(place, "images/s", before, now, ("ci_low", "ci_high"))
    else:
        yield from _of_percentile(place, "p50", before, now)
    for name in TAILS:
        if name in before.latencies.summary and name in now.latencies.summary:
            yield from _of_percentile(place, name, before, now)
            break
    yield _of_errors(place, before, now)


def _of_rate(
    place: str, figure: str, before: Measurement, now: Measurement, bounds: tuple[str, str]
) -> Iterator[Change]:
    """More is better."""
    old, new = (_number(it, "images_per_second") for it in (before, now))
    if not old or not new:
        return
    errors = [_error(*(_number(it, name) for name in bounds)) for it in (before, now)]
    yield _change(place, figure, (old, new), math.log(old / new), errors)


def _of_percentile(
    place: str, name: str, before: Measurement, now: Measurement
) -> Iterator[Change]:
    """Less is better."""
    old, new = before.latencies.summary[name], now.latencies.summary[name]
    if old > 0.0 and new > 0.0:
        errors = [_error(*_bounds(it, name)) for it in (before, now)]
        yield _change(place, name, (old, new), math.log(new / old), errors)


def _bounds(record: Measurement, name: str) -> tuple[float | None, float | None]:
    """As they were written; computed where the raw samples are at hand and another was written."""
    low, high = _number(record, f"{name} low"), _number(record, f"{name} high")
    if low is None and (found := percentile_interval(record.latencies, name)) is not None:
        return found.low, found.high
    return low, high


def _change(
    place: str, figure: str, values: tuple[float, float], worse: float, errors: Sequence[float]
) -> Change:
    """`worse`: logarithm of how many times as bad; `errors`: of the logarithms, by their
    intervals."""
    error = math.hypot(*errors)
    p_value = _NORMAL.cdf(-(worse - math.log1p(MARGINS[figure])) / error)
    width = _NORMAL.inv_cdf(0.975) * error
    bounds = (math.exp(worse), math.exp(worse - width), math.exp(worse + width))
    return Change(place, figure, *values, *bounds, p_value)


def _error(low: float | None, high: float | None) -> float:
    """The standard error of a logarithm, from its 95 % interval; 5 % where there is none, and 1 %
    at least: slices that agree by chance promise too much."""
    if low is None or high is None or not 0.0 < low <= high:
        return 0.05
    return max(0.01, math.log(high / low) / 2.0 / _NORMAL.inv_cdf(0.975))


def _of_errors(place: str, before: Measurement, now: Measurement) -> Change:
    """Fisher's exact test, one-sided: the chance that so many of all failures are the later run's,
    if failing were as likely in both."""
    counts = [
        (
            int((_number(it, "errors") or 0) + (_number(it, "dropped") or 0)),
            int(_number(it, "requests") or 0),
        )
        for it in (before, now)
    ]
    (failed_before, due_before), (failed_now, due_now) = counts
    failed, due = failed_before + failed_now, due_before + due_now
    chance = sum(
        _hypergeometric(many, failed, due_now, due)
        for many in range(failed_now, min(failed, due_now) + 1)
    )
    old, new = failed_before / max(due_before, 1), failed_now / max(due_now, 1)
    worse = new / old if old else math.inf if new else 1.0
    return Change(place, "errors", old, new, worse, worse, worse, min(1.0, chance))


def _hypergeometric(many: int, failed: int, drawn: int, due: int) -> float:
    """The chance of `many` failures among `drawn` requests of `due`, of which `failed` failed."""
    if due - failed < drawn - many:
        return 0.0
    logarithm = _choose(failed, many) + _choose(due - failed, drawn - many) - _choose(due, drawn)
    return math.exp(logarithm)


def _choose(count: int, of_them: int) -> float:
    """The logarithm of the number of ways."""
    return math.lgamma(count + 1) - math.lgamma(of_them + 1) - math.lgamma(count - of_them + 1)


def _number(record: Measurement, setting: str) -> float | None:
    value = record.settings.get(setting)
    return float(value) if isinstance(value, int | float) else None


def _shown(figure: str, value: float) -> str:
    if figure == "errors":
        return f"{value:.3%}"
    return f"{value:.4g}" if figure in ("images/s", "goodput") else f"{value * 1e3:.4g} ms"
