import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from exporters.export import export
from exporters.source import Source, silent
from inference.artifact import Artifact, describe, read_artifact
from inference.choice import choose
from inference.errors import ParityError, RuntimeMissingError
from inference.manifest import write_manifest
from inference.open_engine import open_engine
from inference.verify_artifact import verify_artifact
from measuring.errors import InputError
from models import Loaded, create

NETWORK, SIZE, CLASSES = "shufflenet_v2_x0_5", 32, 20

Load = Callable[..., Loaded]
Vary = Callable[[nn.Module, int], None]


@pytest.fixture(scope="module")
def shufflenet(load_as: Load, vary: Vary) -> Loaded:
    torch.manual_seed(0)
    network = create(NETWORK, CLASSES).eval()
    vary(network, 3)
    return load_as(network, SIZE, CLASSES)


def export_torch(loaded: Loaded, repository: Path, **options: Any) -> Artifact:
    report = options.pop("report", silent)
    settings: dict[str, Any] = {
        "artifact_name": "net",
        "format": "torch",
        "precision": "fp32",
        "repository": repository,
    }
    return export(Source(loaded, NETWORK, report=report), **{**settings, **options})


def test_export_onnx_is_whole_and_verified(
    tiny_network: nn.Module, load_as: Load, tmp_path: Path
) -> None:
    steps: list[str] = []
    loaded = load_as(tiny_network, 16, 6)
    artifact = export_torch(loaded, tmp_path, format="onnx", report=steps.append)
    manifest = artifact.manifest
    assert artifact.directory == tmp_path / "net-onnx-fp32"
    assert set(manifest.files) == {"model.onnx", "reference.npz"}
    assert [path.name for path in tmp_path.iterdir()] == ["net-onnx-fp32"]
    assert manifest.cost.parameters == sum(p.numel() for p in tiny_network.parameters())
    assert {"python", "torch", "onnx", "onnxruntime"} <= set(manifest.tools)
    assert all(parity.holds for parity in (*manifest.parity, manifest.variants[0].parity))
    assert [step.partition(":")[0] for step in steps] == (
        ["export", *["open", "verify"] * 3, "write"]
    )
    assert steps[0].startswith(f"export: {NETWORK}, rewritten by fold_batch_norms")
    assert verify_artifact(artifact.directory).holds


def test_export_records_how_it_answers_photographs(shufflenet: Loaded, tmp_path: Path) -> None:
    manifest = export_torch(shufflenet, tmp_path).manifest
    rows = {parity.reference: parity for parity in manifest.parity}
    for precision in ("float32", "float64"):
        row = rows[f"original in {precision}, photographs"]
        assert row.holds
        assert row.images == 9


def test_export_without_photographs_says_so_and_goes_on(
    shufflenet: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for package in ("skimage", "sklearn"):
        monkeypatch.setitem(sys.modules, package, None)
    steps: list[str] = []
    manifest = export_torch(shufflenet, tmp_path, report=steps.append).manifest
    assert "verify: no photographs at hand; get some with: pip install 'stride[demo]'" in steps
    assert not [parity for parity in manifest.parity if "photographs" in parity.reference]


def test_export_torch_keeps_the_published_keys(shufflenet: Loaded, tmp_path: Path) -> None:
    artifact = export_torch(shufflenet, tmp_path)
    state = load_file(artifact.path("model.safetensors"))
    assert set(state) == set(shufflenet.network.state_dict())
    engine = open_engine(artifact, threads=1)
    assert engine.name == "torch cpu fp32"
    engine.close()


def test_export_same_weights_again_replace_the_older(shufflenet: Loaded, tmp_path: Path) -> None:
    first = export_torch(shufflenet, tmp_path)
    (first.directory / "left over").touch()
    second = export_torch(shufflenet, tmp_path)
    assert second.directory == first.directory
    assert sorted(path.name for path in second.directory.iterdir()) == (
        ["manifest.json", "model.safetensors", "reference.npz"]
    )


def test_export_other_weights_under_the_same_id_are_refused(
    shufflenet: Loaded, tmp_path: Path
) -> None:
    before = export_torch(shufflenet, tmp_path).manifest
    other = replace(shufflenet, sha256="b" * 64, source="mine.pth")
    told = r"net-torch-fp32 exists with other weights: untrained \(SHA-256 aaaa.*mine\.pth.*--name"
    with pytest.raises(InputError, match=told):
        export_torch(other, tmp_path)
    with pytest.raises(
        InputError, match=r"untrained weights are made for the --input-spec: .*--na"
    ):
        export_torch(replace(shufflenet, sha256="b" * 64), tmp_path)
    assert read_artifact(tmp_path / "net-torch-fp32").manifest == before
    assert export_torch(other, tmp_path, artifact_name="mine").manifest.id == "mine-torch-fp32"


def test_export_a_directory_that_is_no_artifact_is_not_touched(
    shufflenet: Loaded, tmp_path: Path
) -> None:
    precious = tmp_path / "net-torch-fp32" / "thesis.txt"
    precious.parent.mkdir()
    precious.touch()
    with pytest.raises(InputError, match="exists and is no artifact; move it away"):
        export_torch(shufflenet, tmp_path)
    assert precious.exists()


def test_export_a_damaged_manifest_is_replaced(shufflenet: Loaded, tmp_path: Path) -> None:
    directory = export_torch(shufflenet, tmp_path).directory
    (directory / "manifest.json").write_text("{")
    assert read_artifact(export_torch(shufflenet, tmp_path).directory).manifest.id


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"artifact_name": "../up"}, "artifact name '../up'", id="name"),
        pytest.param(
            {"format": "coreml"},
            "'coreml': expected one of onnx, torch, aoti, tensorrt",
            id="format",
        ),
        pytest.param({"precision": "int8"}, "'int8' of format torch: expected one", id="precision"),
    ],
)
def test_export_refuses_what_it_cannot_make(
    shufflenet: Loaded, tmp_path: Path, options: dict[str, str], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        export_torch(shufflenet, tmp_path / "repository", **options)
    assert not (tmp_path / "repository").exists()


def test_export_labels_must_be_as_many_as_the_answers(shufflenet: Loaded, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"answers \(16, 20\) .* 2 labels.*--labels"):
        export_torch(replace(shufflenet, labels=("cat", "dog")), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_export_weights_that_give_nan_are_refused(load_as: Load, tmp_path: Path) -> None:
    network = create(NETWORK, CLASSES).eval()
    nn.init.constant_(network.get_parameter("fc.bias"), float("nan"))
    with pytest.raises(InputError, match="logits that are not finite"):
        export_torch(load_as(network, SIZE, CLASSES), tmp_path)


class AnswersOtherwiseWhenExported(nn.Module):
    """What a faulty exporter would do, done on purpose."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.network(images)
        return logits * 1.01 if torch.compiler.is_exporting() else logits


def test_export_that_answers_differently_leaves_nothing_behind(
    tiny_network: nn.Module, load_as: Load, tmp_path: Path
) -> None:
    loaded = load_as(AnswersOtherwiseWhenExported(tiny_network), 16, 6)
    with pytest.raises(
        ParityError, match="net-onnx-fp32 on onnxruntime cpu fp32 does not answer as"
    ):
        export_torch(loaded, tmp_path, format="onnx")
    assert list(tmp_path.iterdir()) == []


def test_export_tampered_weights_with_a_fixed_checksum_never_become_an_engine(
    shufflenet: Loaded, tmp_path: Path
) -> None:
    artifact = export_torch(shufflenet, tmp_path)
    path = artifact.path("model.safetensors")
    state = load_file(path)
    state["fc.weight"][3] *= 1.01
    save_file(state, path)
    files = {**artifact.manifest.files, path.name: describe(path)}
    write_manifest(artifact.directory, replace(artifact.manifest, files=files))
    with pytest.raises(ParityError, match=r"net-torch-fp32 on torch cpu fp32 .*changed weights"):
        open_engine(read_artifact(artifact.directory), threads=1)


def test_export_manifest_is_plain_json(shufflenet: Loaded, tmp_path: Path) -> None:
    artifact = export_torch(shufflenet, tmp_path)
    document = json.loads((artifact.directory / "manifest.json").read_text())
    assert document["weights"]["sha256"] == "a" * 64
    assert document["variants"][0]["runtimes"] == ["torch"]
    assert str(tmp_path) not in json.dumps(document)


def test_export_writes_a_file_for_each_runtime_where_rewrites_differ(
    shufflenet: Loaded, tmp_path: Path
) -> None:
    manifest = export_torch(shufflenet, tmp_path, format="onnx").manifest
    assert set(manifest.files) == {"model.onnx", "openvino.onnx", "gpu.onnx", "reference.npz"}
    rewrites = {variant.file: variant.rewrites for variant in manifest.variants}
    assert "shuffle_free_aligned" in rewrites["model.onnx"]
    assert "shuffle_free" in rewrites["openvino.onnx"]
    assert rewrites["gpu.onnx"] == ("fold_batch_norms", "pool_by_rows")
    assert choose(read_artifact(tmp_path / "net-onnx-fp32")).variant.file == "model.onnx"


def test_export_without_a_runtime_leaves_its_file_out_and_says_so(
    shufflenet: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inference.openvino_engine", None)
    steps: list[str] = []
    manifest = export_torch(shufflenet, tmp_path, format="onnx", report=steps.append).manifest
    assert set(manifest.files) == {"model.onnx", "gpu.onnx", "reference.npz"}
    assert {variant.runtimes for variant in manifest.variants} == {("onnxruntime",)}
    (told,) = [step for step in steps if step.startswith("leave out: openvino.onnx")]
    assert 'pip install "stride[openvino]"' in told
    assert verify_artifact(tmp_path / "net-onnx-fp32").holds


def test_export_that_nothing_here_can_run_is_refused(
    shufflenet: Loaded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "inference.openvino_engine", None)
    with pytest.raises(RuntimeMissingError, match=r"openvino cannot be used.*stride\[openvino\]"):
        export_torch(shufflenet, tmp_path, format="onnx", precision="bf16")
    assert list(tmp_path.iterdir()) == []
