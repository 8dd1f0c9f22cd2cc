"""An artifact small enough to be made by hand: logits are a product of a picture's mean colour."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inference.artifact import describe
from inference.manifest import (
    MANIFEST,
    CostSummary,
    Manifest,
    Parity,
    Variant,
    WeightsSource,
    read_manifest,
    write_manifest,
)
from inference.reference import Reference, write_reference
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SIZE, CLASSES = 8, 5

Edit = Callable[..., None]


@pytest.fixture
def artifact_directory(tmp_path: Path) -> Path:
    """A good artifact in a repository of its own."""
    directory = tmp_path / "artifacts" / "mean-colour-onnx-fp32"
    directory.mkdir(parents=True)
    weight = np.random.default_rng(0).normal(size=(3, CLASSES)).astype(np.float32)
    onnx.save_model(_mean_colour(weight, "N"), directory / "model.onnx")
    pixels = varied_pictures(16, SIZE, 0)
    logits = pixels.astype(np.float64).mean(axis=(1, 2)) @ weight.astype(np.float64)
    write_reference(directory, Reference(pixels, logits))
    write_manifest(directory, manifest_of(directory))
    return directory


@pytest.fixture
def change_manifest() -> Edit:
    """`change(directory, field=value, ...)`; the checksums are those of the files as they are."""

    def change(directory: Path, **fields: Any) -> None:
        manifest = read_manifest(directory)
        files = {name: describe(directory / name) for name in manifest.files}
        write_manifest(directory, replace(manifest, files=files, **fields))

    return change


@pytest.fixture
def mean_colour() -> Callable[[NDArray[np.float32], str | int], onnx.ModelProto]:
    """The artifact's graph, with other weights or another batch."""
    return _mean_colour


def _mean_colour(weight: NDArray[np.float32], batch: str | int) -> onnx.ModelProto:
    """Pixels (N, 8, 8, 3) to the product of their mean colour with `weight` (3, classes)."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("MatMul", ["mean", "weight"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mean colour",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, [batch, SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [batch, weight.shape[1]])],
        [
            numpy_helper.from_array(np.array([1, 2]), "axes"),
            numpy_helper.from_array(weight, "weight"),
        ],
    )
    opset = [helper.make_opsetid("", 20)]
    return helper.make_model(graph, opset_imports=opset, ir_version=10)


def manifest_of(directory: Path) -> Manifest:
    demanded = Parity("golden", 16, 0.0, 1e-3, 1.0)
    return Manifest(
        id="mean-colour-onnx-fp32",
        name="mean-colour",
        network="mean-colour",
        format="onnx",
        precision="fp32",
        input=InputSpec(size=SIZE, resize=SIZE),
        labels=tuple(f"class {index}" for index in range(CLASSES)),
        weights=WeightsSource("untrained", "0" * 64, trained=False),
        cost=CostSummary(macs=15, parameters=15, bytes_moved=300),
        variants=(Variant("model.onnx", ("onnxruntime",), demanded),),
        parity=(demanded,),
        files={p.name: describe(p) for p in directory.iterdir() if p.name != MANIFEST},
        tools={},
        created="2026-01-01T00:00:00+00:00",
    )
