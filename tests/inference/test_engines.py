"""What every engine promises, whatever runs it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from inference.artifact import read_artifact
from inference.engine import Engine, Pixels
from inference.errors import ArtifactError
from inference.open_engine import open_engine
from inference.reference import read_reference
from measuring.errors import InputError
from tests.tiny import tiny_model

Edit = Callable[..., None]

RUNTIMES = ("onnxruntime", "openvino")


@pytest.fixture(params=["onnxruntime", "openvino", "null"])
def engine(
    artifact_directory: Path, change_manifest: Edit, request: pytest.FixtureRequest
) -> Engine:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    change_manifest(artifact_directory, variants=(replace(variant, runtimes=RUNTIMES),))
    return open_engine(read_artifact(artifact_directory), runtime=request.param, threads=1)


@pytest.mark.parametrize(
    ("pixels", "told"),
    [
        pytest.param(np.zeros((1, 8, 8, 3), np.float32), "pixels are float32", id="dtype"),
        pytest.param(
            np.zeros((8, 8, 3), np.uint8), r"expected uint8 \(N, 8, 8, 3\)", id="no-batch"
        ),
        pytest.param(np.zeros((1, 3, 8, 8), np.uint8), r"\(1, 3, 8, 8\)", id="channels-first"),
        pytest.param(np.zeros((1, 9, 8, 3), np.uint8), r"\(1, 9, 8, 3\)", id="size"),
        pytest.param(np.zeros((0, 8, 8, 3), np.uint8), "expected 1 <= N <= 256", id="empty"),
        pytest.param(np.zeros((257, 8, 8, 3), np.uint8), "split the batch", id="too-many"),
    ],
)
def test_engine_refuses_pixels_it_was_not_made_for(
    engine: Engine, pixels: Pixels, told: str
) -> None:
    with pytest.raises(InputError, match=told):
        engine.infer(pixels)


@pytest.mark.parametrize("count", [1, 2, 7, 256])
def test_engine_answers_any_batch_up_to_its_largest(engine: Engine, count: int) -> None:
    logits = engine.infer(np.zeros((count, 8, 8, 3), np.uint8))
    assert (logits.shape, logits.dtype.name) == ((count, 5), "float32")


def test_engine_takes_read_only_and_strided_pixels(
    engine: Engine, artifact_directory: Path
) -> None:
    reference = read_reference(read_artifact(artifact_directory))
    frozen = reference.pixels.copy()
    frozen.setflags(write=False)
    strided = np.repeat(reference.pixels, 2, axis=2)[:, :, ::2]
    expected = engine.infer(reference.pixels)
    np.testing.assert_array_equal(engine.infer(frozen), expected)
    np.testing.assert_array_equal(engine.infer(strided), expected)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"], indirect=True)
def test_closed_engine_cannot_be_used(engine: Engine) -> None:
    engine.close()
    with pytest.raises(RuntimeError, match=f"{engine.name} is closed"):
        engine.infer(np.zeros((1, 8, 8, 3), np.uint8))


def test_onnxruntime_refuses_a_file_that_is_no_model(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (artifact_directory / "model.onnx").write_bytes(b"not a model")
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match=r"model\.onnx cannot be opened by onnxruntime"):
        open_engine(read_artifact(artifact_directory))


@pytest.mark.parametrize(
    ("classes", "batch"),
    [pytest.param(4, "N", id="classes"), pytest.param(5, 2, id="fixed-batch")],
)
def test_onnxruntime_refuses_a_graph_that_is_not_what_the_manifest_says(
    artifact_directory: Path,
    change_manifest: Edit,
    classes: int,
    batch: str | int,
) -> None:
    model = tiny_model(np.zeros((3, classes), np.float32), size=8, batch=batch)
    onnx.save_model(model, artifact_directory / "model.onnx")
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match=r"the graph has .* with N free"):
        open_engine(read_artifact(artifact_directory))
