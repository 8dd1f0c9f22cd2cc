"""A checkpoint of one's own through every precision and over HTTP, as a user would do it."""

import json
from pathlib import Path

import pytest
from safetensors.torch import save_file

import cli
from inference.artifact import read_artifact, rebuild_command
from measuring.processor import processor
from models import create
from models.untrained import calibrate
from tests.doubles.install import install_doubles
from tests.service.client import png
from tests.service.process import ServiceProcess

NETWORK, CLASSES, SIZE = "shufflenet_v2_x0_5", 10, 64
HAS_BFLOAT16 = not {"avx512_bf16", "amx_bf16", "bf16"}.isdisjoint(processor().features)
PRECISIONS = ("fp32", "fp16", *(("bf16",) if HAS_BFLOAT16 else ()), "int8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with ten classes that tells pictures apart, and pictures to calibrate on."""
    folder = tmp_path_factory.mktemp("work")
    network = create(NETWORK, CLASSES).eval()
    calibrate(network, SIZE)
    save_file(network.state_dict(), folder / "mine.safetensors")
    (folder / "input.toml").write_text(f"size = {SIZE}\nresize = {SIZE}\n")
    pictures = folder / "pictures"
    pictures.mkdir()
    for number in range(3):
        (pictures / f"{number}.png").write_bytes(png(number, 80))
    (folder / "empty").mkdir()
    (pictures / "broken.png").write_bytes(png(9, 80)[:200])
    return folder


def test_checkpoint_goes_through_every_precision_and_serves(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    options = "--weights mine.safetensors --input-spec input.toml --calibration pictures --json"
    order = ["export", NETWORK, "--precision", ",".join(PRECISIONS), *options.split()]
    assert cli.run([*order, "--runtime", "auto"]) == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    ids = [f"{NETWORK}-onnx-{precision}" for precision in PRECISIONS]
    assert [artifact["id"] for artifact in document["artifacts"]] == ids
    assert document["failed"] == []
    assert {t["way"]["artifact"] for m in document["measured"] for t in m["timings"]} == set(ids)
    assert len(list((folder / "profiles").glob("*.json"))) == 1
    assert "broken.png" in printed.err
    int8 = json.loads((folder / "artifacts" / ids[-1] / "manifest.json").read_text())
    assert int8["calibration"].startswith("3 of pictures and ")

    service = ServiceProcess(folder / "artifacts", "--drain-delay", "0").wait_until_ready()
    answers = {
        id_: service.client.post(f"/v1/classify?model={id_}&k=10", png(1, 80)).json for id_ in ids
    }
    assert service.stop() == 0, service.text
    for id_, answer in answers.items():
        assert answer["model"] == id_
        assert len(answer["predictions"]) == CLASSES
    tops = {answer["predictions"][0]["index"] for answer in answers.values()}
    assert len(tops) == 1


def test_precision_that_cannot_be_made_does_not_keep_the_others_from_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    options = "--weights mine.safetensors --input-spec input.toml --repository others"
    order = ["export", NETWORK, "--format", "tensorrt,torch", *options.split()]
    assert cli.run(order) == 3
    printed = capsys.readouterr().err
    assert "a TensorRT plan cannot be built here" in printed
    assert "export: " not in printed
    assert [path.name for path in (folder / "others").iterdir()] == [f"{NETWORK}-torch-fp32"]


def test_plan_is_built_as_the_options_say(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("STRIDE_CACHE", str(folder / "cache"))
    install_doubles(monkeypatch, 11)
    given = "--version-compatible --hardware-compatible ampere_plus"
    options = f"--weights mine.safetensors --input-spec input.toml --repository plans {given}"
    order = ["export", NETWORK, "--format", "tensorrt", "--max-batch", "4", *options.split()]
    assert cli.run(order) == 0, capsys.readouterr().err
    artifact = read_artifact(folder / "plans" / f"{NETWORK}-tensorrt-fp32")
    built = json.loads(artifact.path("model.plan").read_bytes().partition(b"\n")[0])
    assert built["profile"] == [[n, SIZE, SIZE, 3] for n in (1, 4, 4)]
    assert built["flags"] == ["VERSION_COMPATIBLE"]
    assert "gpu" not in artifact.manifest.bound_to
    assert artifact.manifest.bound_to["compute_capability"] == ">=8.0"
    again = rebuild_command(artifact)
    assert f" {given} " in again
    assert "--max-batch if you gave it" in again


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param("--calibration nowhere --precision int8", "is no folder", id="no-folder"),
        pytest.param("--calibration pictures", "is for int8, received", id="not-int8"),
        pytest.param("--format torch --precision int8", "'int8' of format torch", id="torch-int8"),
        pytest.param("--precision fp8", "'fp8' of format onnx: expected one of", id="fp8"),
        pytest.param(
            "--max-batch 4 --version-compatible",
            "--max-batch and --version-compatible: for TensorRT plans, received --format onnx",
            id="no-plan",
        ),
        pytest.param("--calibration empty --precision int8", "empty has no pictures", id="empty"),
        pytest.param(
            "--format tensorrt --max-batch 257",
            "--max-batch 257: a TensorRT plan",
            id="large-batch",
        ),
    ],
)
def test_export_refuses_options_that_contradict_each_other(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: str,
    told: str,
) -> None:
    monkeypatch.chdir(folder)
    assert cli.run(["export", NETWORK, "--weights", "untrained", *options.split()]) == 2
    printed = capsys.readouterr().err
    assert told in printed
    assert "load: " not in printed
