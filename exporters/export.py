"""Makes an artifact of a network: built beside its place, proved to answer as the original does,
and only then put there. What fails leaves nothing behind."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from exporters.files import Target, Written, write_file
from exporters.formats import Recipe, recipes_for
from exporters.own_id import require_own_id
from exporters.plan_options import PlanOptions
from exporters.proof import prove
from exporters.replace import put_in_place, workspace
from exporters.source import GOLDEN, Source
from exporters.tool_versions import tool_versions
from inference.artifact import Artifact, artifact_id, describe, read_artifact
from inference.manifest import (
    REFERENCE,
    CostSummary,
    FileEntry,
    Format,
    Manifest,
    Parity,
    Precision,
    Variant,
    WeightsSource,
    write_manifest,
)
from inference.parity import bound_for
from inference.reference import write_reference
from models import cost

_TOOLS = (
    *("torch", "onnx", "onnxscript", "onnxruntime", "openvino", "tensorrt"),
    *("safetensors", "numpy"),
)


def export(
    source: Source,
    *,
    artifact_name: str,
    format: Format,  # noqa: A002  (the domain's word)
    precision: Precision,
    repository: Path,
    recipes: tuple[Recipe, ...] | None = None,
    plan: PlanOptions | None = None,
) -> Artifact:
    """rewrite -> export -> (quantise | build) -> open -> verify -> write: the artifact
    `<name>-<format>-<precision>`, with one variant for each of `recipes`, by default the rows of
    the format and precision. `plan`: how a TensorRT plan is built, and on which machines it runs.

    Verified on generated pictures, and on photographs where scikit-image or scikit-learn is
    installed. A variant that nothing here can run is left out. The same weights exported again
    replace the older artifact. Raises InputError for a name, format, precision or network that
    cannot be exported and for an id that other weights have; ParityError or CheckError if the
    export answers differently; MissingError if nothing here can make or run it.
    """
    id_ = artifact_id(artifact_name, format, precision)
    recipes = recipes_for(format, precision) if recipes is None else recipes
    target = repository / id_
    weights = _weights(source)
    require_own_id(target, weights)
    golden = source.golden
    bound = bound_for(precision, exact=golden.reference.logits, rounded=golden.rounded)
    with workspace(target) as directory:
        built = Target(directory, format, precision, bound, plan or PlanOptions())
        written = _write(built, recipes, source)
        write_reference(directory, golden.reference)
        manifest = Manifest(
            id=id_,
            name=artifact_name,
            network=source.network,
            format=format,
            precision=precision,
            input=source.loaded.input_spec,
            labels=tuple(source.loaded.labels),
            weights=weights,
            cost=_cost(source),
            variants=tuple(variant for variant, _ in written),
            parity=(),
            files=_described(directory, written),
            tools=tool_versions(*_TOOLS),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            bound_to={key: value for _, file in written for key, value in file.bound_to.items()},
            calibration=source.calibration.source if precision == "int8" else None,
        )
        _prove(Artifact(directory, manifest), written, source)
        require_own_id(target, weights)
        put_in_place(directory, target)
    source.report(f"write: {target}")
    return read_artifact(target)


def _write(
    target: Target, recipes: tuple[Recipe, ...], source: Source
) -> tuple[tuple[Variant, Written], ...]:
    """A variant for each recipe, with the file that it opens; recipes that come to the same file
    share it. The parity is what is demanded, not what was measured."""
    made: dict[tuple[tuple[str, ...], str], Written] = {}
    written = []
    for recipe in recipes:
        applied = source.applied(recipe.rewrites)
        if (applied, recipe.scheme) not in made:
            made[applied, recipe.scheme] = write_file(target, recipe, source)
        file = made[applied, recipe.scheme]
        variant = Variant(
            file=file.files[0],
            runtimes=recipe.runtimes,
            parity=Parity("demanded", GOLDEN, 0.0, file.bound, 1.0),
            features=recipe.features,
            rewrites=file.rewrites,
            devices=recipe.devices,
            kept=file.kept,
        )
        written.append((variant, file))
    return tuple(written)


def _prove(draft: Artifact, written: tuple[tuple[Variant, Written], ...], source: Source) -> None:
    """Writes the manifest with what was measured, and removes the files of what was left out."""
    proof = prove(draft, written, source)
    proved = {variant.file for variant in proof.variants}
    for variant, file in written:
        if variant.file not in proved:
            for name in file.files:
                (draft.directory / name).unlink(missing_ok=True)
    files = {
        name: entry for name, entry in draft.manifest.files.items()
        if (draft.directory / name).is_file()
    }  # fmt: skip
    write_manifest(
        draft.directory,
        replace(draft.manifest, variants=proof.variants, parity=proof.parities, files=files),
    )


def _described(
    directory: Path, written: tuple[tuple[Variant, Written], ...]
) -> dict[str, FileEntry]:
    names = dict.fromkeys(name for _, file in written for name in file.files)
    return {name: describe(directory / name) for name in (*names, REFERENCE)}


def _weights(source: Source) -> WeightsSource:
    loaded = source.loaded
    return WeightsSource(
        source=loaded.source,
        sha256=loaded.sha256,
        trained=loaded.trained,
        licence=loaded.licence,
        published_top1=loaded.published_top1,
        input_spec_source=loaded.input_spec_source,
    )


def _cost(source: Source) -> CostSummary:
    totals = cost(source.loaded.network, source.loaded.input_spec.size)
    return CostSummary(totals.macs, totals.parameters, totals.bytes_moved)
