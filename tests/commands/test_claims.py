"""`stride claims`, `operators` and `roofline` at the command line: what needs no measuring."""

import json
from pathlib import Path

import pytest

from cli import run
from measuring.record import write_measurements


@pytest.fixture
def nothing_measured(tmp_path: Path) -> str:
    path = tmp_path / "none.jsonl"
    write_measurements(path, [])
    return str(path)


def test_every_claim_has_a_verdict_even_without_measurements(
    nothing_measured: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["claims", "--records", nothing_measured, "--json"])

    claims = json.loads(capsys.readouterr().out)["claims"]
    assert code == 0
    assert [claim["claim"] for claim in claims] == list(range(1, 19))
    assert {claim["verdict"] for claim in claims} <= {"confirmed", "refuted", "undecided"}
    assert claims[0]["verdict"] == "confirmed"
    assert claims[5]["findings"][0]["reason"].endswith("stride claims 6 --device cuda")


def test_one_claim_is_printed_with_its_numbers_and_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(["claims", "1", "--output", str(tmp_path / "claims.jsonl")])

    printed = capsys.readouterr().out
    assert code == 0
    for part in ("1. Worked example: confirmed", "1,228,800", "53,952", "stride claims 1"):
        assert part in printed


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["claims", "19"], "claim '19': expected numbers from 1 to 18", id="no-claim"),
        pytest.param(["claims", "two"], "claim 'two': expected numbers", id="no-number"),
        pytest.param(
            ["claims", "--weights", "resnet50"],
            "--weights 'resnet50': expected NETWORK=FILE",
            id="weights-without-a-file",
        ),
        pytest.param(
            ["claims", "12", "--weights", "resnet18=nowhere.pth"], "nowhere.pth", id="no-such-file"
        ),
        pytest.param(["claims", "--records", "nowhere.jsonl"], "does not exist", id="no-records"),
        pytest.param(["roofline", "resnet51"], "unknown network 'resnet51'", id="no-network"),
        pytest.param(["roofline", "--threads", "0"], "0 is not in the range", id="no-threads"),
    ],
)
def test_mistake_is_told(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)

    assert run(arguments) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("command", ["operators", "roofline", "claims"])
def test_device_that_is_not_there_is_missing(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)

    assert run([command, "--device", "cuda"]) == 3
    assert "finds no GPU" in capsys.readouterr().err
