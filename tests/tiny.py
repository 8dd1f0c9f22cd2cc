"""A real artifact that takes milliseconds to make: the mean colour of the picture, by a matrix.

It is a true ONNX model with true golden answers, so everything that opens, verifies and serves
artifacts treats it like any other.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inference.artifact import describe
from inference.manifest import (
    REFERENCE,
    CostSummary,
    Manifest,
    Parity,
    Variant,
    WeightsSource,
    write_manifest,
)
from inference.reference import Reference, write_reference
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SIZE = 16


def write_tiny(
    repository: Path,
    name: str = "tiny",
    *,
    size: int = SIZE,
    classes: int = 32,
    seed: int = 0,
    trained: bool = False,
) -> Path:
    """`<repository>/<name>-onnx-fp32`, with `classes` labels `class 0`, `class 1`, ..."""
    directory = repository / f"{name}-onnx-fp32"
    directory.mkdir(parents=True)
    weights = _weights(classes, seed)
    onnx.save(tiny_model(weights, size=size), directory / "model.onnx")
    pixels = varied_pictures(16, size, seed=1)
    write_reference(directory, Reference(pixels, tiny_logits(pixels, weights)))
    write_manifest(directory, _manifest(directory, size, classes, trained=trained))
    return directory


def tiny_logits(pixels: NDArray[np.uint8], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """The same function in float64 numpy: (N, H, W, 3) -> (N, classes)."""
    means: NDArray[np.float64] = pixels.astype(np.float64).mean(axis=(1, 2)) - 128
    return np.asarray(means @ weights.astype(np.float64))


def tiny_model(
    weights: NDArray[np.float32], *, size: int = SIZE, batch: str | int = "N"
) -> onnx.ModelProto:
    """Pixels (batch, size, size, 3) to logits, by `weights` (3, classes)."""
    classes = weights.shape[1]
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Sub", ["mean", "middle"], ["centred"]),
        helper.make_node("MatMul", ["centred", "weights"], ["logits"]),
    ]
    constants: dict[str, NDArray[Any]] = {
        "axes": np.array([1, 2], np.int64),
        "middle": np.array(128, np.float32),
        "weights": weights,
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [batch, size, size, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, classes])],
        [numpy_helper.from_array(array, key) for key, array in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _weights(classes: int, seed: int) -> NDArray[np.float32]:
    generator = np.random.default_rng(seed)
    return generator.normal(0, 0.1, (3, classes)).astype(np.float32)


def _manifest(directory: Path, size: int, classes: int, *, trained: bool) -> Manifest:
    parity = Parity("golden", 16, 0.0, 1e-3, 1.0)
    return Manifest(
        id=directory.name,
        name=directory.name.removesuffix("-onnx-fp32"),
        network="tiny",
        format="onnx",
        precision="fp32",
        input=InputSpec(size=size, resize=size),
        labels=tuple(f"class {index}" for index in range(classes)),
        weights=WeightsSource("untrained", f"{len(directory.name):064x}", trained=trained),
        cost=CostSummary(3 * classes, 3 * classes, 4 * size * size * 3),
        variants=(Variant("model.onnx", ("onnxruntime",), parity),),
        parity=(parity,),
        files={file: describe(directory / file) for file in ("model.onnx", REFERENCE)},
        tools={},
        created="2026-01-01T00:00:00+00:00",
    )
