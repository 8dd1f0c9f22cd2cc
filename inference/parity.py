"""Whether two sets of logits are the same answers, and how far apart they may be.

How much rounding to float32 moves the logits depends on the network, by a factor of hundreds. So
the fp32 bound is fifty times what the original itself loses between float64 and float32, and at
least 1e-5 of the logits' spread. Correct float32 runtimes lose up to about five times as much as
the original; fp16 and bf16 are at least forty bounds away.
docs/decisions/parity-bound.md has the figures.

Lower precisions lose much more, in proportion to how much a network amplifies rounding. Their
bounds have a ceiling, and their top-1 answers a share that has to agree: see `TOLERANCES`.

Two classes that the reference puts so close together that arithmetic within the bound can swap
them are a tie, and an engine that prefers the other one agrees. How wide a lead may at most be
called a tie is in `TOLERANCES`, too: a top-1 answer lost to coarser arithmetic counts as lost.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.engine import Engine, Pixels
from inference.errors import ParityError
from inference.manifest import Parity, Precision
from inference.reference import Reference

AnyLogits = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Tolerance:
    """A bound as multiples of the original's own loss to float32 and of its logits' spread, the
    larger one, but never above `ceiling`. Of the spread, too: `widest`, the largest bound that a
    replay accepts, and `tie`, the largest lead that is one. `agreement`: the share of top-1 answers
    that has to be the same."""

    loss: float
    spread: float
    widest: float
    tie: float
    ceiling: float = math.inf
    agreement: float = 1.0


# The multiples of the loss are about 2 to the power of the bits of significand given up.
TOLERANCES: dict[Precision, Tolerance] = {
    "fp32": Tolerance(loss=50.0, spread=1e-5, widest=0.1, tie=0.01),
    "fp16": Tolerance(loss=2.0**14, spread=0.02, widest=0.3, tie=0.05, ceiling=0.3, agreement=0.99),
    "bf16": Tolerance(loss=2.0**17, spread=0.2, widest=1.5, tie=0.5, ceiling=1.5, agreement=0.99),
    "int8": Tolerance(loss=0.0, spread=1.5, widest=1.5, tie=0.5, agreement=0.99),
}


def bound_for(precision: Precision, *, exact: AnyLogits, rounded: AnyLogits) -> float:
    """The largest |dlogit| allowed to an engine of `precision`.

    `exact` and `rounded`: the original's logits (N, classes) in float64 and in float32.
    """
    tolerance = TOLERANCES[precision]
    loss = float(np.abs(exact - rounded.astype(np.float64)).max())
    scale = spread(exact)
    wanted = max(tolerance.loss * loss, tolerance.spread * scale)
    return min(wanted, tolerance.ceiling * scale) if scale else wanted


def spread(logits: AnyLogits) -> float:
    """The scale on which classes are told apart: the standard deviation over the classes, root
    mean square over the pictures. An offset common to all classes does not count."""
    deviations = np.std(logits, axis=1, dtype=np.float64)
    return float(np.sqrt(np.mean(np.square(deviations))))


def compare(
    logits: AnyLogits,
    reference_logits: AnyLogits,
    *,
    reference: str,
    bound: float,
    precision: Precision = "fp32",
) -> Parity:
    """How far `logits` (N, classes) are from `reference_logits`; `reference` says what those are.

    A NaN or infinity on either side never passes. Below fp32, near ties whose two classes swapped
    are left out of the agreement. Raises ParityError if the shapes differ.
    """
    if logits.shape != reference_logits.shape or logits.ndim != 2 or not logits.size:
        raise ParityError(
            f"logits of shape {logits.shape} against {reference_logits.shape} of {reference}, "
            "expected the same (N, classes); the engine runs another network"
        )
    tolerance = TOLERANCES[precision]
    pictures = np.arange(len(logits))
    answers, expected = logits.argmax(axis=1), reference_logits.argmax(axis=1)
    with np.errstate(invalid="ignore"):
        distance = np.abs(logits.astype(np.float64) - reference_logits.astype(np.float64))
        lead = reference_logits[pictures, expected] - reference_logits[pictures, answers]
    tie = min(2.0 * bound, tolerance.tie * spread(reference_logits))
    agrees = np.isfinite(distance).all(axis=1) & ((answers == expected) | (lead <= tie))
    near = _margins(reference_logits) <= tie
    counted = np.ones_like(near) if precision == "fp32" or near.all() else ~(near & agrees)
    return Parity(
        reference=reference,
        images=len(logits),
        max_abs_dlogit=float(distance.max()),
        bound=bound,
        top1_agreement=float(agrees[counted].mean()) if counted.any() else 1.0,
        distinct_top1=len(np.unique(expected)),
        near_ties=int(near.sum()),
        required_agreement=tolerance.agreement,
    )


def _margins(logits: AnyLogits) -> NDArray[np.float64]:
    """By how much each picture's best class leads its second, (N,)."""
    if logits.shape[1] < 2:
        return np.full(len(logits), np.inf)
    with np.errstate(invalid="ignore"):
        second, best = np.partition(logits.astype(np.float64), -2, axis=1)[:, -2:].T
        margins: NDArray[np.float64] = best - second
    return margins


def replay(
    engine: Engine, reference: Reference, *, bound: float, precision: Precision = "fp32"
) -> tuple[Parity, Parity]:
    """The golden pictures through `engine`, all together and one by one: both paths are served.

    Raises ParityError for a bound within which other networks would answer, too.
    """
    _require_telling(bound, reference.logits, precision)
    ways = {"together": engine.max_batch, "one by one": 1}
    together, alone = (
        compare(
            infer_in_batches(engine, reference.pixels, batch),
            reference.logits,
            reference=f"golden, {way}",
            bound=bound,
            precision=precision,
        )
        for way, batch in ways.items()
    )
    return together, alone


def _require_telling(bound: float, logits: AnyLogits, precision: Precision) -> None:
    part = TOLERANCES[precision].widest
    widest = part * spread(logits) * (1.0 + 1e-9)  # a bound at its ceiling was rounded once
    if not 0.0 < bound <= widest:
        raise ParityError(
            f"the parity bound is {bound:.3g} and the reference logits' spread {spread(logits):.3g}"
            f", expected a bound of at most {widest:.3g} ({part:.0%} of the spread for {precision})"
            ", since answers within a wider one prove nothing; likely causes: a manifest changed "
            "by hand, or weights whose logits vanish in rounding; export the artifact again from "
            "sound weights"
        )


def infer_in_batches(engine: Engine, pixels: Pixels, batch: int) -> NDArray[np.float32]:
    """Logits (N, classes) of any number of pictures, at most `batch` at a time."""
    step = min(batch, engine.max_batch)
    parts = [engine.infer(pixels[start : start + step]) for start in range(0, len(pixels), step)]
    return np.concatenate(parts)


def require(parities: Iterable[Parity], *, what: str) -> None:
    """Raises ParityError with the figures of the first comparison that does not hold."""
    for parity in parities:
        if parity.holds:
            continue
        raise ParityError(
            f"{what} does not answer as its network does: over {parity.images} pictures "
            f"({parity.reference}) max |dlogit| is {parity.max_abs_dlogit:.3g}, expected at most "
            f"{parity.bound:.3g}, and top-1 agreement is {parity.top1_agreement:.1%}, expected "
            f"{parity.required_agreement:.1%}; likely causes: changed weights, a runtime that "
            "computes in a lower precision, or a faulty kernel for this processor"
        )
