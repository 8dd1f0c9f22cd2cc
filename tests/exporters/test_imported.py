"""Classifiers from elsewhere become artifacts that answer as the files did, by way of real ONNX
Runtime sessions; what pictures go through before is computed here once more, plainly."""

import json
import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from exporters.imported import ASSUMED, Wanted, import_onnx
from inference.artifact import Artifact, read_artifact, rebuild_command
from inference.engine import Pixels
from inference.open_engine import open_engine
from inference.parity import spread
from inference.reference import read_reference
from inference.verify_artifact import verify_artifact
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from tests.classifiers import CLASSES, SIZE, Foreign, add_output

Import = Callable[..., Artifact]
SPEC = InputSpec(size=SIZE, resize=SIZE + 2, mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3))


@pytest.fixture
def steps() -> list[str]:
    return []


@pytest.fixture
def imported(tmp_path: Path, steps: list[str]) -> Import:
    """Saves a model as `Model 1.onnx` and imports it."""

    def run(model: onnx.ModelProto, **wanted: Any) -> Artifact:
        onnx.save_model(model, tmp_path / "Model 1.onnx")
        wanted = {"spec": SPEC, **wanted}
        return import_onnx(
            tmp_path / "Model 1.onnx",
            Wanted(**wanted),
            repository=tmp_path / "artifacts",
            report=steps.append,
        )

    return run


def _unseen(step: str) -> None:
    """Where nobody watches."""


def _answers(
    model: onnx.ModelProto, pixels: Pixels, foreign: Foreign, tensor: str = "scores"
) -> NDArray[np.float32]:
    """What the file answers, one picture at a time."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    if tensor not in [port.name for port in asked.graph.output]:
        asked.graph.output.add().name = tensor
    session = ort.InferenceSession(asked.SerializeToString(), providers=["CPUExecutionProvider"])
    images: NDArray[Any] = pixels
    if not foreign.uint8:
        images = ((pixels / 255.0 - SPEC.mean) / SPEC.std).astype(np.float32)
    if foreign.layout == "NCHW":
        images = images.transpose(0, 3, 1, 2)
    rows = [session.run([tensor], {"images": images[i : i + 1]})[0] for i in range(len(images))]
    answers: NDArray[np.float32] = np.concatenate(rows).reshape(len(images), -1)
    return answers


@pytest.mark.parametrize(
    "foreign",
    [
        pytest.param(Foreign(), id="channels-first"),
        pytest.param(Foreign(layout="NHWC"), id="channels-last"),
        pytest.param(Foreign(uint8=True), id="bytes-channels-first"),
        pytest.param(Foreign(uint8=True, layout="NHWC"), id="bytes-channels-last"),
        pytest.param(Foreign(batch=1), id="batch-of-one"),
        pytest.param(Foreign(batch=1, flatten="Reshape"), id="reshaped-to-a-batch-of-one"),
        pytest.param(Foreign(flatten="none"), id="four-dimensions"),
        pytest.param(Foreign(end="Softmax"), id="softmax"),
        pytest.param(Foreign(end="LogSoftmax", batch=1), id="log-softmax"),
        pytest.param(Foreign(end="Softmax", flatten="none"), id="softmax-of-four-dimensions"),
        pytest.param(Foreign(sides=("height", "width")), id="any-height-and-width"),
        pytest.param(Foreign(opset=6), id="old-opset"),
        pytest.param(Foreign(opset=9), id="opset-9"),
    ],
)
def test_import_answers_as_the_file(imported: Import, foreign: Foreign) -> None:
    model = foreign.model()
    pixels = varied_pictures(5, SIZE, 11)
    # ONNX Runtime does not run opset 6 itself; the same weights in a later one are the same.
    expected = _answers(replace(foreign, opset=max(foreign.opset, 9), batch=1).model(), pixels,
                        foreign)  # fmt: skip

    engine = open_engine(imported(model), threads=1)

    for batch in (1, 2, 5):
        np.testing.assert_allclose(engine.infer(pixels[:batch]), expected[:batch], atol=2e-5)
    assert spread(expected) > 0.1
    engine.close()


def test_import_of_a_batch_of_more_than_one(imported: Import) -> None:
    """The reference then fills the last batch up."""
    foreign = Foreign(batch=3, flatten="Reshape")
    pixels = varied_pictures(4, SIZE, 11)
    expected = _answers(replace(foreign, batch=1).model(), pixels, foreign)

    engine = open_engine(imported(foreign.model()), threads=1)

    np.testing.assert_allclose(engine.infer(pixels), expected, atol=2e-5)
    engine.close()


@pytest.mark.parametrize("batch", ["free", "one"])
def test_import_of_a_network_that_pytorch_exported(
    imported: Import, make_tiny: Callable[[], nn.Module], tmp_path: Path, batch: str
) -> None:
    network = make_tiny()
    free = {"images": {0: torch.export.Dim("batch", min=1)}} if batch == "free" else None
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        program = torch.onnx.export(
            network,
            (torch.zeros(2 if free else 1, 3, SIZE, SIZE),),
            dynamo=True,
            verbose=False,
            dynamic_shapes=free,
        )
    assert program is not None
    model = program.model_proto
    pixels = varied_pictures(5, SIZE, 11)
    images = torch.from_numpy(((pixels / 255.0 - SPEC.mean) / SPEC.std).transpose(0, 3, 1, 2))
    with torch.no_grad():
        expected = network.double()(images).numpy()

    engine = open_engine(imported(model), threads=1)

    np.testing.assert_allclose(engine.infer(pixels), expected, atol=1e-4)
    engine.close()


def test_import_keeps_what_verify_needs(imported: Import, steps: list[str]) -> None:
    artifact = imported(Foreign(batch=1).model(), name="mine")

    report = verify_artifact(artifact.directory)

    assert report.holds
    assert "onnxruntime" in {entry.runtime for entry in report.replayed}
    itself = [p for p in artifact.manifest.parity if "the engine itself" in p.reference]
    assert len(itself) % 4 == 0  # alone and scattered, fresh pictures and photographs
    assert len(itself) >= 4
    assert any(re.match(r"verify: \d+ comparisons hold; the tightest: ", step) for step in steps)
    assert "batch: fixed to 1 in the file, made free" in steps
    assert len(read_reference(artifact).pixels) == 16


def test_import_manifest_says_where_it_came_from(imported: Import, tmp_path: Path) -> None:
    import hashlib

    artifact = imported(Foreign().model(), labels=tuple("abcdef"))
    manifest = artifact.manifest

    assert artifact.directory.name == manifest.id == "model_1-onnx-fp32"
    assert manifest.network == "imported"
    assert manifest.weights.source == "Model 1.onnx"
    data = (tmp_path / "Model 1.onnx").read_bytes()
    assert manifest.weights.sha256 == hashlib.sha256(data).hexdigest()
    assert manifest.weights.trained
    assert manifest.weights.input_spec_source == "given"
    assert manifest.labels == tuple("abcdef")
    assert manifest.input == SPEC
    assert manifest.cost.macs == 7 * 7 * 8 * 27 + 8 * CLASSES
    assert manifest.cost.parameters == 8 * 27 + 8 + 8 * CLASSES + CLASSES
    assert "onnx" in manifest.tools


def test_import_rebuild_command_imports(imported: Import) -> None:
    artifact = imported(Foreign().model(), trained=False)

    assert rebuild_command(artifact) == (
        "stride import 'Model 1.onnx' --name model_1 --untrained --repository "
        f"{artifact.directory.parent} (add the folder of 'Model 1.onnx', --labels if you gave "
        "them, your --input-spec)"
    )


def test_import_without_a_spec_assumes_imagenet_and_says_so(
    imported: Import, steps: list[str]
) -> None:
    manifest = imported(Foreign().model(), spec=None).manifest

    assert manifest.input == InputSpec(size=SIZE, resize=18)
    assert manifest.weights.input_spec_source == ASSUMED
    assert (
        "preprocess: bilinear, assumed: ImageNet's mean and standard deviation; to change it: "
        "--input-spec"
    ) in steps


def test_import_of_bytes_has_no_mean_of_its_own(imported: Import, steps: list[str]) -> None:
    manifest = imported(Foreign(uint8=True).model()).manifest

    assert manifest.input.mean == (0.0, 0.0, 0.0)
    assert manifest.input.std == (1.0, 1.0, 1.0)
    assert manifest.input.resize == SPEC.resize
    assert any("takes bytes" in step for step in steps)


def test_import_of_bytes_assumes_no_mean(imported: Import, steps: list[str]) -> None:
    imported(Foreign(uint8=True).model(), spec=None)

    assert "preprocess: bilinear, assumed; to change it: --input-spec" in steps
    assert not any("ImageNet's mean" in step for step in steps)


def test_import_of_an_output_named_logits_says_it_once(imported: Import, steps: list[str]) -> None:
    model = Foreign().model()
    model.graph.output[0].name = model.graph.node[-1].output[0] = "logits"
    imported(model)

    assert "output: logits, 6 classes" in steps


def test_import_takes_the_one_output_that_is_a_classifiers(imported: Import) -> None:
    artifact = imported(add_output(Foreign().model(), "maps", ["batch", 8, 7, 7]))

    written = onnx.load(artifact.path("model.onnx"))
    assert [port.name for port in written.graph.output] == ["logits"]


def test_import_of_a_graph_with_names_of_ours(imported: Import) -> None:
    model = Foreign().model()
    for node in model.graph.node:
        node.input[:] = ["pixels" if name == "images" else name for name in node.input]
        node.output[:] = ["logits" if name == "maps" else name for name in node.output]
        node.input[:] = ["logits" if name == "maps" else name for name in node.input]
    model.graph.input[0].name = "pixels"

    engine = open_engine(imported(model), threads=1)

    assert engine.infer(varied_pictures(2, SIZE, 1)).shape == (2, CLASSES)
    engine.close()


def test_import_drops_what_the_exporter_noted(imported: Import) -> None:
    model = Foreign().model()
    for node in model.graph.node:
        node.doc_string = "File /home/somebody/net.py, line 7"
        node.metadata_props.add(key="source", value="/home/somebody/net.py")

    artifact = imported(model)

    assert b"somebody" not in artifact.path("model.onnx").read_bytes()


def test_import_again_replaces_and_other_weights_are_refused(imported: Import) -> None:
    first = imported(Foreign().model())
    again = imported(Foreign().model(), labels=tuple("abcdef"))

    assert again.directory == first.directory
    assert read_artifact(first.directory).manifest.labels == tuple("abcdef")
    with pytest.raises(InputError, match=r"model_1-onnx-fp32 exists with other weights: Model 1"):
        imported(Foreign(seed=1).model())


def test_import_of_weights_beside_the_file(imported: Import, tmp_path: Path) -> None:
    onnx.save_model(
        Foreign().model(),
        tmp_path / "split.onnx",
        save_as_external_data=True,
        location="split.data",
        size_threshold=0,
    )

    artifact = import_onnx(
        tmp_path / "split.onnx", Wanted(spec=SPEC), repository=tmp_path, report=_unseen
    )

    whole = imported(Foreign().model())
    pixels = varied_pictures(3, SIZE, 1)
    engines = [open_engine(made, threads=1) for made in (artifact, whole)]
    np.testing.assert_array_equal(engines[0].infer(pixels), engines[1].infer(pixels))
    assert artifact.manifest.weights.sha256 != whole.manifest.weights.sha256
    assert set(artifact.manifest.files) == {"model.onnx", "reference.npz"}
    json.loads((artifact.directory / "manifest.json").read_text())
    for engine in engines:
        engine.close()
