"""Claims about operators, judged by what `stride operators` timed."""

from benchmarks.claims.evidence import Evidence, ratio, seconds, value
from benchmarks.claims.verdict import (
    NOT_MEASURED,
    Finding,
    above,
    beside,
    exactly,
    inverse,
    scaled,
)
from benchmarks.operator_cases import MAPS
from benchmarks.roofline import PEAK, roof
from measuring.bootstrap import Interval
from measuring.record import Measurement, Scalar

_NO_GPU = "needs a GPU: stride claims 6 --device cuda"
_BOUND = 0.5  # of the bandwidth, from which memory is called the limit


def depthwise(evidence: Evidence) -> list[Finding]:
    """Claim 2: at each width, against the regular convolution of the same width."""
    found = []
    for channels, side in MAPS:
        for runtime in evidence.runtimes("operator"):
            where: dict[str, Scalar] = {
                "table": "operator", "channels": channels, "device": "cpu"
            }  # fmt: skip
            measured = evidence.operator("depthwise", runtime, **where)
            regular = evidence.operator("conv", runtime, **where)
            if measured is None or regular is None:
                continue
            fewer = value(regular, "macs") / value(measured, "macs")
            what = f"{runtime}, {channels} x {side}²"
            found += [
                above(
                    f"{what}: {fewer:.0f} times fewer multiplications; its share of the time over "
                    "its share of them",
                    scaled(ratio(measured, "conv"), fewer),
                    1.0,
                ),
                above(
                    f"{what}: bytes per second, of what copying or reading as much data reaches",
                    _of_bandwidth(evidence, measured),
                    _BOUND,
                ),
            ]
    for measured, regular in _pairs(evidence):
        per_mac = [value(m, "bytes") / value(m, "macs") for m in (measured, regular)]
        found.append(
            beside(
                f"{measured.settings['channels']} x {measured.settings['side']}²: reads and writes "
                "at equal multiplications (the text says 100)",
                exactly(per_mac[0] / per_mac[1]),
            )
        )
    return found or [above("depthwise against regular convolution", None, 1.0)]


def _pairs(evidence: Evidence) -> list[tuple[Measurement, Measurement]]:
    """Depthwise and regular, once for each map; the counts are the same in all runtimes."""
    pairs = []
    for channels, _ in MAPS:
        kinds = [
            evidence.find("operator", operator=name, table="operator", channels=channels,
                          device="cpu")
            for name in ("depthwise", "conv")
        ]  # fmt: skip
        if all(kinds):
            pairs.append((kinds[0][0], kinds[1][0]))
    return pairs


def _of_bandwidth(evidence: Evidence, measured: Measurement) -> Interval | None:
    """The layers' bytes per second as a share of the bandwidth for data of a layer's size."""
    threads = int(value(measured, "threads"))
    if not evidence.find(PEAK, threads=threads, device="cpu"):
        return None
    above_it = roof(evidence.measurements, threads=threads)
    moved = value(measured, "bytes")
    bandwidth = above_it.bandwidth_for(moved / value(measured, "layers"))
    return scaled(inverse(seconds(measured)), moved / bandwidth)


def separable_on_gpu(evidence: Evidence) -> list[Finding]:
    """Claim 6."""
    statement = "its share of the time over its share of the multiplications, on the GPU"
    found = []
    for runtime in evidence.runtimes("operator", "cuda"):
        for channels, side in MAPS:
            where: dict[str, Scalar] = {
                "table": "operator", "channels": channels, "device": "cuda"
            }  # fmt: skip
            measured = evidence.operator("depthwise_separable", runtime, **where)
            regular = evidence.operator("conv", runtime, **where)
            if measured is None or regular is None:
                continue
            fewer = value(regular, "macs") / value(measured, "macs")
            found += [
                above(
                    f"{runtime}, {channels} x {side}²: {statement}",
                    scaled(ratio(measured, "conv"), fewer),
                    1.0,
                ),
                beside(
                    f"{runtime}, {channels} x {side}²: its time, of the regular convolution's",
                    ratio(measured, "conv"),
                ),
            ]
    return found or [Finding(statement, None, "above", 1.0, reason=_NO_GPU)]


# Of each guideline: what it says, the row that breaks it, the row that keeps it.
_GUIDELINES = (
    ("G1", "channels 1:12 against 1:1", "1:12", "1:1"),
    ("G2", "8 groups against 1", "g8", "g1"),
    ("G3", "4 fragments in series against 1", "4 in series", "1 fragment"),
    ("G3", "4 fragments in parallel against 1", "4 in parallel", "1 fragment"),
    ("G4", "with ReLU and shortcut against without", "ReLU, shortcut", "no ReLU, no shortcut"),
)


def guidelines(evidence: Evidence) -> list[Finding]:
    """Claim 15: at the same arithmetic, what breaks a guideline takes longer."""
    runtimes = evidence.runtimes("operator")
    return [
        above(
            f"{table}, {runtime}: time of {what}",
            ratio(evidence.operator(broken, runtime, table=table, device="cpu"), kept),
            1.0,
        )
        for table, what, broken, kept in _GUIDELINES
        for runtime in runtimes
    ] or [Finding("G1 to G4", None, "above", 1.0, reason=NOT_MEASURED)]
