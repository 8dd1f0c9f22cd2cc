"""Holds an engine to the network it was made from, on pictures that the export has not seen."""

import secrets
from dataclasses import dataclass
from functools import partial

import torch

from exporters.original import Original
from inference.engine import Engine, Pixels
from inference.manifest import Parity, Precision
from inference.parity import compare, infer_in_batches, infer_scattered
from measuring.pictures import varied_pictures

FRESH = 32
_BATCH = 8
_REFERENCES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class Verification:
    """Every comparison made; `seed` draws the same fresh pictures again."""

    seed: int
    parities: tuple[Parity, ...]


def verify_export(
    engine: Engine,
    original: Original,
    *,
    bound: float,
    precision: Precision = "fp32",
    seed: int | None = None,
    photographs: Pixels | None = None,
) -> Verification:
    """Compares `engine` with the original in float32 and float64 on fresh varied pictures, and
    with itself: a picture alone, and anywhere in a batch of any size. `photographs`
    (N, size, size, 3) are compared too.

    Judges nothing: `Parity.holds` does, and `inference.parity.require` raises.
    """
    seed = secrets.randbits(32) if seed is None else seed
    pictures = {f"fresh pictures, seed {seed}": varied_pictures(FRESH, original.spec.size, seed)}
    if photographs is not None:
        pictures["photographs"] = photographs
    judged = partial(compare, bound=bound, precision=precision)
    parities: list[Parity] = []
    for what, pixels in pictures.items():
        together = infer_in_batches(engine, pixels, _BATCH)
        for name, dtype in _REFERENCES.items():
            expected = original.logits(pixels, dtype)
            source = f"original in {name}, {what}"
            parities.append(judged(together, expected, reference=source))
        source = f"the engine itself in batches of {_BATCH}, {what}"
        alone = infer_in_batches(engine, pixels, 1)
        others = (alone, infer_scattered(engine, pixels, _BATCH, seed))
        parities += [judged(other, together, reference=source) for other in others]
    return Verification(seed, tuple(parities))
