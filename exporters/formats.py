"""The formats that can be written: one row each."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from exporters.onnx_export import write_onnx
from exporters.torch_export import write_torch
from inference.manifest import Format, Precision
from measuring.errors import InputError
from measuring.input_spec import InputSpec

Write = Callable[[Path, nn.Module, InputSpec], None]


@dataclass(frozen=True)
class Exporter:
    """`file`: what `write` makes; `runtimes`: what opens it; `folds`: whether BatchNorms go into
    the layers before them first; `precisions`: in which arithmetic it can be made."""

    file: str
    write: Write
    runtimes: tuple[str, ...]
    folds: bool
    precisions: tuple[Precision, ...] = ("fp32",)


EXPORTERS: dict[Format, Exporter] = {
    "onnx": Exporter("model.onnx", write_onnx, ("onnxruntime",), folds=True),
    # Eager PyTorch is the unaided baseline, and the file keeps the published keys.
    "torch": Exporter("model.safetensors", write_torch, ("torch",), folds=False),
}


def exporter_for(format: Format, precision: Precision) -> Exporter:  # noqa: A002  (the domain's word)
    """Raises InputError for a format or precision that cannot be made."""
    if format not in EXPORTERS:
        raise InputError(f"format {format!r}: expected one of {', '.join(EXPORTERS)}")
    exporter = EXPORTERS[format]
    if precision not in exporter.precisions:
        raise InputError(
            f"precision {precision!r} of format {format}: "
            f"expected one of {', '.join(exporter.precisions)}"
        )
    return exporter
