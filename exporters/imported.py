"""Makes an artifact of an ONNX classifier that somebody else exported: pixels in, logits out, held
to the answers of the file as it was given."""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]

from exporters.free_batch import free_batch
from exporters.imported_parity import proved
from exporters.onnx_cost import onnx_cost
from exporters.onnx_file import OnnxFile, first_line, read_onnx
from exporters.onnx_original import OnnxOriginal
from exporters.onnx_ports import PictureInput, class_output, picture_input
from exporters.own_id import require_own_id
from exporters.prelude import PRELUDE, pixels_in
from exporters.replace import put_in_place, workspace
from exporters.tool_versions import tool_versions
from inference.artifact import IMPORTED, Artifact, artifact_id, describe, read_artifact
from inference.manifest import (
    REFERENCE,
    Manifest,
    Parity,
    Variant,
    WeightsSource,
    write_manifest,
)
from inference.parity import bound_for
from inference.reference import Reference, write_reference
from measuring.errors import CheckError, InputError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

GOLDEN = 16
GOLDEN_SEED = 0
MODEL = "model.onnx"
RUNTIMES = ("onnxruntime", "openvino")
ASSUMED = "assumed: ImageNet's mean and standard deviation"
_FATAL_ONLY = 4
_MARGIN = 256 / 224  # of the shorter side around the crop

Report = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """What the user says of the model. `labels`: in the order of its classes, None for ImageNet's
    names or numbers; `spec`: None for the model's size with ImageNet's mean and deviation."""

    name: str | None = None
    labels: tuple[str, ...] | None = None
    spec: InputSpec | None = None
    trained: bool = True


def import_onnx(path: Path, wanted: Wanted, *, repository: Path, report: Report) -> Artifact:
    """read -> fix the size, free the batch -> prelude -> verify -> write: `<name>-onnx-fp32`.

    The same file imported again replaces the older artifact. Raises InputError for a file that is
    no single-picture float32 classifier, for labels or a spec that do not fit it and for an id that
    other weights have; ParityError if the result answers otherwise than the file.
    """
    id_ = artifact_id(wanted.name if wanted.name is not None else _name(path), "onnx", "fp32")
    report(f"read: {path}")
    file = read_onnx(path)
    original = _original(file, wanted, report)
    labels = _labels(wanted.labels, original.output.classes, report)
    weights = WeightsSource(
        source=path.name,
        sha256=file.sha256,
        trained=wanted.trained,
        input_spec_source="given" if wanted.spec else ASSUMED,
    )
    target = repository / id_
    require_own_id(target, weights)
    with workspace(target) as directory:
        model = _write_model(directory / MODEL, original, report)
        reference, bound = _golden(original, file)
        _require_free(model, original.port, reference, bound)
        write_reference(directory, reference)
        manifest = Manifest(
            id=id_,
            name=id_.removesuffix("-onnx-fp32"),
            network=IMPORTED,
            format="onnx",
            precision="fp32",
            input=original.spec,
            labels=labels,
            weights=weights,
            cost=onnx_cost(model, without=PRELUDE),
            variants=(Variant(MODEL, RUNTIMES, Parity("demanded", GOLDEN, 0.0, bound, 1.0)),),
            parity=(),
            files={name: describe(directory / name) for name in (MODEL, REFERENCE)},
            tools=tool_versions("onnx", "onnxruntime", "numpy"),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        draft = Artifact(directory, manifest)
        write_manifest(directory, proved(draft, original, reference, report))
        require_own_id(target, weights)
        put_in_place(directory, target)
    report(f"write: {target}")
    return read_artifact(target)


def _name(path: Path) -> str:
    """The file's, in the letters that an artifact's name may have."""
    return re.sub(r"[^a-z0-9._-]+", "_", path.stem.lower()).strip("._-")[:64] or "imported"


def _original(file: OnnxFile, wanted: Wanted, report: Report) -> OnnxOriginal:
    port = picture_input(file.model)
    spec = _spec(port, wanted.spec, report)
    try:
        inferred = onnx.shape_inference.infer_shapes(file.model, data_prop=True)
    except onnx.shape_inference.InferenceError as error:
        raise InputError(f"the shapes in {file.path} contradict each other: {error}") from error
    output = class_output(inferred)
    _require_float32(file)
    kind = "uint8" if port.is_uint8 else "float32"
    end = f"logits before the {output.softmax}" if output.softmax else "logits"
    report(f"input: {port.name}, {kind} {port.layout}, {spec.size} x {spec.size} pixels")
    told = ", ".join(dict.fromkeys((output.name, end)))
    report(f"output: {told}, {output.classes} classes")
    return OnnxOriginal(inferred, port, output, spec)


def _spec(port: PictureInput, given: InputSpec | None, report: Report) -> InputSpec:
    if given is None and port.size is None:
        raise InputError(
            f"the model takes pictures of any size at {port.name}, and none was given; write one "
            "into a TOML file, as size = 224, and name it with --input-spec"
        )
    if given is None:
        size = port.size or 0
        spec = InputSpec(size=size, resize=round(size * _MARGIN))
        assumed = "assumed" if port.is_uint8 else ASSUMED
        report(f"preprocess: {spec.interpolation}, {assumed}; to change it: --input-spec")
    elif port.size not in (None, given.size):
        raise InputError(
            f"--input-spec says {given.size} pixels and the model takes {port.size} x {port.size}; "
            "expected the same size"
        )
    else:
        spec = given
        report(f"preprocess: {spec.interpolation}, as --input-spec says")
    if port.is_uint8:
        report("preprocess: the model takes bytes, so it applies its own mean and deviation")
        return replace(spec, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    return spec


def _require_float32(file: OnnxFile) -> None:
    """Its precision would be called fp32, so that has to be what it computes in."""
    quantised = {node.op_type for node in file.model.graph.node if _is_quantised(node.op_type)}
    coarse = {
        onnx.TensorProto.DataType.Name(tensor.data_type).lower()
        for tensor in file.model.graph.initializer
        if tensor.data_type in (onnx.TensorProto.FLOAT16, onnx.TensorProto.BFLOAT16)
    }
    if found := quantised | coarse:
        raise InputError(
            f"{file.path} does not compute in float32: it has {', '.join(sorted(found))}; "
            "expected the float32 model that it was made from"
        )


def _is_quantised(operator: str) -> bool:
    return operator.endswith(("uantizeLinear", "Integer")) or operator.startswith("QLinear")


def _labels(given: tuple[str, ...] | None, classes: int, report: Report) -> tuple[str, ...]:
    from models.labels import check_count, imagenet_labels, numbered_labels

    if given is not None:
        return check_count(given, classes, "labels")
    if classes == len(imagenet_labels()):
        report("labels: ImageNet's, since the model has 1000 classes; to change it: --labels")
        return imagenet_labels()
    report(f"labels: class 0 to class {classes - 1}; --labels names them")
    return numbered_labels(classes)


def _write_model(path: Path, original: OnnxOriginal, report: Report) -> onnx.ModelProto:
    port, spec = original.port, original.spec
    if port.batch is not None:
        report(f"batch: fixed to {port.batch} in the file, made free")
    freed = free_batch(original.model, port, spec.size)
    model = pixels_in(freed, port, original.output, spec)
    onnx.save_model(model, path)
    try:
        onnx.checker.check_model(path, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        if port.batch is None:
            raise CheckError(f"the model with its prelude is not valid ONNX: {error}") from error
        raise _not_free(port, first_line(error)) from error
    return model


def _require_free(
    model: onnx.ModelProto, port: PictureInput, reference: Reference, bound: float
) -> None:
    """One picture and three of them, compared with what the file answers."""
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    for count in (1, 3):
        try:
            session = ort.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
            (logits,) = session.run(["logits"], {"pixels": reference.pixels[:count]})
        except Exception as error:  # ONNX Runtime's errors share no other base class.
            raise _not_free(port, first_line(error)) from error
        expected = reference.logits[:count]
        if logits.shape != expected.shape or not np.abs(logits - expected).max() <= bound:
            raise _not_free(port, f"{count} pictures get other answers than each gets alone")


def _not_free(port: PictureInput, why: str) -> InputError:
    """For a graph that holds on to its batch in ways that are not understood here."""
    made_for = "any batch" if port.batch is None else f"a batch of {port.batch}"
    return InputError(
        f"the model was exported for {made_for} and cannot take batches of other sizes: {why}; "
        "export it with a dynamic batch dimension"
    )


def _golden(original: OnnxOriginal, file: OnnxFile) -> tuple[Reference, float]:
    """The golden pictures with the answers of the file, and how far an engine's may be."""
    pixels = varied_pictures(GOLDEN, original.spec.size, GOLDEN_SEED)
    logits = original.logits(pixels)
    if logits.shape != (GOLDEN, original.output.classes) or not np.isfinite(logits).all():
        raise InputError(
            f"{file.path} answers {logits.shape} logits for {GOLDEN} pictures, not all of them "
            f"finite or not {original.output.classes} each; expected numbers, one for each class"
        )
    rounded = original.rounded(pixels)
    bound = max(bound_for("fp32", exact=logits, rounded=answers) for answers in rounded)
    return Reference(pixels, logits), bound
