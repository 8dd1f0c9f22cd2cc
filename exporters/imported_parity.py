"""Proves that an imported artifact answers as the file that it was made from."""

import secrets
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from exporters.onnx_original import OnnxOriginal
from exporters.photographs import photographs
from exporters.proof import summary
from inference.artifact import Artifact
from inference.engine import Engine, Pixels
from inference.errors import ArtifactError, ParityError, RuntimeMissingError
from inference.manifest import Manifest, Parity
from inference.open_engine import open_unverified
from inference.parity import compare, infer_in_batches, infer_scattered, replay, require
from inference.reference import Reference
from measuring.pictures import varied_pictures

FRESH = 32
_BATCH = 8

Report = Callable[[str], None]


def proved(
    draft: Artifact, original: OnnxOriginal, reference: Reference, report: Report
) -> Manifest:
    """The draft's manifest with what was measured and without the runtimes that fail.

    The first runtime has to hold: raises its ArtifactError or ParityError otherwise. Of the
    others, one that cannot run this graph is left out; one that is not installed stays.
    """
    (variant,) = draft.manifest.variants
    kept: list[str] = []
    golden: list[Parity] = []
    fresh: list[Parity] = []
    unseen = _unseen(original)
    for runtime in variant.runtimes:
        report(f"open: {variant.file} with {runtime}")
        try:
            engine, _ = open_unverified(draft, runtime=runtime)
            with closing(engine):
                replayed = replay(engine, reference, bound=variant.parity.bound)
                measured = _compared(engine, unseen, variant.parity.bound)
            require((*replayed, *measured), what=f"{draft.manifest.id} on {runtime}")
        except RuntimeMissingError as error:
            report(f"verify: not on {runtime}: {error}")
        except (ArtifactError, ParityError) as error:
            if not kept:
                raise
            report(f"verify: without {runtime}, which does not run this model: {error}")
            continue
        else:
            golden += replayed
            fresh += measured
            report(f"verify: {summary([*replayed, *measured])}")
        kept.append(runtime)
    worst = max(golden, key=lambda parity: parity.distance)
    chosen = replace(variant, runtimes=tuple(kept), parity=worst)
    return replace(draft.manifest, variants=(chosen,), parity=(*golden, *fresh))


@dataclass(frozen=True)
class _Pictures:
    """Pictures that the import has not seen, with the file's answers to them; `seed` draws the
    order in which they are scattered over batches."""

    what: str
    seed: int
    pixels: Pixels
    expected: NDArray[np.float64]


def _unseen(original: OnnxOriginal) -> tuple[_Pictures, ...]:
    seed = secrets.randbits(32)
    fresh = varied_pictures(FRESH, original.spec.size, seed)
    pictures = {f"fresh pictures, seed {seed}": fresh}
    real = photographs(original.spec)
    if real is not None:
        pictures["photographs"] = real
    return tuple(
        _Pictures(what, seed, pixels, original.logits(pixels)) for what, pixels in pictures.items()
    )


def _compared(engine: Engine, pictures: tuple[_Pictures, ...], bound: float) -> list[Parity]:
    """Against the file, and a picture alone and anywhere in a batch of any size against the same
    one in batches of eight."""
    parities: list[Parity] = []
    for unseen in pictures:
        together = infer_in_batches(engine, unseen.pixels, _BATCH)
        source = f"the file in float32, {unseen.what}"
        parities.append(compare(together, unseen.expected, reference=source, bound=bound))
        alone = infer_in_batches(engine, unseen.pixels, 1)
        scattered = infer_scattered(engine, unseen.pixels, _BATCH, unseen.seed)
        source = f"the engine itself in batches of {_BATCH}, {unseen.what}"
        parities += [
            compare(other, together, reference=source, bound=bound) for other in (alone, scattered)
        ]
    return parities
