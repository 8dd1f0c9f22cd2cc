"""Whether two sets of logits are the same answers, and how far apart they may be.

How much rounding to float32 moves the logits depends on the network, by a factor of hundreds. So
the fp32 bound is fifty times what the original itself loses between float64 and float32, and at
least 1e-5 of the logits' spread. Correct float32 runtimes lose up to about five times as much as
the original; fp16 and bf16 are at least forty bounds away.
docs/decisions/parity-bound.md has the figures.

Two classes that the reference puts so close together that arithmetic within the bound can swap
them are a tie, and an engine that prefers the other one agrees. A lead above 1 % of the spread is
no tie however wide the bound: a top-1 answer lost to coarse arithmetic counts as lost.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.engine import Engine, Pixels
from inference.errors import ParityError
from inference.manifest import Parity, Precision
from inference.reference import Reference

AnyLogits = NDArray[np.float32] | NDArray[np.float64]

_WIDEST_TIE = 0.01
_WIDEST_BOUND = 0.1  # of the spread; the widest that any network here needs is 1.3e-3


@dataclass(frozen=True)
class Tolerance:
    """A bound as multiples of the original's own loss to float32 and of its logits' spread;
    the larger one counts."""

    loss: float
    spread: float


TOLERANCES: dict[Precision, Tolerance] = {"fp32": Tolerance(loss=50.0, spread=1e-5)}


def bound_for(precision: Precision, *, exact: AnyLogits, rounded: AnyLogits) -> float:
    """The largest |dlogit| allowed to an engine of `precision`.

    `exact` and `rounded`: the original's logits (N, classes) in float64 and in float32.
    """
    tolerance = TOLERANCES[precision]
    loss = float(np.abs(exact - rounded.astype(np.float64)).max())
    return max(tolerance.loss * loss, tolerance.spread * spread(exact))


def spread(logits: AnyLogits) -> float:
    """The scale on which classes are told apart: the standard deviation over the classes, root
    mean square over the pictures. An offset common to all classes does not count."""
    deviations = np.std(logits, axis=1, dtype=np.float64)
    return float(np.sqrt(np.mean(np.square(deviations))))


def compare(
    logits: AnyLogits, reference_logits: AnyLogits, *, reference: str, bound: float
) -> Parity:
    """How far `logits` (N, classes) are from `reference_logits`; `reference` says what those are.

    A NaN or infinity on either side never passes. Raises ParityError if the shapes differ.
    """
    if logits.shape != reference_logits.shape or logits.ndim != 2 or not logits.size:
        raise ParityError(
            f"logits of shape {logits.shape} against {reference_logits.shape} of {reference}, "
            "expected the same (N, classes); the engine runs another network"
        )
    pictures = np.arange(len(logits))
    answers, expected = logits.argmax(axis=1), reference_logits.argmax(axis=1)
    with np.errstate(invalid="ignore"):
        distance = np.abs(logits.astype(np.float64) - reference_logits.astype(np.float64))
        lead = reference_logits[pictures, expected] - reference_logits[pictures, answers]
    tie = min(2.0 * bound, _WIDEST_TIE * spread(reference_logits))
    agrees = np.isfinite(distance).all(axis=1) & ((answers == expected) | (lead <= tie))
    return Parity(
        reference=reference,
        images=len(logits),
        max_abs_dlogit=float(distance.max()),
        bound=bound,
        top1_agreement=float(agrees.mean()),
        distinct_top1=len(np.unique(expected)),
    )


def replay(engine: Engine, reference: Reference, *, bound: float) -> tuple[Parity, Parity]:
    """The golden pictures through `engine`, all together and one by one: both paths are served.

    Raises ParityError for a bound within which other networks would answer, too.
    """
    _require_telling(bound, reference.logits)
    together = infer_in_batches(engine, reference.pixels, engine.max_batch)
    alone = infer_in_batches(engine, reference.pixels, 1)
    return (
        compare(together, reference.logits, reference="golden, together", bound=bound),
        compare(alone, reference.logits, reference="golden, one by one", bound=bound),
    )


def _require_telling(bound: float, logits: AnyLogits) -> None:
    widest = _WIDEST_BOUND * spread(logits)
    if not 0.0 < bound <= widest:
        raise ParityError(
            f"the parity bound is {bound:.3g} and the reference logits' spread {spread(logits):.3g}"
            f", expected a bound of at most {widest:.3g} (10 % of the spread), since answers within"
            " a wider one prove nothing; likely causes: a manifest changed by hand, or weights "
            "whose logits vanish in rounding; export the artifact again from sound weights"
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
            "100.0%; likely causes: changed weights, a runtime that computes in a lower "
            "precision, or a faulty kernel for this processor"
        )
