"""What networks' time is made of, and how near to the roof it is spent: tables from records."""

from collections.abc import Iterable, Sequence

from benchmarks.operation_kinds import KINDS
from benchmarks.roofline import Point, Roof


def by_kind(found: Iterable[Point]) -> dict[str, float]:
    """The share of the time that each kind of operation takes."""
    seconds: dict[str, float] = {}
    for point in found:
        seconds[point.kind] = seconds.get(point.kind, 0.0) + point.seconds
    total = sum(seconds.values())
    return {kind: seconds[kind] / total for kind in KINDS if kind in seconds}


def attained(found: Sequence[Point]) -> float:
    """The shortest possible time over the time taken."""
    return sum(point.share * point.seconds for point in found) / sum(p.seconds for p in found)


def _graphs(found: Sequence[Point]) -> dict[tuple[str, str], list[Point]]:
    graphs: dict[tuple[str, str], list[Point]] = {}
    for point in found:
        graphs.setdefault((point.network, point.runtime), []).append(point)
    return graphs


NETWORK_COLUMNS = (
    *("network", "runtime", ">M MACs", ">MB", ">MACs/B", ">ms", ">10⁹ MACs/s", ">of the roof"),
)
TIME_COLUMNS = ("network", "runtime", *(f">{kind}" for kind in KINDS))
LAYER_COLUMNS = (
    *("network", "runtime", "kind", "weights and output", ">times", ">M MACs", ">MACs/B"),
    *(">ms", ">10⁹ MACs/s", ">of the roof"),
)


def network_rows(found: Sequence[Point]) -> list[list[str]]:
    """Totals for each network and runtime, of what the profiler saw."""
    rows = []
    for (network, runtime), some in _graphs(found).items():
        macs, moved = sum(p.macs for p in some), sum(p.moved for p in some)
        seconds = sum(p.seconds for p in some)
        rows.append(
            [
                *(network, runtime, f"{macs / 1e6:.0f}", f"{moved / 1e6:.1f}"),
                *(f"{macs / moved:.1f}", f"{seconds * 1e3:.2f}", f"{macs / seconds / 1e9:.1f}"),
                f"{attained(some):.0%}",
            ]
        )
    return rows


def time_rows(found: Sequence[Point]) -> list[list[str]]:
    """Percent of the time by kind."""
    rows = []
    for (network, runtime), some in _graphs(found).items():
        shares = by_kind(some)
        cells = [f"{shares[kind]:.0%}" if kind in shares else "" for kind in KINDS]
        rows.append([network, runtime, *cells])
    return rows


def layer_rows(found: Sequence[Point], *, most: int) -> list[list[str]]:
    """The `most` longest operations of each network and runtime."""
    return [
        [
            *(point.network, point.runtime, point.kind, point.shape, str(point.count)),
            *(f"{point.macs / 1e6:.1f}", f"{point.intensity:.2f}", f"{point.seconds * 1e3:.3f}"),
            *(f"{point.rate / 1e9:.1f}", f"{point.share:.0%}"),
        ]
        for some in _graphs(found).values()
        for point in sorted(some, key=lambda p: -p.seconds)[:most]
    ]


ROOF_COLUMNS = ("what", ">reached", "unit")


def roof_rows(roof: Roof, *, precision: str) -> list[list[str]]:
    """The roofs that shares are of."""
    rows = [[f"{precision} arithmetic", f"{roof.macs / 1e9:.1f}", "10⁹ MACs/s"]]
    rows += [
        [f"{_size(size)} again and again", f"{rate / 1e9:.1f}", "GB/s"]
        for size, rate in roof.bandwidth
    ]
    return [*rows, ["ridge, without caches", f"{roof.ridge:.1f}", "MACs/B"]]


def _size(size: int) -> str:
    return f"{size / 2**20:g} MiB" if size >= 2**20 else f"{size / 2**10:g} KiB"
