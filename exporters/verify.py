"""Holds an engine to the network it was made from, on pictures that the export has not seen."""

import secrets
from dataclasses import dataclass

import torch
from torch import nn

from exporters.original import original_logits
from inference.engine import Engine, Pixels
from inference.manifest import Parity, Precision
from inference.parity import absolute_bound, compare, infer_in_batches
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

FRESH = 32
_BATCH = 8


@dataclass(frozen=True)
class Verification:
    """Every comparison made; `seed` draws the same fresh pictures again."""

    seed: int
    parities: tuple[Parity, ...]


@dataclass(frozen=True)
class Original:
    """The network as it was given, what it expects, and the precision its export computes in."""

    network: nn.Module
    spec: InputSpec
    precision: Precision


def verify_export(
    engine: Engine,
    original: Original,
    *,
    seed: int | None = None,
    photographs: Pixels | None = None,
) -> Verification:
    """Compares `engine` with the original in float32 and float64 on fresh varied pictures, and
    with itself: a picture alone and in a batch. `photographs` (N, size, size, 3) are compared too.

    Judges nothing: `Parity.holds` does, and `inference.parity.require` raises.
    """
    seed = secrets.randbits(32) if seed is None else seed
    fresh = varied_pictures(FRESH, original.spec.size, seed)
    parities = _compare_with_original(engine, original, fresh, f"fresh pictures, seed {seed}")
    parities += (_compare_with_itself(engine, original.precision, fresh),)
    if photographs is not None:
        parities += _compare_with_original(engine, original, photographs, "photographs")
    return Verification(seed, parities)


def _compare_with_original(
    engine: Engine, original: Original, pixels: Pixels, what: str
) -> tuple[Parity, ...]:
    logits = infer_in_batches(engine, pixels, _BATCH)
    parities = []
    for name, dtype in (("float32", torch.float32), ("float64", torch.float64)):
        expected = original_logits(original.network, original.spec, pixels, dtype)
        bound = absolute_bound(original.precision, expected)
        parities.append(
            compare(logits, expected, reference=f"original in {name}, {what}", bound=bound)
        )
    return tuple(parities)


def _compare_with_itself(engine: Engine, precision: Precision, pixels: Pixels) -> Parity:
    together = infer_in_batches(engine, pixels, _BATCH)
    alone = infer_in_batches(engine, pixels, 1)
    bound = absolute_bound(precision, together)
    return compare(alone, together, reference=f"the engine itself, batch of {_BATCH}", bound=bound)
