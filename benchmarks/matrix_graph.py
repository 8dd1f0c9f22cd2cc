"""Matrix products as ONNX graphs: for the runtimes that take nothing else."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 20, 10


def matrix_product(right: NDArray[Any]) -> bytes:
    """`x` (M, K) times `right` (K, N), in float32, or uint8 times int8 into int32."""
    floats = right.dtype == np.float32
    given, made = (
        (TensorProto.FLOAT, TensorProto.FLOAT) if floats else (TensorProto.UINT8, TensorProto.INT32)
    )
    inner, outer = right.shape
    return _graph(
        helper.make_node("MatMul" if floats else "MatMulInteger", ["x", "right"], ["y"]),
        (given, ["M", inner]),
        (made, ["M", outer]),
        right,
    )


def convolution(weights: NDArray[np.float32], side: int) -> bytes:
    """A product as a convolution of `x` (1, K, side, side) with weights (N, K, k, k): with the
    layout of its own choice a runtime is often nearer to the peak."""
    outer, inner, kernel, _ = weights.shape
    return _graph(
        helper.make_node("Conv", ["x", "right"], ["y"], pads=[kernel // 2] * 4),
        (TensorProto.FLOAT, [1, inner, side, side]),
        (TensorProto.FLOAT, [1, outer, side, side]),
        weights,
    )


Port = tuple[int, Sequence[int | str]]


def _graph(node: onnx.NodeProto, given: Port, made: Port, right: NDArray[Any]) -> bytes:
    graph = helper.make_graph(
        [node],
        "product",
        [helper.make_tensor_value_info("x", *given)],
        [helper.make_tensor_value_info("y", *made)],
        [numpy_helper.from_array(right, "right")],
    )
    model: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    data: bytes = model.SerializeToString()
    return data
