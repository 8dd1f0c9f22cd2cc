"""The roofline of a machine, and where the operations of networks lie under it.

Williams, Waterman and Patterson, CACM 52(4), 2009: an operation that does `i` multiply-accumulates
for each byte it moves cannot exceed min(peak, i * bandwidth). Here the bandwidth is that of data
of the operation's own size, since most of what a network writes is read again from a cache.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from measuring.errors import InputError
from measuring.record import Measurement

LAYER = "layer"
PEAK = "peak"


@dataclass(frozen=True)
class Roof:
    """`macs`: multiply-accumulates per second; `bandwidth`: (bytes of data, bytes per second
    moved), rising in size, of which a faster rate for larger data also counts for smaller."""

    macs: float
    bandwidth: tuple[tuple[int, float], ...]

    def bandwidth_for(self, size: float) -> float:
        """Bytes per second for data of `size` bytes: between two measured sizes in proportion."""
        points = self.bandwidth
        if size <= points[0][0]:
            return points[0][1]
        for (small, fast), (large, slow) in pairwise(points):
            if size <= large:
                return fast + (slow - fast) * (size - small) / (large - small)
        return points[-1][1]

    @property
    def memory(self) -> float:
        """Bytes per second where no cache holds the data."""
        return self.bandwidth[-1][1]

    @property
    def ridge(self) -> float:
        """Multiply-accumulates per byte from which arithmetic is the limit, without caches."""
        return self.macs / self.memory

    def attainable(self, macs: float, moved: float) -> float:
        """Multiply-accumulates per second that an operation can reach at most."""
        return min(self.macs, macs / moved * self.bandwidth_for(moved))

    def least_seconds(self, macs: float, moved: float) -> float:
        """How long an operation takes at least."""
        return max(macs / self.macs, moved / self.bandwidth_for(moved))


@dataclass(frozen=True)
class Point:
    """One operation, or `count` equal ones, under a roof; `seconds` of one run of the network for
    all of them, `share` of the shortest possible time in it."""

    network: str
    runtime: str
    kind: str
    operation: str
    shape: str
    count: int
    macs: int
    moved: int
    seconds: float
    share: float

    @property
    def intensity(self) -> float:
        """Multiply-accumulates per byte."""
        return self.macs / self.moved

    @property
    def rate(self) -> float:
        """Multiply-accumulates per second."""
        return self.macs / self.seconds


def roof(
    measurements: Sequence[Measurement],
    *,
    threads: int,
    precision: str = "fp32",
    device: str = "cpu",
) -> Roof:
    """From the peaks among the records. Raises InputError where none were measured for this."""
    wanted = {"threads": threads, "device": device}
    found = [
        measured
        for measured in measurements
        if measured.name == PEAK and wanted.items() <= dict(measured.settings).items()
    ]
    macs = [_fastest(m, "macs") for m in found
            if (m.settings["what"], m.settings["precision"]) == ("gemm", precision)]  # fmt: skip
    moves: dict[int, float] = {}
    for measured in found:
        if measured.settings["what"] != "gemm":
            size = int(str(measured.settings["size"]))
            moves[size] = max(moves.get(size, 0.0), _fastest(measured, "bytes"))
    if not macs or not moves:
        raise InputError(
            f"no peaks of {precision} with {threads} thread(s) on {device} among the records; "
            "measure them with: stride roofline"
        )
    return Roof(max(macs), _falling(sorted(moves.items())))


def _fastest(measured: Measurement, work: str) -> float:
    return float(str(measured.settings[work])) / measured.latencies.summary["min"]


def _falling(moves: Sequence[tuple[int, float]]) -> tuple[tuple[int, float], ...]:
    """What larger data reached, smaller data can."""
    falling: list[tuple[int, float]] = []
    fastest = 0.0
    for size, rate in reversed(moves):
        fastest = max(fastest, rate)
        falling.append((size, fastest))
    return tuple(reversed(falling))


def points(measurements: Sequence[Measurement], above: Roof) -> list[Point]:
    """Every operation among the records, at its median time, against the roof.

    Profilers count in microseconds: what takes none of them is left out.
    """
    return [
        _point(measured, above)
        for measured in measurements
        if measured.name == LAYER and measured.latencies.percentile(50.0) > 0.0
    ]


def _point(measured: Measurement, above: Roof) -> Point:
    settings = measured.settings
    count, macs, moved = (int(str(settings[key])) for key in ("count", "macs", "bytes"))
    seconds = measured.latencies.percentile(50.0)
    least = count * above.least_seconds(macs / count, moved / count)
    return Point(
        network=str(settings["network"]),
        runtime=str(settings["runtime"]),
        kind=str(settings["kind"]),
        operation=str(settings["operation"]),
        shape=str(settings["shape"]),
        count=count,
        macs=macs,
        moved=moved,
        seconds=seconds,
        share=least / seconds,
    )
