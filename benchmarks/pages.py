"""Pages with parts that are made from published records: between two marks, and only there."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from measuring.record import Measurement

ROOT = Path(__file__).parent.parent
PUBLISHED = ROOT / "results" / "published"
_FEATURES = ("avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16", "asimddp", "bf16")


def between_marks(page: str, name: str, made: str) -> str:
    """The page with what stands between the marks of `name` replaced.

    Raises ValueError for a page without them."""
    start, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = page.partition(start)
    _, closed, after = rest.partition(end)
    if not (found and closed):
        raise ValueError(f"the page has no part {name!r}, expected {start!r} and {end!r}")
    return f"{before}{start}{made}{end}{after}"


def rewrite_part(page: Path, name: str, made: str) -> None:
    """Makes one part of a page new."""
    page.write_text(between_marks(page.read_text(encoding="utf-8"), name, made), encoding="utf-8")


def row(cells: Iterable[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def header(columns: Sequence[str]) -> list[str]:
    """The first two lines of a Markdown table."""
    return [row(columns), row(["---"] * len(columns))]


def number(measured: Measurement, setting: str) -> float:
    """A setting that is one."""
    return float(str(measured.settings[setting]))


def speed(measured: Measurement) -> str:
    """How many times as fast as the base, and between what in 95 of 100 such runs."""
    text = f"{number(measured, 'speed'):.2f}"
    return f"{text} ({number(measured, 'speed_low'):.2f} to {number(measured, 'speed_high'):.2f})"


def rate(measured: Measurement) -> float:
    """Pictures per second at the median call."""
    return number(measured, "batch") / measured.latencies.percentile(50.0)


def machine_line(
    measurements: Sequence[Measurement],
    libraries: Sequence[str] = ("torch", "onnxruntime", "openvino"),
) -> str:
    """The machine, the versions and how it was measured, in one sentence."""
    first = measurements[0]
    machine = first.machine
    versions = [f"{it} {machine.libraries[it]}" for it in libraries if it in machine.libraries]
    features = [name for name in _FEATURES if name in machine.processor.features]
    threads = sorted({str(measured.settings["threads"]) for measured in measurements})
    blocks = first.settings.get("pairs") or rounds(measurements)
    return (
        f"{machine.cores} cores of {machine.processor.model} ({', '.join(features)}"
        f"{', a shared virtual machine' if machine.processor.virtual else ''}), "
        f"{', '.join(versions)}, threads: {', '.join(threads)}; "
        f"{blocks} interleaved blocks, {first.started[:10]}."
    )


def rounds(measurements: Sequence[Measurement]) -> int:
    """How many there were, where each record says which one it is of."""
    return 1 + max(int(number(measured, "round")) for measured in measurements)
