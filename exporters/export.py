"""Makes an artifact of a network: built beside its place, proved to answer as the original does,
and only then put there. What fails leaves nothing behind."""

import platform
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import torch

from exporters.rewrites.fold import fold
from exporters.formats import Exporter, exporter_for
from exporters.original import Original
from exporters.photographs import photographs
from exporters.rewrites.pooling import pool_by_rows
from exporters.replace import put_in_place, workspace
from exporters.verify import verify_export
from inference.artifact import Artifact, artifact_id, describe, read_artifact
from inference.errors import ArtifactError
from inference.manifest import (
    REFERENCE,
    CostSummary,
    Format,
    Manifest,
    Parity,
    Precision,
    Variant,
    WeightsSource,
    read_manifest,
    write_manifest,
)
from inference.open_engine import open_unverified
from inference.parity import bound_for, replay, require
from inference.reference import Reference, write_reference
from measuring.errors import InputError
from measuring.pictures import varied_pictures
from models import Loaded, cost

GOLDEN = 16
GOLDEN_SEED = 0

Report = Callable[[str], None]

_TOOLS = ("stride", "torch", "onnx", "onnxscript", "onnxruntime", "safetensors", "numpy")


@dataclass(frozen=True)
class _Plan:
    """One export, its arguments checked."""

    id: str
    name: str
    network: str
    format: Format
    precision: Precision
    exporter: Exporter


def _silent(step: str) -> None:
    """Where nobody watches."""


def export(
    loaded: Loaded,
    *,
    network_name: str,
    artifact_name: str,
    format: Format,  # noqa: A002  (the domain's word)
    precision: Precision,
    repository: Path,
    report: Report = _silent,
) -> Artifact:
    """fold -> export -> open -> verify -> write: the artifact `<name>-<format>-<precision>`.

    Verified on generated pictures, and on photographs where scikit-image or scikit-learn is
    installed. `report` is told of each step in one line. The same weights exported again replace
    the older artifact. Raises InputError for a name, format, precision or network that cannot be
    exported and for an id that other weights have; ParityError if the export answers differently.
    """
    plan = _Plan(
        artifact_id(artifact_name, format, precision),
        artifact_name,
        network_name,
        format,
        precision,
        exporter_for(format, precision),
    )
    target = repository / plan.id
    _require_own_id(target, loaded)
    with workspace(target) as directory:
        _write_model(directory / plan.exporter.file, loaded, plan, report)
        reference, bound = _golden(loaded, precision)
        write_reference(directory, reference)
        draft = Artifact(directory, _draft(directory, loaded, plan, bound))
        write_manifest(directory, _verified(draft, loaded, reference, report))
        _require_own_id(target, loaded)
        put_in_place(directory, target)
    report(f"write: {target}")
    return read_artifact(target)


def _require_own_id(target: Path, loaded: Loaded) -> None:
    """An id stays with its weights: who serves or compares it relies on that."""
    if not target.exists():
        return
    try:
        existing = read_manifest(target)
    except ArtifactError as error:
        if (target / "manifest.json").is_file():
            return
        raise InputError(
            f"{target} exists and is no artifact; move it away or choose another name with --name"
        ) from error
    if existing.weights.sha256 != loaded.sha256:
        raise InputError(
            f"{existing.id} exists with other weights: {existing.weights.source} (SHA-256 "
            f"{existing.weights.sha256[:12]}), received {loaded.source} (SHA-256 "
            f"{loaded.sha256[:12]}); choose another name with --name, or remove {target}"
        )


def _write_model(path: Path, loaded: Loaded, plan: _Plan, report: Report) -> None:
    network = loaded.network
    if plan.exporter.folds:
        folded = fold(network)
        network = pool_by_rows(folded.network) or folded.network
        kept = f", {len(folded.kept)} stay" if folded.kept else ""
        report(f"fold: {folded.folded} BatchNorms into the layers before them{kept}")
    report(f"export: {plan.network} to {plan.format} in {plan.precision}")
    plan.exporter.write(path, network, loaded.input_spec)


def _golden(loaded: Loaded, precision: Precision) -> tuple[Reference, float]:
    """The golden pictures with the original's answers, and how far an engine's may be from them.

    Raises InputError for a network whose answers are no use as a reference."""
    spec, classes = loaded.input_spec, len(loaded.labels)
    pixels = varied_pictures(GOLDEN, spec.size, GOLDEN_SEED)
    original = Original(loaded.network, spec)
    logits = original.logits(pixels, torch.float64)
    if logits.shape != (GOLDEN, classes) or classes < 2:
        raise InputError(
            f"the network answers {logits.shape} for {GOLDEN} pictures and there are {classes} "
            "labels, expected one logit per label and at least two; check --labels"
        )
    if not np.isfinite(logits).all():
        raise InputError(
            f"the weights of {loaded.source} give logits that are not finite, expected numbers; "
            "the checkpoint is damaged or of a training that diverged"
        )
    rounded = original.logits(pixels, torch.float32)
    return Reference(pixels, logits), bound_for(precision, exact=logits, rounded=rounded)


def _draft(directory: Path, loaded: Loaded, plan: _Plan, bound: float) -> Manifest:
    """The manifest before verification: its parity is what is demanded, not what was measured."""
    demanded = Parity("demanded", GOLDEN, 0.0, bound, 1.0)
    file = plan.exporter.file
    totals = cost(loaded.network, loaded.input_spec.size)
    return Manifest(
        id=plan.id,
        name=plan.name,
        network=plan.network,
        format=plan.format,
        precision=plan.precision,
        input=loaded.input_spec,
        labels=tuple(loaded.labels),
        weights=WeightsSource(
            source=loaded.source,
            sha256=loaded.sha256,
            trained=loaded.trained,
            licence=loaded.licence,
            published_top1=loaded.published_top1,
            input_spec_source=loaded.input_spec_source,
        ),
        cost=CostSummary(totals.macs, totals.parameters, totals.bytes_moved),
        variants=(Variant(file, plan.exporter.runtimes, demanded),),
        parity=(),
        files={name: describe(directory / name) for name in (file, REFERENCE)},
        tools=_tools(),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )


def _verified(draft: Artifact, loaded: Loaded, reference: Reference, report: Report) -> Manifest:
    """The manifest with what was measured; raises ParityError if it is not what was demanded."""
    original = Original(loaded.network, loaded.input_spec)
    real = photographs(loaded.input_spec)
    if real is None:
        report("verify: no photographs at hand; get some with: pip install 'stride[demo]'")
    variants: list[Variant] = []
    measured: list[Parity] = []
    for variant in draft.manifest.variants:
        golden: list[Parity] = []
        fresh: list[Parity] = []
        for runtime in variant.runtimes:
            report(f"open: {variant.file} with {runtime}")
            # PyTorch has one number of threads for all: the export leaves it as it is.
            engine, _ = open_unverified(draft, runtime=runtime, threads=torch.get_num_threads())
            with closing(engine):
                golden += replay(engine, reference, bound=variant.parity.bound)
                fresh += verify_export(
                    engine, original, bound=variant.parity.bound, photographs=real
                ).parities
            for parity in fresh:
                report(f"verify: {_line(parity)}")
            require((*golden, *fresh), what=f"{draft.manifest.id} on {runtime}")
        variants.append(replace(variant, parity=max(golden, key=_distance)))
        measured += [*golden, *fresh]
    return replace(draft.manifest, variants=tuple(variants), parity=tuple(measured))


def _distance(parity: Parity) -> float:
    return parity.max_abs_dlogit


def _line(parity: Parity) -> str:
    return (
        f"{parity.reference}: max |dlogit| {parity.max_abs_dlogit:.2g} of {parity.bound:.2g}, "
        f"top-1 agreement {parity.top1_agreement:.1%} over {parity.images} pictures with "
        f"{parity.distinct_top1} different answers"
    )


def _tools() -> dict[str, str]:
    tools = {"python": platform.python_version()}
    for package in _TOOLS:
        try:
            tools[package] = version(package)
        except PackageNotFoundError:
            continue
    return tools
