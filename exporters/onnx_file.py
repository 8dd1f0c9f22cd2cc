"""Reads an ONNX file that somebody else made: bounded, checked, and opening nothing but plain files
that lie beside it."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import inliner, numpy_helper, version_converter

from measuring.errors import InputError

MOST_BYTES = 1 << 30  # of the file and of the weights beside it, together
OLDEST_OPSET = 7  # what ONNX Runtime and OpenVINO still run as it is
CONVERTED_OPSET = 13

_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class OnnxFile:
    """`model`: complete, its weights inside and only standard operators. `sha256`: of the file,
    followed by the weights that lay beside it in the order of their names."""

    path: Path
    model: onnx.ModelProto
    sha256: str


def read_onnx(path: Path) -> OnnxFile:
    """Raises InputError for what cannot be read, is too large, is no valid ONNX model, has weights
    anywhere but in plain files beside it, or has operators that are not ONNX's own."""
    digest = hashlib.sha256()
    model = _decode(path, _read(path, MOST_BYTES, digest))
    _require_standard(path, model)
    room = MOST_BYTES - path.stat().st_size
    external = [
        tensor for tensor in _tensors(model) if tensor.data_location == onnx.TensorProto.EXTERNAL
    ]
    for name in sorted({_location(path, tensor) for tensor in external}):
        beside = path.with_name(name)
        if beside.is_symlink():  # on the word of a file that somebody else made
            raise InputError(f"{beside} is a link, expected the weights themselves")
        room -= len(_read(beside, room, digest))
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
        # Not as a path: only then is it certain that what was read here is what is checked.
        onnx.checker.check_model(model)
        for tensor in _tensors(model):
            numpy_helper.to_array(tensor)  # the checker does not compare shapes with sizes
    except (onnx.checker.ValidationError, OSError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{path} is not valid ONNX: {first_line(error)}") from error
    model = inliner.inline_local_functions(model) if model.functions else model
    return OnnxFile(path, _modern(path, model), digest.hexdigest())


def _read(path: Path, most: int, digest: "hashlib._Hash") -> bytes:
    try:
        if not path.is_file():
            raise InputError(f"{path} is not a file, expected an ONNX model or its weights")
        if (size := path.stat().st_size) > most:
            raise InputError(
                f"{path} has {size:,} bytes, expected at most {most:,}; "
                "a model with its weights may have 1 GiB"
            )
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    digest.update(data)
    return data


def _decode(path: Path, data: bytes) -> onnx.ModelProto:
    model = onnx.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as error:
        raise InputError(
            f"{path} is no ONNX model: it begins with {data[:16]!r} and cannot be decoded; "
            "expected a complete .onnx file"
        ) from error
    if not model.graph.node or not model.opset_import:
        raise InputError(f"{path} is no ONNX model: it has no graph or no opset version")
    return model


def _require_standard(path: Path, model: onnx.ModelProto) -> None:
    own = {function.name for function in model.functions}
    nodes = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    foreign = {
        f"{node.domain}.{node.op_type}"
        for node in nodes
        if node.domain not in _STANDARD and node.op_type not in own
    }
    if foreign:
        raise InputError(
            f"{path} has operators that are not ONNX's own: {', '.join(sorted(foreign))}; expected "
            "the standard ones; export it without plugins or fusions"
        )
    nested = {
        node.op_type
        for node in nodes
        for attribute in node.attribute
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    }
    if nested:
        raise InputError(
            f"{path} has graphs within {', '.join(sorted(nested))}, expected one graph without "
            "branches and loops; trace the network with a fixed path through it"
        )


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    nodes = [*model.graph.node, *(node for f in model.functions for node in f.node)]
    attributes = [attribute for node in nodes for attribute in node.attribute]
    sparse = [*model.graph.sparse_initializer]
    sparse += [s for a in attributes for s in (a.sparse_tensor, *a.sparse_tensors)]
    dense = [*model.graph.initializer, *(t for a in attributes for t in (a.t, *a.tensors))]
    dense += [tensor for s in sparse for tensor in (s.values, s.indices)]
    return (tensor for tensor in dense if tensor.dims or tensor.ByteSize())


def _location(path: Path, tensor: onnx.TensorProto) -> str:
    named = {entry.key: entry.value for entry in tensor.external_data}
    name: str = named.get("location", "")
    if not _PLAIN_NAME.fullmatch(name):
        raise InputError(
            f"{path} keeps {tensor.name!r} in {name!r}, expected the plain name of a file beside "
            "it; save the model with its weights inside, or in one file next to it"
        )
    return name


def _modern(path: Path, model: onnx.ModelProto) -> onnx.ModelProto:
    version = max(entry.version for entry in model.opset_import if entry.domain in _STANDARD)
    if version >= OLDEST_OPSET:
        return model
    try:
        return _converted(model)
    except (RuntimeError, ValueError, onnx.checker.ValidationError) as error:
        raise InputError(
            f"{path} is of opset {version}, which cannot be converted to {CONVERTED_OPSET}: "
            f"{first_line(error)}; export the network with opset {CONVERTED_OPSET} or newer"
        ) from error


def _converted(model: onnx.ModelProto) -> onnx.ModelProto:
    """The converter takes no free dimensions: it sees ones, and what it noted from them goes."""
    fixed = onnx.ModelProto()
    fixed.CopyFrom(model)
    for port in (*fixed.graph.input, *fixed.graph.output):
        for dimension in port.type.tensor_type.shape.dim:
            if not dimension.HasField("dim_value"):
                dimension.dim_value = 1
    converted = version_converter.convert_version(fixed, CONVERTED_OPSET)
    del converted.graph.value_info[:]
    for ports, given in (
        (converted.graph.input, model.graph.input),
        (converted.graph.output, model.graph.output),
    ):
        shapes = {port.name: port.type for port in given}
        for port in ports:
            port.type.CopyFrom(shapes[port.name])
    return converted


def first_line(error: BaseException) -> str:
    """Of a library's message, which may go on for pages."""
    return str(error).strip().partition("\n")[0] or type(error).__name__
