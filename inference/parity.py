"""Whether two sets of logits are the same answers, and how far apart they may be.

How much rounding to float32 moves the logits depends on the network, by a factor of hundreds. So
the fp32 bound is fifty times what the original itself loses between float64 and float32, and at
least 1e-5 of the logits' spread. Correct float32 runtimes lose up to about five times as much as
the original; fp16 and bf16 are at least forty bounds away.
docs/decisions/parity-bound.md has the figures.

Lower precisions move every logit a little, and those of a rare picture much: they are judged by the
root mean square over all logits, and by a share of top-1 answers that has to agree.

Two classes that the reference puts so close together that the arithmetic can swap them are a tie,
and an engine that prefers the other one agrees: within twice the bound in fp32, within eight times
the root mean square below, that of the picture or of all. However coarse the arithmetic, a lead
above `Tolerance.tie` is no tie: a top-1 answer lost counts as lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from inference.engine import Engine, Pixels
from inference.errors import ParityError
from inference.manifest import Parity, Precision
from inference.reference import Reference

AnyLogits = NDArray[np.float32] | NDArray[np.float64]


@dataclass(frozen=True)
class Tolerance:
    """A bound as multiples of the original's own loss to float32 and of its logits' spread; the
    larger one counts. Of the spread, too: `widest`, the largest bound that a replay accepts, and
    `tie`, the largest lead that can be one. `agreement`: the share of top-1 answers that has to be
    the same; below 1 the bound is one of the root mean square, and of few pictures as many answers
    may be lost as an engine that agrees so often loses by chance.
    """

    loss: float
    spread: float
    widest: float
    tie: float
    agreement: float = 1.0

    @property
    def by_rms(self) -> bool:
        """Whether the root mean square is what is bounded."""
        return self.agreement < 1.0


TOLERANCES: dict[Precision, Tolerance] = {
    "fp32": Tolerance(loss=50.0, spread=1e-5, widest=0.1, tie=0.01),
    "fp16": Tolerance(loss=0.0, spread=0.03, widest=0.03, tie=0.12, agreement=0.99),
    "bf16": Tolerance(loss=0.0, spread=0.25, widest=0.25, tie=1.0, agreement=0.99),
    "int8": Tolerance(loss=0.0, spread=0.35, widest=0.35, tie=1.5, agreement=0.99),
}
_AS_MEASURED = 2.0
_BY_CHANCE = 1e-3
_MANY = 1000  # pictures: what they say of the share is no chance any more
_TIE = 8.0  # root mean squares: the best classes move more than all do on average


def bound_for(precision: Precision, *, exact: AnyLogits, rounded: AnyLogits) -> float:
    """The largest |dlogit| allowed to an engine of `precision`; below fp32, the largest root mean
    square of all.

    `exact` and `rounded`: the original's logits (N, classes) in float64 and in float32.
    """
    tolerance = TOLERANCES[precision]
    loss = float(np.abs(exact - rounded.astype(np.float64)).max())
    return max(tolerance.loss * loss, tolerance.spread * spread(exact))


def bound_from(measured: float, bound: float) -> float:
    """The bound for a file whose rms dlogit was `measured` where it was made: twice that, at most
    the `bound` of its precision. A processor whose sums of products saturate moves the logits of a
    good int8 file two to three times as far; what its precision may lose would hide that."""
    return min(bound, _AS_MEASURED * measured)


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
        moved = np.sqrt(np.square(distance).mean(axis=1))  # (N,)
    rms = float(np.sqrt(np.square(moved).mean())) if tolerance.by_rms else None
    swapped = 2.0 * bound if rms is None else _TIE * np.maximum(moved, rms)
    tie = np.minimum(swapped, tolerance.tie * spread(reference_logits))
    agrees = np.isfinite(distance).all(axis=1) & ((answers == expected) | (lead <= tie))
    near = _margins(reference_logits) <= tie
    counted = ~(near & agrees) if tolerance.by_rms and not near.all() else np.ones_like(near)
    judged = int(counted.sum())
    return Parity(
        reference=reference,
        images=len(logits),
        max_abs_dlogit=float(distance.max()),
        bound=bound,
        top1_agreement=float(agrees[counted].mean()),
        distinct_top1=len(np.unique(expected)),
        near_ties=int(near.sum()),
        judged=judged,
        required_agreement=_required(tolerance.agreement, judged, len(logits)),
        rms_dlogit=rms,
    )


def _required(agreement: float, judged: int, pictures: int) -> float:
    """The share of the `judged` answers that has to agree. Of few pictures one more or less is
    chance: fewer are refused only where the share itself would lose as many once in a thousand
    times."""
    if agreement == 1.0 or pictures >= _MANY:
        return agreement
    likely, lost = 0.0, -1
    while 1.0 - likely > _BY_CHANCE:
        lost += 1
        likely += comb(pictures, lost) * (1.0 - agreement) ** lost * agreement ** (pictures - lost)
    return min(agreement, max(0, judged - lost) / judged)  # rounded as the share found is


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
    widest = part * spread(logits) * (1.0 + 1e-9)  # the bound itself may have been rounded
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


def infer_scattered(engine: Engine, pixels: Pixels, batch: int, seed: int) -> NDArray[np.float32]:
    """The same pictures in a drawn order: half of them in one batch, then in batches of drawn
    sizes below `batch`. Logits (N, classes) in the pictures' own order."""
    rng = np.random.Generator(np.random.PCG64(seed))
    order = rng.permutation(len(pixels))
    cuts = np.cumsum([len(order) // 2, *rng.integers(1, batch, len(order))])
    parts = np.split(order, cuts[cuts < len(order)])
    answers = [infer_in_batches(engine, pixels[part], len(part)) for part in parts]
    logits = np.concatenate(answers)
    logits[order] = logits.copy()
    return logits


def require(parities: Iterable[Parity], *, what: str) -> None:
    """Raises ParityError with the figures of the first comparison that does not hold."""
    for parity in parities:
        if parity.holds:
            continue
        raise ParityError(
            f"{what} does not answer as its network does: over {parity.images} pictures "
            f"({parity.reference}) {parity.measure} is {parity.distance:.3g}, expected at most "
            f"{parity.bound:.3g}, and top-1 agreement is {parity.top1_agreement:.1%}, expected "
            f"{parity.required_agreement:.1%}; likely causes: changed weights, a runtime that "
            "computes in a lower precision, or a faulty kernel for this processor"
        )
