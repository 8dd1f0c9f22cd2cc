"""Claims about whole networks, judged by what they take for one picture."""

from collections.abc import Sequence

from benchmarks.claims.evidence import NETWORK, Evidence, value
from benchmarks.claims.network_contests import EFFICIENT, REFERENCE
from benchmarks.claims.verdict import (
    NOT_MEASURED,
    Finding,
    above,
    below,
    beside,
    inverse,
    scaled,
)
from benchmarks.network_graphs import settled
from exporters.rewrites.fold import fold
from measuring.bootstrap import Interval
from models import create

_ON_GPU = "the text's figure is one GPU's: stride claims 3 --device cuda"
_FIVE = 4.0  # from here on, "up to 5 times" is not far off


def efficientnet(evidence: Evidence) -> list[Finding]:
    """Claim 3."""
    pairs = (
        ("efficientnet_b0", "regnet_x_400mf"),
        ("efficientnet_b0", "regnet_y_400mf"),
        ("efficientnet_b5", "regnet_x_8gf"),
    )
    found = []
    for slow, fast in pairs:
        for runtime in evidence.runtimes(NETWORK):
            measured = evidence.network(slow, runtime, device="cpu")
            other = evidence.network(fast, runtime, device="cpu")
            if measured is not None and other is not None:
                shares = value(measured, "macs") / value(other, "macs")
                statement = (
                    f"{runtime}: time of {slow}, of {fast}'s, at {shares:.2f} times its "
                    "multiplications"
                )
                found.append(above(statement, evidence.times(slow, fast, runtime), 1.0))
    return [*found, *_five_times(evidence)]


def _five_times(evidence: Evidence) -> list[Finding]:
    statement = "time of efficientnet_b5, of regnet_x_8gf's, on one GPU (the text: up to 5)"
    found = [
        above(f"{runtime}: {statement}", times, _FIVE)
        for runtime in evidence.runtimes(NETWORK, "cuda")
        if (times := evidence.times("efficientnet_b5", "regnet_x_8gf", runtime, "cuda"))
    ]
    return found or [Finding(statement, None, "above", _FIVE, reason=_ON_GPU)]


def rates(evidence: Evidence) -> list[Finding]:
    """Claim 8: multiply-accumulates per second against ResNet-50's."""
    found = []
    for runtime in evidence.runtimes(NETWORK):
        compared = [
            (name, _rate(evidence, name, runtime))
            for name in EFFICIENT
            if _rate(evidence, name, runtime) is not None
        ]
        if compared:
            statement = f"{runtime}: of {len(compared)} efficient networks, the share that reaches"
            found.append(above(f"{statement} a lower rate than ResNet-50", _lower(compared), 0.5))
            found += [
                beside(f"{runtime}: rate of {name}, of ResNet-50's", rate)
                for name, rate in compared
            ]
    return found or [Finding("rates", None, "above", 0.5, reason=NOT_MEASURED)]


def _rate(evidence: Evidence, name: str, runtime: str) -> Interval | None:
    """Times ResNet-50's rate: its share of the arithmetic over its share of the time."""
    measured = evidence.network(name, runtime, device="cpu")
    reference = evidence.network(REFERENCE, runtime, device="cpu")
    if measured is None or reference is None:
        return None
    share = value(measured, "macs") / value(reference, "macs")
    return scaled(inverse(evidence.times(name, REFERENCE, runtime)), share)


def _lower(compared: Sequence[tuple[str, Interval | None]]) -> Interval:
    """The share below 1: surely so many, at most so many."""
    values = [rate for _, rate in compared if rate is not None]
    surely = sum(rate.high < 1.0 for rate in values)
    at_most = sum(rate.low < 1.0 for rate in values)
    middle = sum(rate.estimate < 1.0 for rate in values)
    count = len(values)
    return Interval(middle / count, surely / count, at_most / count, 0.95)


# FasterNet, its rival of the time, and both published top-1 accuracies in per cent.
_RIVALS = (
    ("fasternet_t0", 71.9, "mobilenet_v2", 72.0),
    ("fasternet_t0", 71.9, "shufflenet_v2_x1_5", 72.6),
    ("fasternet_t1", 76.2, "shufflenet_v2_x2_0", 74.9),
    ("fasternet_t2", 78.9, "resnet50", 78.8),
)


def fasternet(evidence: Evidence) -> list[Finding]:
    """Claim 14. Accuracies are the paper's: nothing is trained here."""
    found = []
    for runtime in evidence.runtimes(NETWORK):
        for name, accuracy, rival, other in _RIVALS:
            statement = f"{runtime}: time of {name} ({accuracy} %), of {rival}'s ({other} %)"
            found.append(below(statement, evidence.times(name, rival, runtime), 1.0))
        found += _choices(evidence, runtime)
    if not found:
        found.append(Finding("times against rivals", None, "below", 1.0, reason=NOT_MEASURED))
    kept = len(fold(settled(lambda: create("fasternet_t0"), 64)).kept)
    found.append(
        Finding("BatchNorms left after folding, fasternet_t0",
                Interval(kept, kept, kept, 1.0), "equal", 0, "")
    )  # fmt: skip
    return found


def _choices(evidence: Evidence, runtime: str) -> list[Finding]:
    """What the paper's choices of activation and of c_p cost in time, where they were measured."""
    rows = (
        ("fasternet_t2 with GELU", "fasternet_t2", "GELU in T2, of ReLU's (its accuracy: -0.2)"),
        ("fasternet_t0 with 1/2", "fasternet_t0", "c_p = c/2 in T0, of c/4's (accuracy: -0.2)"),
    )
    counted = [
        above(f"{runtime}: time with {what}", times, 1.0)
        for name, base, what in rows
        if (times := evidence.times(name, base, runtime))
    ]
    told = (
        ("fasternet_t0 with ReLU", "fasternet_t0", "ReLU in T0, of GELU's (accuracy: -0.6)"),
        ("fasternet_t0 with 1/8", "fasternet_t0", "c_p = c/8 in T0, of c/4's (accuracy: -0.6)"),
    )
    return counted + [
        beside(f"{runtime}: time with {what}", times)
        for name, base, what in told
        if (times := evidence.times(name, base, runtime))
    ]
