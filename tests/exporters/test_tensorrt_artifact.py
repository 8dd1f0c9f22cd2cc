"""From a network to a TensorRT artifact that is served, in each precision, by way of the doubles:
the graphs are the real ones, the plans are not."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import onnx
import pytest
from torch import nn

from exporters.calibration_pictures import generated
from exporters.export import export
from exporters.source import Source
from inference.artifact import Artifact
from inference.errors import RuntimeMissingError
from inference.manifest import Precision
from inference.open_engine import open_engine
from inference.reference import read_reference
from models import Loaded
from tests.doubles.install import GPU, install_doubles

Load = Callable[..., Loaded]


@pytest.fixture
def source(
    tiny_network: nn.Module, load_as: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Source:
    monkeypatch.setenv("STRIDE_CACHE", str(tmp_path / "cache"))
    loaded = load_as(tiny_network, 16, 6)
    return Source(loaded, "tiny", calibration=lambda: generated(loaded.input_spec))


def _types(artifact: Artifact) -> set[np.dtype[np.generic]]:
    """Of the constants in the graph that the plan was built from."""
    plan = artifact.path("model.plan").read_bytes()
    graph = onnx.load_from_string(plan.partition(b"\n")[2]).graph
    return {onnx.numpy_helper.to_array(tensor).dtype for tensor in graph.initializer}


@pytest.mark.parametrize(
    ("major", "precision", "typed"),
    [
        pytest.param(10, "fp32", np.float32, id="10.16-fp32"),
        pytest.param(11, "fp32", np.float32, id="11.4-fp32"),
        pytest.param(11, "fp16", np.float16, id="11.4-fp16"),
        pytest.param(11, "int8", np.int8, id="11.4-int8"),
    ],
)
def test_export_tensorrt_is_built_verified_and_bound(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    major: int, precision: Precision, typed: type[np.generic],
) -> None:  # fmt: skip
    doubles = install_doubles(monkeypatch, major)

    artifact = export(
        source, artifact_name="net", format="tensorrt", precision=precision, repository=tmp_path
    )

    manifest = artifact.manifest
    assert set(manifest.files) == {"model.plan", "build.log", "reference.npz"}
    assert manifest.bound_to["gpu"] == GPU.name
    assert manifest.bound_to["tensorrt"] == doubles.trt.__version__
    assert [variant.devices for variant in manifest.variants] == [("cuda",)]
    assert np.dtype(typed) in _types(artifact)
    assert np.dtype(np.uint8) not in _types(artifact)  # TensorRT quantises to signed numbers
    with closing(open_engine(artifact, device="cuda")) as engine:
        assert engine.name == f"tensorrt cuda {precision}"
        reference = read_reference(artifact)
        assert engine.infer(reference.pixels).shape == reference.logits.shape
    assert doubles.cuda.left() == []


def test_export_tensorrt_without_gpu_leaves_nothing_behind(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_doubles(monkeypatch, 11).cuda.devices = 0
    repository = tmp_path / "artifacts"

    with pytest.raises(RuntimeMissingError, match="no NVIDIA GPU can be used here"):
        export(
            source, artifact_name="net", format="tensorrt", precision="fp32", repository=repository
        )
    assert not list(repository.glob("*"))
