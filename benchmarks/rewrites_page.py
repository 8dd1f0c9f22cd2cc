"""docs/rewrites.md from the published records: what each rewrite is worth, and where.

python -m benchmarks.rewrites_page
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from measuring.record import Measurement, read_measurements

ROOT = Path(__file__).parent.parent
RECORDS = ROOT / "results" / "published" / "rewrites.jsonl"
PAGE = ROOT / "docs" / "rewrites.md"
MARK = (
    "<!-- generated from results/published/rewrites.jsonl: python -m benchmarks.rewrites_page -->"
)

_HEAD = ("network", "runtime", "precision", "batch 1", "batch 8")


def tables(measurements: Iterable[Measurement]) -> str:
    """A table for each rewrite: speed with it as a multiple of the speed without, its 95 %
    interval in brackets; bold where the whole interval is above 1."""
    by_rewrite: dict[str, dict[tuple[str, str, str], dict[int, Measurement]]] = defaultdict(dict)
    for measured in measurements:
        settings = measured.settings
        if settings["way"] != "with":
            continue
        place = (str(settings["network"]), str(settings["runtime"]), str(settings["precision"]))
        row = by_rewrite[str(settings["rewrite"])].setdefault(place, {})
        row[int(str(settings["batch"]))] = measured
    return "\n".join(_table(rewrite, rows) for rewrite, rows in by_rewrite.items())


def machine_line(measurements: Sequence[Measurement]) -> str:
    """The machine, the versions and the number of pairs, in one sentence."""
    first = measurements[0]
    machine = first.machine
    versions = ", ".join(
        f"{name} {machine.libraries[name]}" for name in ("torch", "onnxruntime", "openvino")
        if name in machine.libraries
    )  # fmt: skip
    return (
        f"{machine.cores} cores of {machine.processor.model} "
        f"({', '.join(f for f in machine.processor.features if f.startswith('avx512_'))}), "
        f"{versions}, {first.settings['threads']} threads, {first.settings['pairs']} interleaved "
        f"blocks for each pair, {first.started[:10]}."
    )


def render(page: str, measurements: Sequence[Measurement]) -> str:
    """The page with everything after the mark made new."""
    prose = page.partition(MARK)[0]
    return f"{prose}{MARK}\n\n{machine_line(measurements)}\n\n{tables(measurements)}"


def _table(rewrite: str, rows: dict[tuple[str, str, str], dict[int, Measurement]]) -> str:
    lines = [f"### {rewrite}", "", _row(_HEAD), _row(["---"] * len(_HEAD))]
    for place, by_batch in rows.items():
        lines.append(_row([*place, *(_speed(by_batch[batch]) for batch in (1, 8))]))
    return "\n".join([*lines, ""])


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _speed(measured: Measurement) -> str:
    speed, low, high = (
        float(str(measured.settings[key])) for key in ("speed", "speed_low", "speed_high")
    )
    text = f"{speed:.2f} ({low:.2f} to {high:.2f})"
    return f"**{text}**" if low > 1.0 else text


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(PAGE.read_text(encoding="utf-8"), read_measurements(RECORDS)), "utf-8")


if __name__ == "__main__":
    main()
