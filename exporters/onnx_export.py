"""A network as one ONNX file: pixels in, logits out, the batch free and every other size fixed."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import onnx
import torch
from torch import nn

from measuring.errors import CheckError, InputError

# The first with Gelu as one operator.
OPSET = 20
# A batch of 0 or 1 would be taken for a constant.
_TRACED_BATCH = 2


def to_onnx(chain: nn.Module, size: int) -> onnx.ModelProto:
    """`chain`: uint8 (N, size, size, 3) to logits (N, classes).

    Raises InputError for a network that cannot be traced or only for one batch size, CheckError
    if the graph is not valid ONNX.
    """
    model = _trace(chain.eval(), size)
    _require_dynamic_batch(model)
    _drop_notes(model)
    model.producer_name = "stride"
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        raise CheckError(f"the exported graph is not valid ONNX: {error}") from error
    return model


def _trace(network: nn.Module, size: int) -> onnx.ModelProto:
    example = torch.zeros(_TRACED_BATCH, size, size, 3, dtype=torch.uint8)
    batch = torch.export.Dim("N", min=1)
    try:
        with _quiet(), torch.inference_mode(False), torch.no_grad():
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                opset_version=OPSET,
                input_names=["pixels"],
                output_names=["logits"],
                dynamic_shapes=({0: batch},),
                verbose=False,
            )
    except (torch.onnx.OnnxExporterError, torch._dynamo.exc.UserError) as error:
        raise InputError(
            f"the network cannot be exported with a free batch size: {_reason(error)}; "
            "its forward must not depend on the number or content of the pictures"
        ) from error
    if program is None:
        raise CheckError("the exporter returned no program, expected one")
    model: onnx.ModelProto = program.model_proto
    return model


def _reason(error: BaseException) -> str:
    """The first sentence of the innermost cause: the layers around it are the exporter's."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).strip().partition("\n")[0] or type(error).__name__


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns about its own insides and about packages that are not needed here."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _require_dynamic_batch(model: onnx.ModelProto) -> None:
    for port in (*model.graph.input, *model.graph.output):
        dimensions = port.type.tensor_type.shape.dim
        if not dimensions or not dimensions[0].dim_param:
            raise InputError(
                f"the batch of {port.name} is fixed to {dimensions[0].dim_value or 'nothing'}, "
                "expected a free one; the network's forward must not depend on the batch size"
            )


def _drop_notes(model: onnx.ModelProto) -> None:
    """The exporter notes source lines and file paths of this machine on every node."""
    graph = model.graph
    for part in (
        graph,
        *graph.node,
        *graph.input,
        *graph.output,
        *graph.value_info,
        *graph.initializer,
    ):
        part.ClearField("doc_string")
        part.ClearField("metadata_props")
    model.ClearField("doc_string")
    model.ClearField("metadata_props")
