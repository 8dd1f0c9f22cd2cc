"""A convolution and a mean, in float32 or quantised: the least that shows which arithmetic runs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inference.artifact import Artifact, describe, read_artifact
from inference.manifest import Precision, read_manifest, write_manifest
from inference.reference import Reference, write_reference
from measuring.pictures import varied_pictures
from tests.tiny import write_tiny

SIZE = 16
CLASSES = 32
_MIDDLE, _STEP, _SCALE = 128, 1 / 64, 1 / 127  # pixels and weights are whole numbers of these


def write_convolution(
    repository: Path,
    precision: Precision,
    *,
    file: Precision | None = None,
    runtimes: tuple[str, ...] = ("onnxruntime", "openvino"),
    bound: float = 1e-3,
) -> Artifact:
    """An artifact whose manifest promises `precision`, with golden answers in float64; its file
    is made as one of `file`'s is, by default the same.

    In int8 the answers are those of float32: all that is rounded is whole before.
    """
    made = write_tiny(repository, "convolution", size=SIZE, classes=CLASSES)
    directory = made.rename(made.with_name(f"convolution-onnx-{precision}"))
    weights = np.random.default_rng(0).integers(-127, 128, (CLASSES, 3, 3, 3), np.int8)
    onnx.save_model(tiny_convolution(weights, file or precision), directory / "model.onnx")
    pixels = varied_pictures(16, SIZE, seed=1)
    write_reference(directory, Reference(pixels, _answers(pixels, weights)))
    manifest = read_manifest(directory)
    (variant,) = manifest.variants
    parity = replace(variant.parity, bound=bound)
    manifest = replace(
        manifest,
        id=directory.name,
        precision=precision,
        variants=(replace(variant, runtimes=runtimes, parity=parity),),
        files={name: describe(directory / name) for name in manifest.files},
    )
    write_manifest(directory, manifest)
    return read_artifact(directory)


def _answers(pixels: NDArray[np.uint8], weights: NDArray[np.int8]) -> NDArray[np.float64]:
    centred = (pixels.astype(np.float64) - _MIDDLE) * _STEP
    patches = np.lib.stride_tricks.sliding_window_view(centred, (3, 3), (1, 2))
    responses = np.einsum("nhwcij,kcij->nkhw", patches, weights * _SCALE)
    means: NDArray[np.float64] = np.maximum(responses, 0).mean(axis=(2, 3))
    return means


def tiny_convolution(weights: NDArray[np.int8], precision: Precision) -> onnx.ModelProto:
    """Pixels (N, 16, 16, 3) to logits by `weights` (32, 3, 3, 3), whole numbers of 1 / 127."""
    number = np.float16 if precision == "fp16" else np.float32
    inside = helper.np_dtype_to_tensor_dtype(np.dtype(number))
    constants: dict[str, NDArray[Any]] = {
        "axes": np.array([2, 3], np.int64),
        "middle": np.array(_MIDDLE, number),
        "step": np.array(_STEP, number),
    }
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["first"], ["wide"], to=inside),
        helper.make_node("Sub", ["wide", "middle"], ["centred"]),
        helper.make_node("Mul", ["centred", "step"], ["scaled"]),
    ]
    if precision == "int8":
        nodes += _pairs()
        constants |= {
            "zero": np.array(_MIDDLE, np.uint8),
            "whole": weights,
            "scale": np.full(CLASSES, _SCALE, np.float32),
            "signed": np.zeros(CLASSES, np.int8),
        }
    else:
        constants["w"] = (weights * _SCALE).astype(number)
    picture = "rounded" if precision == "int8" else "scaled"
    nodes += [
        helper.make_node("Conv", [picture, "w"], ["response"], kernel_shape=[3, 3]),
        helper.make_node("Relu", ["response"], ["rectified"]),
        helper.make_node("ReduceMean", ["rectified", "axes"], ["means"], keepdims=0),
        helper.make_node("Cast", ["means"], ["logits"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "convolution",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", CLASSES])],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _pairs() -> list[onnx.NodeProto]:
    """The picture and the weights through whole numbers."""
    return [
        helper.make_node("QuantizeLinear", ["scaled", "step", "zero"], ["quantised"]),
        helper.make_node("DequantizeLinear", ["quantised", "step", "zero"], ["rounded"]),
        helper.make_node("DequantizeLinear", ["whole", "scale", "signed"], ["w"], axis=0),
    ]
