"""The commands one after the other, with a checkpoint of one's own, as a user would run them."""

import json
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import cli
from models import create
from tests.service.client import png
from tests.service.process import ServiceProcess

NETWORK = "shufflenet_v2_x0_5"
INPUT = 'size = 64\nresize = 72\ninterpolation = "bicubic"\nmean = [0.5, 0.5, 0.5]\n'
Stride = Callable[..., Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with seven classes, its labels and preprocessing, and three pictures."""
    folder = tmp_path_factory.mktemp("work")
    torch.manual_seed(0)
    save_file(create(NETWORK, num_classes=7).state_dict(), folder / "mine.safetensors")
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    (folder / "labels.txt").write_text("\n".join(days) + "\n")
    (folder / "input.toml").write_text(INPUT)
    (folder / "photo.png").write_bytes(png(1, 80))
    (folder / "broken.png").write_bytes(png(1, 80)[:300])
    return folder


@pytest.fixture
def stride(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Stride:
    """Runs a command line in the folder; the exit code must be as said; gives what it printed."""
    monkeypatch.chdir(folder)

    def run(*arguments: str, code: int = 0) -> str:
        assert cli.run(list(arguments)) == code, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.fixture(scope="module")
def exported(folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        arguments = f"export {NETWORK} --weights mine.safetensors --labels labels.txt"
        options = "--input-spec input.toml --name days --quiet"
        printed = StringIO()
        with redirect_stdout(printed), redirect_stderr(printed):
            assert cli.run([*arguments.split(), *options.split()]) == 0, printed.getvalue()
        assert printed.getvalue() == ""
    return folder / "artifacts" / "days-onnx-fp32"


@pytest.fixture(scope="module")
def service(exported: Path) -> Iterator[ServiceProcess]:
    service = ServiceProcess(exported.parent, "--drain-delay", "0").wait_until_ready()
    yield service
    assert service.stop() == 0, service.text


def test_export_writes_what_the_checkpoint_says(exported: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())

    assert manifest["labels"][0] == "monday"
    assert len(manifest["labels"]) == 7
    assert manifest["input"]["size"] == 64
    assert manifest["input"]["mean"] == [0.5, 0.5, 0.5]
    assert manifest["weights"]["trained"] is True
    assert manifest["weights"]["source"].endswith("mine.safetensors")
    assert manifest["network"] == NETWORK


def test_models_lists_networks_and_what_is_exported(stride: Stride, exported: Path) -> None:
    networks = {row["network"]: row for row in json.loads(stride("models", "--json"))["networks"]}

    assert len(networks) == 24
    assert networks[NETWORK]["parameters"] == 1_366_792
    assert networks[NETWORK]["macs"] == 40_476_448
    assert networks[NETWORK]["exported"] == [{"id": exported.name, "trained": True}]


def test_verify_replays_the_golden_pictures(stride: Stride, exported: Path) -> None:
    assert "yes" in stride("verify", exported.name)
    report = json.loads(stride("verify", str(exported), "--json"))["artifacts"][0]
    assert report["holds"] is True
    assert report["replayed"][0]["runtime"] == "onnxruntime"


def test_classify_here_and_over_http_agree(
    stride: Stride, exported: Path, service: ServiceProcess
) -> None:
    here = json.loads(stride("classify", "photo.png", "--json"))["images"][0]
    there = json.loads(stride("classify", "photo.png", "--url", service.url, "--json"))["images"][0]

    assert here["model"] == there["model"] == exported.name
    for mine, theirs in zip(here["predictions"], there["predictions"], strict=True):
        assert mine["label"] == theirs["label"]
        assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-5)


def test_classify_goes_on_after_a_broken_picture(
    exported: Path, service: ServiceProcess, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(folder)
    for where in ([], ["--url", service.url]):
        assert cli.run(["classify", "broken.png", "photo.png", "absent.png", *where]) == 2

        captured = capsys.readouterr()
        assert "day" in captured.out
        assert "error: broken.png: " in captured.err
        assert "broken PNG" in captured.err
        assert "error: absent.png: cannot be read: No such file" in captured.err


def test_names_and_addresses_may_be_short(
    stride: Stride, exported: Path, service: ServiceProcess
) -> None:
    """The plain name where one artifact has it, and an address without `http://`."""
    assert exported.name in stride("verify", "days")
    for where in (("--model", "days"), ("--url", service.url.removeprefix("http://"))):
        output = json.loads(stride("classify", "photo.png", *where, "--json"))
        assert output["images"][0]["model"] == exported.name


def test_export_other_weights_under_the_same_name_is_refused(
    stride: Stride, exported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (NETWORK, "--weights", "untrained", "--name", "days", "--input-spec", "input.toml")

    assert cli.run(["export", *arguments]) == 2

    assert "days-onnx-fp32 exists with other weights" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param("resnet18 mobilnet_v2", "did you mean mobilenet_v2?", id="unknown-network"),
        pytest.param(f"{NETWORK} --weights absent.pth", "absent.pth", id="no-checkpoint"),
        pytest.param(f"{NETWORK} --weights photo.png", ".safetensors", id="no-checkpoint-file"),
        pytest.param(f"{NETWORK} --format coreml", "expected one of onnx, torch", id="format"),
        pytest.param(f"{NETWORK} --precision fp8", "expected one of fp32", id="precision"),
        pytest.param("resnet18 resnet50 --name both", "is for one network", id="name-for-two"),
        pytest.param(
            "mobilenet_v2 --weights mine.safetensors", "the checkpoint is not of mobilenet_v2",
            id="checkpoint-of-another-network",
        ),
    ],
)  # fmt: skip
def test_export_refuses_with_a_message(
    stride: Stride, capsys: pytest.CaptureFixture[str], arguments: str, message: str
) -> None:
    assert cli.run(["export", *arguments.split()]) == 2

    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--name", "No Name"], "artifact name 'No Name': expected", id="name"),
        pytest.param(["--name", ""], "artifact name '': expected", id="empty-name"),
        pytest.param(["--labels", "absent.txt"], "absent.txt cannot be read", id="labels"),
        pytest.param(["--labels", "labels.txt"], "7 labels for 1000 classes", id="labels-count"),
        pytest.param(["--input-spec", "absent.toml"], "absent.toml cannot be read", id="spec"),
        pytest.param(["--input-spec", "labels.txt"], "labels.txt is not TOML", id="no-spec"),
        pytest.param(["--format", ""], "--format '' names nothing", id="no-format"),
        pytest.param(["--precision", " , "], "--precision ' , ' names nothing", id="no-precision"),
    ],
)
def test_export_refuses_before_any_weights_are_asked_for(
    stride: Stride, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("STRIDE_CACHE", str(tmp_path / "cache"))

    assert cli.run(["export", NETWORK, *arguments]) == 2

    assert message in capsys.readouterr().err
    assert not (tmp_path / "cache").exists()


def test_export_untrained_is_marked_in_the_list(
    stride: Stride, exported: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = f"export {NETWORK} --weights untrained --input-spec input.toml --format torch"
    # Brackets are no markup, neither in what is printed on the way nor in a table.
    repository = folder / "artifacts" / "[/b]"

    assert cli.run([*arguments.split(), "--repository", str(repository)]) == 0

    shown = capsys.readouterr()
    assert f"load: weights that never learnt of {NETWORK}\n" in shown.err
    assert "preprocess: to 64 x 64 pixels, bicubic, as --input-spec says\n" in shown.err
    assert f"write: {repository}/{NETWORK}-torch-fp32\n" in shown.err
    assert "UNTRAINED" in shown.out
    listed = stride("models", "--repository", str(repository))
    assert f"  {NETWORK}-torch-fp32  (untrained)\n" in listed
    assert "2.28 M     145 M" in listed
