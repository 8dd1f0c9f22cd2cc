"""The three families the product is about, the whole way: export, open, verify."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import onnx
import pytest

from exporters.export import export
from exporters.source import Source
from inference.artifact import Artifact
from inference.verify_artifact import verify_artifact
from models import Loaded, create
from models.untrained import calibrate

SIZE = 64

Load = Callable[..., Loaded]


@dataclass(frozen=True)
class Exported:
    loaded: Loaded
    artifact: Artifact


@pytest.fixture(scope="module", params=["fasternet_t0", "mobilenet_v2", "shufflenet_v2_x1_0"])
def exported(
    request: pytest.FixtureRequest, load_as: Load, tmp_path_factory: pytest.TempPathFactory
) -> Exported:
    network = create(request.param, 100).eval()
    calibrate(network, SIZE)
    loaded = load_as(network, SIZE, 100)
    artifact = export(
        Source(loaded, request.param),
        artifact_name=request.param,
        format="onnx",
        precision="fp32",
        repository=tmp_path_factory.mktemp("artifacts"),
    )
    return Exported(loaded, artifact)


def test_exported_graph_is_plain(exported: Exported) -> None:
    model = onnx.load(exported.artifact.path("model.onnx"))
    operators = {node.op_type for node in model.graph.node}
    assert operators <= {
        *("Add", "Cast", "Clip", "Concat", "Conv", "Gelu", "Gemm", "MaxPool", "Mul"),
        *("ReduceMean", "Relu", "Reshape", "Split", "Sub", "Transpose"),
        "Unsqueeze",
    }


def test_exported_answers_are_the_originals_and_differ_from_each_other(exported: Exported) -> None:
    for parity in exported.artifact.manifest.parity:
        assert parity.holds
        assert parity.distinct_top1 is not None
        assert parity.distinct_top1 >= (3 if "photographs" in parity.reference else 6)


def test_exported_bound_is_far_below_the_spread_of_the_logits(exported: Exported) -> None:
    with np.load(exported.artifact.path("reference.npz")) as arrays:
        spread = arrays["logits"].std()
    assert exported.artifact.manifest.variants[0].parity.bound < 0.01 * spread


def test_exported_artifact_verifies_on_every_runtime(exported: Exported) -> None:
    report = verify_artifact(exported.artifact.directory)
    assert report.holds
    assert {entry.runtime for entry in report.replayed} == {"onnxruntime", "openvino"}
    assert {entry.file for entry in report.replayed} == {
        variant.file for variant in exported.artifact.manifest.variants
    }
