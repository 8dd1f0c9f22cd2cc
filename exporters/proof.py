"""Proves every variant of a draft on each of its runtimes that can run here; what no runtime here
can run is not part of the artifact."""

from contextlib import closing
from dataclasses import dataclass, replace

import torch

from exporters.files import Written
from exporters.photographs import photographs
from exporters.source import Source
from exporters.verify import verify_export
from inference.artifact import Artifact
from inference.engine import Engine
from inference.errors import ParityError, RuntimeMissingError
from inference.manifest import Parity, Variant
from inference.open_engine import open_unverified
from inference.parity import replay, require

_TOLD = 8  # pictures on which the layer that departs most is looked for


@dataclass(frozen=True)
class Proof:
    """Variants with their measured parity, and every comparison that was made."""

    variants: tuple[Variant, ...]
    parities: tuple[Parity, ...]


def prove(draft: Artifact, written: tuple[tuple[Variant, Written], ...], source: Source) -> Proof:
    """The variants that could be run, each within its bound.

    Raises ParityError for one that is not, naming its worst layer; RuntimeMissingError where no
    variant could be run.
    """
    if photographs(source.loaded.input_spec) is None:
        source.report("verify: no photographs at hand; get some with: pip install 'stride[demo]'")
    proved: list[Variant] = []
    parities: list[Parity] = []
    missing: list[RuntimeMissingError] = []
    for variant, file in written:
        alone = replace(draft, manifest=replace(draft.manifest, variants=(variant,)))
        found = _prove_variant(alone, variant, file, source, missing)
        if found:
            proved.append(replace(variant, parity=max(found, key=_share_of_bound)))
            parities += found
    if not proved:
        raise missing[0]
    return Proof(tuple(proved), tuple(parities))


def _prove_variant(
    draft: Artifact,
    variant: Variant,
    file: Written,
    source: Source,
    missing: list[RuntimeMissingError],
) -> list[Parity]:
    """Every comparison on every runtime and device that can be opened; none if none can."""
    found: list[Parity] = []
    reasons: list[RuntimeMissingError] = []
    for runtime in variant.runtimes:
        for device in variant.devices:
            # PyTorch has one number of threads for all: the export leaves it as it is.
            threads = torch.get_num_threads()
            try:
                engine, _ = open_unverified(draft, runtime=runtime, device=device, threads=threads)
            except RuntimeMissingError as error:
                reasons.append(error)
                continue
            source.report(f"open: {variant.file} with {engine.name}")
            with closing(engine):
                compared = _compared(engine, draft, variant, source)
            try:
                require(compared, what=f"{draft.manifest.id} on {engine.name}")
            except ParityError as error:
                raise _with_worst(error, file, runtime, source) from error
            source.report(f"verify: {summary(compared)}")
            found += compared
    if not found:
        source.report(f"leave out: {variant.file} cannot be verified here: {reasons[0]}")
    missing += reasons
    return found


def _compared(engine: Engine, draft: Artifact, variant: Variant, source: Source) -> list[Parity]:
    bound, precision = variant.parity.bound, draft.manifest.precision
    golden = replay(engine, source.golden.reference, bound=bound, precision=precision)
    fresh = verify_export(
        engine,
        source.original,
        bound=bound,
        precision=precision,
        seed=source.seed,
        photographs=photographs(source.loaded.input_spec),
    ).parities
    return [*golden, *fresh]


def _with_worst(error: ParityError, file: Written, runtime: str, source: Source) -> ParityError:
    """The same error with the layer that departs most, where the file can be compared by layers."""
    if file.worst is None:
        return error
    source.report(f"explain: {file.files[0]}, layer by layer")
    try:
        told = file.worst(runtime, source.golden.reference.pixels[:_TOLD])
    except Exception as failure:  # noqa: BLE001  (whatever a runtime raises, parity failed first)
        told = f"no layer can be named: {' '.join(str(failure).split())}"
    return ParityError(f"{error}; in {file.files[0]} {told}")


def _share_of_bound(parity: Parity) -> float:
    return parity.distance / parity.bound


def summary(compared: list[Parity]) -> str:
    """Of comparisons that hold, in one line."""
    tightest = max(compared, key=_share_of_bound)
    return (
        f"{len(compared)} comparisons hold; the tightest: {tightest.reference}: {tightest.measure} "
        f"{tightest.distance:.2g} of {tightest.bound:.2g}, top-1 agreement {tightest.agreement}, "
        f"{tightest.distinct_top1} different answers"
    )
