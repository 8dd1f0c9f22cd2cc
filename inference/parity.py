"""Whether two sets of logits are the same answers, and how far apart they may be.

The bound is relative to the spread of the reference's logits (their standard deviation over the
classes, root mean square over the pictures): that is the scale on which classes are told apart,
and it ignores an offset common to all classes. For fp32 it is 1e-4 of the spread. Rounding to
float32 moves logits by 1e-6 to 1e-5 of it, a silent drop to TF32, fp16 or bf16 by 1e-3 to 1e-1.

Two classes whose reference logits lie closer together than the fp32 bound are a tie that float32
cannot decide, so an engine that prefers the other one agrees. The tie does not widen with the
bound of a lower precision: a top-1 answer lost to coarse arithmetic counts as lost.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from inference.engine import Engine, Pixels
from inference.errors import ParityError
from inference.manifest import Parity, Precision
from inference.reference import Reference

RELATIVE_BOUNDS: dict[Precision, float] = {"fp32": 1e-4}

AnyLogits = NDArray[np.float32] | NDArray[np.float64]


def absolute_bound(precision: Precision, reference_logits: AnyLogits) -> float:
    """The largest |dlogit| allowed for this precision against these logits (N, classes)."""
    deviations = np.std(reference_logits, axis=1, dtype=np.float64)
    return RELATIVE_BOUNDS[precision] * float(np.sqrt(np.mean(np.square(deviations))))


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
    tie = absolute_bound("fp32", reference_logits)
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
    """The golden pictures through `engine`, all together and one by one: both paths are served."""
    together = infer_in_batches(engine, reference.pixels, engine.max_batch)
    alone = infer_in_batches(engine, reference.pixels, 1)
    return (
        compare(together, reference.logits, reference="golden, together", bound=bound),
        compare(alone, reference.logits, reference="golden, one by one", bound=bound),
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
