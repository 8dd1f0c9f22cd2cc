"""What `stride bench` prints: the points of each batch size, T(b), and what cannot be said."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from commands.output import print_step, print_table, results

if TYPE_CHECKING:
    from benchmarks.bench import Result
    from benchmarks.bench_pairs import Pairs
    from measuring.record import Measurement

_COLUMNS = (
    *("artifact", "engine", "shape", ">images/s", ">95 %", ">p50 ms", ">p90", ">p99"),
    *(">RSS MB", ">cold s", "valid", "fastest"),
)
_WIDE = 120  # a terminal's columns that the tables of batch sizes need


def print_left_out(left_out: Mapping[str, str]) -> None:
    """What is not timed, and why."""
    for key, reason in left_out.items():
        print_step(f"not timed: {key}: {reason}")


def print_result(result: "Result") -> None:
    """Tables, then sentences; where it was written to. A narrow terminal has the artifacts' ids
    once, above the tables, and their numbers in them."""
    names = {str(it.settings["artifact"]): "" for it in result.points}
    narrow = results.width < _WIDE
    for number, name in enumerate(names, 1):
        names[name] = str(number) if narrow else name
        if narrow:
            results.print(f"{number}: {name}", markup=False)
    for batch in result.plan.batches:
        at = [it for it in result.points if it.settings["batch"] == batch]
        if at:
            results.print(f"\nbatch {batch}", style="bold")
            rows = [(names[row[0]], *row[1:]) for row in _rows(at, result.pairs, batch)]
            _print_filled(("#", *_COLUMNS[1:]) if narrow else _COLUMNS, rows)
    _print_fits(result.fits)
    _print_notes(result)


def _print_filled(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table without the columns that nothing is in, such as percentiles that are not claimed."""
    filled = [at for at in range(len(columns)) if any(row[at] for row in rows)]
    print_table([columns[at] for at in filled], [[row[at] for at in filled] for row in rows])


def document(result: "Result", left_out: Mapping[str, str]) -> dict[str, Any]:
    """For scripts: every record's settings and percentiles, every pair, and what is not timed."""
    return {
        "run": result.plan.run,
        "records": str(result.path),
        "profile": None if result.profile is None else str(result.profile),
        "points": [_entry(it) for it in result.points],
        "fits": [_entry(it) for it in result.fits],
        "pairs": [asdict(pair) for pair in result.pairs.pairs],
        "left_out": {**left_out, **result.left_out},
    }


def _entry(record: "Measurement") -> dict[str, Any]:
    return {**record.settings, "latency": record.latencies.summary}


def _rows(points: "Sequence[Measurement]", pairs: "Pairs", batch: int) -> list[tuple[str, ...]]:
    """Fastest first; `=` for those that tie with it."""
    from benchmarks.bench_pairs import tied_with

    ordered = sorted(points, key=lambda it: -_number(it, "images_per_second"))
    ties = tied_with(pairs, candidate_key(ordered[0]), batch)
    rows = []
    for place, it in enumerate(ordered):
        mark = "yes" if place == 0 else "tie" if candidate_key(it) in ties else ""
        rows.append((*_cells(it), mark))
    return rows


def candidate_key(record: "Measurement") -> str:
    """As `Candidate.key` has it."""
    s = record.settings
    place = "" if s["device"] == "cpu" else f" {s['device']}"
    return f"{s['artifact']} {s['runtime']}{place} {s['instances']}x{s['threads']}"


def _cells(record: "Measurement") -> tuple[str, ...]:
    settings, summary = record.settings, record.latencies.summary
    low, high = _number(record, "ci_low"), _number(record, "ci_high")
    return (
        str(settings["artifact"]),
        str(settings["runtime"]),
        f"{settings['instances']}x{settings['threads']}",
        f"{_number(record, 'images_per_second'):.0f}",
        f"{low:.0f}-{high:.0f}",
        *(_milliseconds(summary.get(name)) for name in ("p50", "p90", "p99")),
        f"{_number(record, 'rss') / 1e6:.0f}" if "rss" in settings else "",
        f"{_number(record, 'cold_start'):.2f}",
        "VALID" if record.valid else "INVALID",
    )


def _print_fits(fits: "Sequence[Measurement]") -> None:
    if not fits:
        return
    results.print("\nT(b) = t0 + a b", style="bold")
    rows = [
        (
            str(it.settings["artifact"]),
            str(it.settings["runtime"]),
            f"{it.settings['instances']}x{it.settings['threads']}",
            f"{_number(it, 't0') * 1e3:.2f}",
            f"{_number(it, 'per_image') * 1e3:.2f}",
            f"{_number(it, 'residual'):.1%}",
        )
        for it in fits
    ]
    print_table(("artifact", "engine", "shape", ">t0 ms", ">a ms", ">residual"), rows)


def _print_notes(result: "Result") -> None:
    pairs = result.pairs
    apart = sum(pair.significant for pair in pairs.pairs)
    if pairs.pairs:
        results.print(
            f"\n{apart} of {len(pairs.pairs)} pairs differ by more than {pairs.margin:.0%} "
            f"(together at {pairs.level:.0%}, Holm); the other {len(pairs.pairs) - apart} are ties."
        )
        _print_too_few(pairs, int(_number(result.points[0], "blocks")))
    print_left_out(result.left_out)
    for reason, count in _reasons(result.points).items():
        results.print(f"INVALID, {count} of {len(result.points)}: {reason}")
    if not any("energy_per_image" in it.settings for it in result.points):
        results.print("energy: neither RAPL nor NVML can be read here")
    print_step(f"records: {result.path}")
    if result.profile is not None:
        print_step(f"profile: {result.profile}; `stride serve` takes it from there")


def _print_too_few(pairs: "Pairs", blocks: int) -> None:
    """Where even a difference in every block would be a tie."""
    if 0.5**blocks * len(pairs.pairs) >= pairs.level:
        results.print(
            f"{blocks} blocks cannot tell any of {len(pairs.pairs)} pairs apart: measure without "
            "--quick, or fewer artifacts, runtimes and batch sizes at once."
        )


def _reasons(points: "Sequence[Measurement]") -> dict[str, int]:
    """Kinds of reasons, which carry figures of their own, by how many records have them."""
    found: dict[str, int] = {}
    for record in points:
        for kind in {reason.partition(":")[0] for reason in record.reasons}:
            found[kind] = found.get(kind, 0) + 1
    return found


def _number(record: "Measurement", setting: str) -> float:
    return float(str(record.settings[setting]))


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1e3:.2f}"
