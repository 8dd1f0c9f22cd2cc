"""What `stride loadtest` prints: images per second by batch size, then every point of each load."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from commands.output import print_step, print_table, results

if TYPE_CHECKING:
    from loadtest.baseline import Compared
    from loadtest.goodput import Goodput
    from loadtest.point import Point
    from loadtest.sweep import Result

_NARROW = 120
"""Columns of a terminal below which models have numbers in place of their names."""
_STAGES = ("queue", "inference")
FLOOR_WARNING = 0.3
"""Of a median latency: above it, the service and not the network is what is measured."""


def line(result: "Result") -> str:
    """One result in one line, as soon as it is there; why it is INVALID follows with the tables."""
    from loadtest.gate import searched
    from loadtest.point import Point, place

    if not isinstance(result, Point):
        found = result.found
        kept = "no rate" if found.kept is None else f"{found.kept:.4g} requests/s"
        return f"{searched(result)}: {kept} found in {found.probes} probes"
    latency = result.outcome.latency
    told = [f"{result.images_per_second:.1f} images/s"]
    median = latency.summary.get("p50") if latency else None
    told += [f"p50 {median * 1e3:.2f} ms"] if median is not None else []
    told += [f"errors {result.error_share:.2%}"] * bool(result.error_share)
    told += ["INVALID"] * bool(result.outcome.invalid)
    return f"{place(result)}: {', '.join(told)}"


def print_results(found: "Sequence[Result]", compared: "Compared | None") -> None:
    """Tables, then what a reader has to know of them."""
    from loadtest.point import Point

    points = [it for it in found if isinstance(it, Point)]
    goodputs = [it for it in found if not isinstance(it, Point)]
    names = _names(points)
    for traffic in dict.fromkeys(_traffic(point) for point in points):
        at = [point for point in points if _traffic(point) == traffic]
        if len({point.outcome.target.batch for point in at}) > 1:
            _print_by_batch(at, traffic, names)
        _print_points(at, points, traffic, names)
    if goodputs:
        _print_goodputs(goodputs)
    _print_notes(points)
    if compared is not None:
        _print_compared(compared)


def print_failures(found: "Sequence[Result]", failures: "Sequence[str]", *, complete: bool) -> None:
    """Every reason, and the verdict where there was something to keep."""
    from loadtest.gate import undecided_errors

    for text in failures:
        print_step(f"FAILED: {text}")
    asked = [it for it in found if it.slo is not None]
    if asked and complete and not failures:
        print_step("the SLO is kept" + f" at all {len(asked)} points" * (len(asked) > 1))
    if unasked := undecided_errors(found):
        print_step(unasked)


def _traffic(point: "Point") -> str:
    from loadtest.point import level

    return level(point.outcome.load.traffic)


def _names(points: "Sequence[Point]") -> dict[str, str]:
    """By id, as tables show them; a narrow terminal has the ids once, above."""
    ids = dict.fromkeys(point.model.id for point in points)
    if results.width >= _NARROW:
        return {name: name for name in ids}
    for number, name in enumerate(ids, 1):
        results.print(f"{number}: {name}", markup=False)
    return {name: str(number) for number, name in enumerate(ids, 1)}


def _print_by_batch(points: "Sequence[Point]", traffic: str, names: Mapping[str, str]) -> None:
    """One row for each model: where it answers most, and how much of that is the service alone."""
    batches = sorted({point.outcome.target.batch for point in points})
    results.print(f"\nimages/s by batch size, {traffic}", style="bold")
    rows = []
    for name in dict.fromkeys(point.model.id for point in points):
        at = {point.outcome.target.batch: point for point in points if point.model.id == name}
        best = max(at.values(), key=lambda point: point.images_per_second)
        floor = " (null: the floor)" if best.model.is_floor else ""
        cells = (_rate(at[batch].images_per_second) if batch in at else "" for batch in batches)
        rows.append((names[name] + floor, *cells, str(best.outcome.target.batch)))
    print_table(("model", *(f">{batch}" for batch in batches), ">best batch"), rows)


def _print_points(
    points: "Sequence[Point]", all_points: "Sequence[Point]", traffic: str, names: Mapping[str, str]
) -> None:
    """One table; in a narrow terminal one of the answers and one of the service."""
    from measuring.percentiles import CLAIMS

    results.print(f"\n{traffic}, milliseconds", style="bold")
    places = ("model", ">batch")
    answers = (">images/s", ">95 %", *(f">{name}" for name in CLAIMS), ">errors", "verdict")
    inside = (*(f">{stage}" for stage in _STAGES), ">floor", ">above it", ">CPU cores", ">MB")
    rows = [
        (
            (names[point.model.id], str(point.outcome.target.batch)),
            _answers(point),
            _inside(point, all_points),
        )
        for point in points
    ]
    if results.width >= _NARROW:
        _print_filled(
            (*places, *answers[:-1], *inside, answers[-1]),
            [(*place, *told[:-1], *within, told[-1]) for place, told, within in rows],
        )
        return
    _print_filled((*places, *answers), [(*place, *told) for place, told, _ in rows])
    _print_filled((*places, *inside), [(*place, *within) for place, _, within in rows])


def _print_filled(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Without the columns that nothing is in."""
    filled = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    print_table([columns[at] for at in filled], [[row[at] for at in filled] for row in rows])


def _answers(point: "Point") -> tuple[str, ...]:
    from measuring.percentiles import CLAIMS

    interval = point.throughput
    return (
        _rate(point.images_per_second),
        f"{interval.low:.0f}-{interval.high:.0f}" if interval else "",
        *(_claimed(point, name) for name in CLAIMS),
        f"{point.error_share:.2%}" if point.error_share else "0",
        _verdict(point),
    )


def _inside(point: "Point", points: "Sequence[Point]") -> tuple[str, ...]:
    """What the service says of itself, and what is above the floor."""
    from loadtest.point import floor_point

    floor = floor_point(points, point)
    medians = [
        it.outcome.latency.summary["p50"]
        for it in (point, floor)
        if it and it.outcome.latency and "p50" in it.outcome.latency.summary
    ]
    stages = (point.outcome.stages.get(stage) for stage in _STAGES)
    cpu, memory = point.usage.cpu_per_image, point.usage.memory
    return (
        *(_milliseconds(stage.summary["mean"]) if stage else "" for stage in stages),
        *(
            (_milliseconds(medians[1]), _milliseconds(medians[0] - medians[1]))
            if len(medians) == 2
            else ("", "")
        ),
        f"{cpu * point.images_per_second:.2f}" if cpu is not None else "",
        f"{memory / 1e6:.0f}" if memory is not None else "",
    )


def _rate(images_per_second: float) -> str:
    return f"{images_per_second:.0f}" if images_per_second >= 100 else f"{images_per_second:.1f}"


def _claimed(point: "Point", name: str) -> str:
    """`n<662` where the answers are too few to claim the percentile."""
    from measuring.percentiles import CLAIMS, least_count

    latency = point.outcome.latency
    if latency is None or name not in latency.summary:
        return f"n<{least_count(CLAIMS[name]):,}"
    return _milliseconds(latency.summary[name])


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _verdict(point: "Point") -> str:
    valid = ["INVALID"] if point.outcome.invalid else []
    told = [*(["WRONG"] if point.wrong else []), *valid]
    if point.slo is not None:
        told.append("kept" if point.kept else "BROKEN")
    return " ".join(told)


def _print_goodputs(goodputs: "Sequence[Goodput]") -> None:
    from loadtest.gate import searched

    results.print("\nhighest rate of Poisson arrivals that keeps the SLO", style="bold")
    rows = []
    for it in goodputs:
        found = it.found
        rows.append(
            (
                it.model.id,
                str(it.target.batch),
                it.slo.text,
                f"{found.kept:.4g}" if found.kept is not None else "none",
                f"{found.broken:.4g}" if found.broken is not None else "not reached",
                f"{it.images_per_second:.4g}",
                str(found.probes),
                "early" if found.ended else f"within {it.effort.precision:.0%}",
            )
        )
    columns = ("model", ">batch", "SLO", ">kept/s", ">broken at", ">images/s", ">probes", "ended")
    print_table(columns, rows)
    for it in goodputs:
        if it.found.ended and it.kept:  # else it stands with why the test is not passed
            print_step(f"{searched(it)} ended early: {it.found.ended}")


def _print_notes(points: "Sequence[Point]") -> None:
    from loadtest.other_load import OTHERS
    from loadtest.point import place
    from measuring.percentiles import CLAIMS, least_count

    latencies = [point.outcome.latency for point in points]
    unclaimed = [
        name for name in CLAIMS if any(it is None or name not in it.summary for it in latencies)
    ]
    if unclaimed:
        needed = ", ".join(f"{name} {least_count(CLAIMS[name]):,}" for name in unclaimed)
        results.print(f"n<...: n too small to claim it; answers needed: {needed}")
    _print_floor(points)
    disturbed = [point for point in points if (point.usage.others or 0.0) > OTHERS]
    if disturbed:
        most = max(disturbed, key=lambda point: point.usage.others or 0.0)
        print_step(
            f"other load: others took over {OTHERS:.0%} of the cores at {len(disturbed)} of "
            f"{len(points)} points, up to {most.usage.others or 0.0:.0%} ({place(most)})"
        )
    for text in dict.fromkeys(note for point in points for note in point.outcome.notes):
        print_step(f"note: {text}")
    for point in points:
        if point.outcome.invalid:
            print_step(f"INVALID: {place(point)}: {'; '.join(point.outcome.invalid)}")
        for kind, count in point.outcome.errors.items():
            example = point.outcome.examples.get(kind, "")
            print_step(f"errors: {place(point)}: {count:,} x {kind}: {example}")


def _print_floor(points: "Sequence[Point]") -> None:
    """Where what is measured is the service more than the network."""
    from loadtest.point import floor_point, place

    shares = {}
    for point in points:
        floor = floor_point(points, point)
        if floor and floor.outcome.latency and point.outcome.latency:
            median = point.outcome.latency.percentile(50.0)
            shares[place(point)] = floor.outcome.latency.percentile(50.0) / median
    over = {name: share for name, share in shares.items() if share > FLOOR_WARNING}
    if over:
        most = max(over, key=lambda name: over[name])
        results.print(
            f"At {len(over)} of {len(shares)} points the floor, service and network without any "
            f"backbone, is over {FLOOR_WARNING:.0%} of the median, up to {over[most]:.0%} "
            f"({most}): there backbones differ by more than these figures do.",
            markup=False,
            soft_wrap=True,
        )


def _print_compared(compared: "Compared") -> None:
    from loadtest.baseline import LEVEL

    count = len(compared.regressions)
    results.print(
        f"\nagainst the baseline: {count} of {len(compared.changes)} figures are worse beyond "
        f"noise and margin (together at {LEVEL:.0%}, Holm); the others are no worse, or tie"
    )
    for words, names in (
        ("not in the baseline", compared.missing),
        ("only in the baseline", compared.gone),
        ("INVALID or beside other load, not compared", compared.untrusted),
        ("not the same as then", compared.machine),
    ):
        for name in names:
            print_step(f"{words}: {name}")
