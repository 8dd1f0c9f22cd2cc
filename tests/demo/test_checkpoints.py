"""Which weights the demo takes, and that it says so."""

import sys
from pathlib import Path

import pytest

from demo import checkpoints
from demo.checkpoints import NETWORKS, REQUESTS, Prepared, prepare
from demo.command import Command
from demo.pictures import PHOTOGRAPHS
from demo.screen import Screen
from measuring.errors import CheckError, MissingError
from measuring.percentiles import CLAIMS, least_count
from tests.demo.trained_before import write_checkpoint, write_trained_before


def ending_with(monkeypatch: pytest.MonkeyPatch, code: int, *, only_for: str = "") -> None:
    """Make `stride` a program that ends with this code, for all or for some weights."""

    def stride(*arguments: object) -> Command:
        ends_with = code if only_for in arguments or not only_for else 0
        words = ("-c", f"raise SystemExit({ends_with})", *map(str, arguments))
        return Command("stride", sys.executable, words)

    monkeypatch.setattr(checkpoints, "stride", stride)


def train_with(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str) -> None:
    """Put a script in the place of the digits example."""
    script = tmp_path / "train.py"
    script.write_text(code)
    monkeypatch.setattr(checkpoints, "TRAINER", script)


def prepared(weights: str, directory: Path) -> Prepared:
    return prepare(weights, directory, Screen())


def test_requests_are_enough_for_a_p99() -> None:
    assert least_count(CLAIMS["p99"]) <= REQUESTS


@pytest.mark.parametrize("weights", ["pretrained", "untrained", "auto"])
def test_imagenet_weights_are_asked_photographs(
    weights: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending_with(monkeypatch, 0)

    result = prepared(weights, tmp_path)

    assert result.kind == ("pretrained" if weights == "auto" else weights)
    assert result.repository == tmp_path / result.kind / "artifacts"
    assert result.models[0] == "fasternet_t0-onnx-fp32"
    assert REQUESTS <= len(result.pictures) < REQUESTS + len(PHOTOGRAPHS)
    assert {picture.label for picture in result.pictures} == {None}


def test_auto_falls_back_to_digits_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    ending_with(monkeypatch, 3, only_for="pretrained")
    write_trained_before(tmp_path / "digits", pictures=10)

    result = prepared("auto", tmp_path)

    assert (result.kind, len(result.pictures)) == ("digits", 10)
    assert "The published weights cannot be had" in (shown := capfd.readouterr().err)
    assert "the networks learn handwritten digits here" in shown


def test_pretrained_does_not_fall_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ending_with(monkeypatch, 3)

    with pytest.raises(MissingError, match="the pretrained weights cannot be had"):
        prepared("pretrained", tmp_path)


def test_auto_does_not_hide_a_failed_export(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending_with(monkeypatch, 1)

    with pytest.raises(CheckError, match="ended with exit code 1"):
        prepared("auto", tmp_path)


def test_digits_trains_only_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending_with(monkeypatch, 0)
    train_with(monkeypatch, tmp_path, "import pathlib, sys; pathlib.Path(sys.argv[-3], 'asked')"
               ".write_text(' '.join(sys.argv[1:-4]))")  # fmt: skip
    digits = tmp_path / "digits"
    write_trained_before(digits, pictures=10)
    write_checkpoint(digits / "mobilenet_v2.safetensors", network="mobilenet_v2", seed=7)
    (digits / "fasternet_t0.safetensors").unlink()
    for network in NETWORKS:
        (digits / "artifacts" / f"{network}-onnx-fp32").mkdir(parents=True)

    prepared("digits", tmp_path)

    assert (digits / "asked").read_text() == "fasternet_t0 mobilenet_v2"
    # The artifacts of checkpoints that were replaced are gone, the others stay.
    assert [path.name for path in (digits / "artifacts").iterdir()] == [
        "shufflenet_v2_x1_0-onnx-fp32"
    ]


def test_digits_whose_training_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    train_with(monkeypatch, tmp_path, "raise SystemExit(4)")

    with pytest.raises(CheckError, match=r"train\.py .* ended with exit code 4"):
        prepared("digits", tmp_path)


def test_digits_needs_a_source_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "TRAINER", tmp_path / "train.py")

    with pytest.raises(MissingError, match="the digits demo runs from a source checkout"):
        prepared("digits", tmp_path)


def test_trainer_is_where_the_demo_looks_for_it() -> None:
    assert checkpoints.TRAINER.is_file()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\xff" * 40, id="no-header"),
        pytest.param((2).to_bytes(8, "little") + b"{}", id="no-facts"),
        pytest.param((2).to_bytes(8, "little") + b"[]", id="no-table"),
    ],
)
def test_damaged_checkpoint_is_trained_anew(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "fasternet_t0.safetensors"
    path.write_bytes(content)

    assert not checkpoints._was_trained(path, "fasternet_t0")
