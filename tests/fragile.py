"""A real artifact whose engine fails on command: ONNX Runtime raises on any batch with a picture
that is all white."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from inference.artifact import describe
from inference.manifest import read_manifest, write_manifest
from tests.tiny import write_tiny

BRIGHT = 254.0
"""A picture with all three channels above it makes the call fail."""


def write_fragile(repository: Path, name: str = "fragile", *, bright: float = BRIGHT) -> Path:
    """`write_tiny`'s network, with an index out of range where a picture is too bright."""
    directory = write_tiny(repository, name)
    path = directory / "model.onnx"
    model = onnx.load(path)
    graph = model.graph
    graph.node[-1].output[0] = "weighed"
    graph.node.extend(
        [
            helper.make_node("ReduceMin", ["mean", "channels"], ["darkest"], keepdims=0),
            helper.make_node("ReduceMax", ["darkest"], ["brightest"], keepdims=0),
            helper.make_node("Greater", ["brightest", "bright"], ["bad"]),
            helper.make_node("Cast", ["bad"], ["index"], to=TensorProto.INT64),
            helper.make_node("Gather", ["one", "index"], ["factor"]),
            helper.make_node("Mul", ["weighed", "factor"], ["logits"]),
        ]
    )
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([1], np.int64), "channels"),
            numpy_helper.from_array(np.array(bright, np.float32), "bright"),
            numpy_helper.from_array(np.array([1], np.float32), "one"),
        ]
    )
    onnx.save(model, path)
    manifest = read_manifest(directory)
    (directory / "manifest.json").unlink()
    files = {file: describe(directory / file) for file in manifest.files}
    write_manifest(directory, replace(manifest, files=files))
    return directory
