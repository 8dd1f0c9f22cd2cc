"""The whole demo with a stand-in for `stride`: what is printed, what is kept, how it ends."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
import urllib3

from demo import checkpoints, run
from demo.checkpoints import NETWORKS
from demo.command import Command
from demo.run import DemoOptions
from measuring.errors import CheckError
from tests.demo import stand_in_stride
from tests.demo.trained_before import write_trained_before

STAND_IN = Path(stand_in_stride.__file__)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where an earlier run has trained, and `stride` is the stand-in."""

    def stride(*arguments: object) -> Command:
        return Command("stride", sys.executable, (str(STAND_IN), *map(str, arguments)))

    monkeypatch.setattr(checkpoints, "stride", stride)
    monkeypatch.setattr(run, "stride", stride)
    write_trained_before(tmp_path / "digits", pictures=20)
    return tmp_path


def document(capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(capfd.readouterr().out)
    return parsed


def test_run_ends_in_a_table_and_commands_to_try(
    directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run.run(DemoOptions(weights="digits", directory=directory))

    shown = capfd.readouterr()
    assert code == 0
    assert shown.out.count("100.0% (20)") == 3
    assert all(network in shown.out for network in NETWORKS)
    assert "What to try next" in shown.out
    assert f"/stand_in_stride.py serve --repository {directory}" in shown.out
    assert "$ stride" not in shown.out


def test_run_shows_each_command_on_standard_error(
    directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run.run(DemoOptions(weights="digits", directory=directory))

    shown = capfd.readouterr().err
    assert "are used again" in shown
    assert [line[:3] for line in shown.splitlines() if line[:1].isdigit()] == [
        "1. ", "2. ", "3. ", "4. ", "5. "
    ]  # fmt: skip
    assert shown.count(" export ") == shown.count(" --quiet\n") == 3
    models = " ".join(f"{network}-onnx-fp32" for network in NETWORKS)
    assert f" verify {models} --repository {directory}/digits/artifacts\n" in shown
    assert f"2> {directory}/digits/service.log" in shown


def test_run_with_json_prints_one_document_alone(
    directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run.run(DemoOptions(weights="digits", directory=directory, json=True))

    result = document(capfd)
    assert code == 0
    assert (result["weights"], result["concurrency"], result["pid"]) == ("digits", 8, None)
    assert [row["network"] for row in result["networks"]] == list(NETWORKS)
    first = result["networks"][0]
    assert (first["top1"], first["requests"], first["size"]) == (1.0, 20, 5_000_000)
    assert first["p99"] is None


def test_run_fails_when_answers_are_refused(
    directory: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STAND_IN_REFUSED", "mobilenet_v2-onnx-fp32")

    code = run.run(DemoOptions(weights="digits", directory=directory))

    assert code == 1
    assert (
        "mobilenet_v2-onnx-fp32: 20 of the requests failed: HTTP 503: queue full"
        in capfd.readouterr().err
    )


# It is left running on purpose, which the standard library warns of.
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
def test_run_with_keep_leaves_the_service_running(
    directory: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run.run(DemoOptions(weights="digits", directory=directory, json=True, keep=True))

    result = document(capfd)
    try:
        assert urllib3.request("GET", f"{result['url']}/readyz", timeout=10.0).status == 200
        assert result["next_steps"][0].startswith(f"kill {result['pid']} ")
    finally:
        os.kill(result["pid"], signal.SIGTERM)
        os.waitpid(result["pid"], 0)


@pytest.mark.parametrize("command", ["export", "verify"])
def test_run_stops_at_a_command_that_fails(
    directory: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv(f"STAND_IN_{command.upper()}", "1")

    with pytest.raises(CheckError, match=rf"{command} fasternet_t0.* ended with exit code 1; what"):
        run.run(DemoOptions(weights="digits", directory=directory))


def test_run_puts_the_signals_back(directory: Path) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)

    run.run(DemoOptions(weights="digits", directory=directory))

    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)) == before


def test_sigterm_leaves_as_an_error_does() -> None:
    with pytest.raises(SystemExit) as caught, run._ended_by_signals():
        signal.raise_signal(signal.SIGTERM)

    assert caught.value.code == 128 + signal.SIGTERM
