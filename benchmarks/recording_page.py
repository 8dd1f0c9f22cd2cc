"""The table of docs/metrics.md: what recording and tracing cost, from a published record.

python -m benchmarks.recording_page
"""

from collections.abc import Sequence
from operator import sub

from benchmarks.pages import PUBLISHED, ROOT, header, rewrite_part, row
from benchmarks.serving_floor import TRACING, WITH, WITHOUT
from benchmarks.serving_summary import cpu, paired, rate, spread
from measuring.record import Measurement, read_measurements

RECORDS = PUBLISHED / "recording.jsonl"
PAGE = ROOT / "docs" / "metrics.md"
PART = "made by python -m benchmarks.recording_page"
WAYS = (WITHOUT, WITH, *TRACING)


def tables(measurements: Sequence[Measurement]) -> str:
    """Each way's rate and processor time, and how much more that is than recording nothing."""
    valid = [measured for measured in measurements if measured.valid]
    lines = header(("service", "requests/s", "processor us per request", "more, us"))
    ways = {way: [m for m in valid if m.settings["way"] == way] for way in WAYS}
    for way, rounds in ways.items():
        own = spread([cpu(measured) for measured in rounds])
        more = paired(rounds, ways[WITHOUT], sub, cpu) if way != WITHOUT else None
        cells = [way, spread([rate(m) for m in rounds]).told(0), f"{own.median * 1e6:.0f}"]
        lines.append(row([*cells, more.times(1e6).told(1) if more else ""]))
    processor = measurements[0].machine.processor.model
    counts = ", ".join(f"{len(rounds)}" for rounds in ways.values())
    told = (
        f"{processor}, {measurements[0].started[:10]}; median, least and most of {counts} rounds "
        f"that nobody disturbed, of {len(measurements) // len(WAYS)} each, interleaved."
    )
    return "\n".join([*lines, "", told]) + "\n"


def main() -> None:
    """Make the table new."""
    rewrite_part(PAGE, PART, tables(read_measurements(RECORDS)))


if __name__ == "__main__":
    main()
