"""Whether a load test is passed. What cannot be told is not passed: a gate must not open for want
of evidence."""

from collections.abc import Iterator, Sequence

from loadtest.baseline import Compared
from loadtest.goodput import Goodput
from loadtest.point import Point, place
from loadtest.sweep import Result

_TRUST = "let it decide all the same with --invalid"


def failures(results: Sequence[Result], compared: Compared | None = None) -> tuple[str, ...]:
    """Why it is not, a sentence each; none: it is."""
    found: list[str] = []
    for result in results:
        if isinstance(result, Point):
            found += (f"{place(result)}: {words}" for words in _of_point(result))
        else:
            found += (f"{searched(result)}: {words}" for words in _of_goodput(result))
    if compared is not None:
        found += _of_baseline(compared)
    return tuple(found)


def undecided_errors(results: Sequence[Result]) -> str:
    """A warning where requests failed and no SLO was asked for, which a pipeline must not take for
    one that was kept; nothing elsewhere."""
    failing = [it for it in results if isinstance(it, Point) and it.error_share]
    if not failing or any(it.slo is not None for it in results):
        return ""
    worst = max(failing, key=lambda it: it.error_share)
    return (
        f"errors decide nothing without an SLO, up to {worst.error_share:.2%} at {place(worst)}; "
        "bound them with --slo errors=0.1%"
    )


def searched(goodput: Goodput) -> str:
    """`small-onnx-fp32, batch 8, search`."""
    return f"{goodput.model.id}, batch {goodput.target.batch}, search"


def _of_point(point: Point) -> Iterator[str]:
    outcome = point.outcome
    for kind, count in point.wrong.items():
        example = outcome.examples.get(kind, "")
        yield f"WRONG ANSWERS, {count:,} of {outcome.due:,}, {kind}: {example}"
    if outcome.ok == 0:
        yield f"no request was answered rightly ({_instead(point)})"
    elif point.slo is not None and point.untrusted:
        yield f"INVALID, so it cannot be told: {'; '.join(point.untrusted)}; {_TRUST}"
    else:
        yield from (verdict.words for verdict in point.verdicts if not verdict.kept)


def _instead(point: Point) -> str:
    outcome = point.outcome
    if outcome.errors:
        return ", ".join(f"{count:,} {kind}" for kind, count in outcome.errors.items())
    if outcome.dropped:
        return f"none of {outcome.due:,} was sent, since all connections waited"
    return f"none was due in {outcome.load.seconds:g} s; measure longer, with more seconds"


def _of_goodput(goodput: Goodput) -> Iterator[str]:
    yield from (verdict.words for verdict in goodput.verdicts if not verdict.kept)
    for kind, count in goodput.wrong.items():
        yield f"WRONG ANSWERS, {count:,} in all probes, {kind}: {goodput.examples.get(kind, '')}"


def _of_baseline(compared: Compared) -> Iterator[str]:
    for change in compared.regressions:
        yield f"REGRESSION at {change.place}: {change.words}"
    if not compared.changes:
        because = (
            "all points that both have are INVALID or had other load beside them"
            if compared.untrusted
            else "they have no point in common"
        )
        yield f"nothing could be compared with the baseline: {because}; {_TRUST}"
