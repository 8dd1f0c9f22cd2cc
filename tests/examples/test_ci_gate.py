"""The start-gate-stop script as a pipeline runs it, and the files that call it."""

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.service.process import STRIDE
from tests.tiny import write_tiny

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "ci"
LOAD = ("--concurrency", "2", "--seconds", "0.3", "--warm-up", "0.1", "--batch-sizes", "1")
SERVE = "--repository {}/artifacts --model tiny:runtime=null"


def start_gate(
    folder: Path, *arguments: str, serve: str = "", wait: str = "60"
) -> subprocess.Popen[str]:
    environment = os.environ | {
        "STRIDE": STRIDE,
        "STRIDE_SERVE": serve or SERVE.format(folder),
        "STRIDE_GATE_LOGS": str(folder / "logs"),
        "STRIDE_GATE_WAIT": wait,
    }
    return subprocess.Popen(
        [str(EXAMPLE / "gate.sh"), *arguments], env=environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def cancel(process: subprocess.Popen[str]) -> None:
    """In the middle of its load test, when one of two points is measured."""
    assert process.stdout is not None
    for line in process.stdout:
        if "1 connection: " in line:
            break
    process.send_signal(signal.SIGTERM)


def has_ended(logs: Path) -> bool:
    """The service said so itself, after its signal."""
    return "signal=SIGTERM" in (logs / "serve.log").read_text()


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int, str]]:
    """Folder, exit code and output of each; at once, since each of them mostly waits."""
    started = {}
    for name, arguments in {
        "kept": (*LOAD, "--invalid", "--slo", "p50=60s,errors=0"),
        "broken": (*LOAD, "--invalid", "--slo", "p50=1us,errors=0"),
    }.items():
        folder = tmp_path_factory.mktemp(name)
        write_tiny(folder / "artifacts")
        serve = f"{SERVE.format(folder)} --log-format json" if name == "broken" else ""
        started[name] = folder, start_gate(folder, *arguments, serve=serve)
    folder = tmp_path_factory.mktemp("absent")
    started["absent"] = folder, start_gate(folder, serve=f"--repository {folder / 'nothing'}")
    folder = tmp_path_factory.mktemp("wait")
    started["wait"] = folder, start_gate(folder, wait="soon")
    folder = tmp_path_factory.mktemp("cancelled")
    write_tiny(folder / "artifacts")
    (folder / "long.toml").write_text(
        "[[point]]\nconcurrency = 1\nseconds = 0.2\nwarm_up = 0\n"
        "[[point]]\nrate = 10\nseconds = 600\n"
    )
    started["cancelled"] = folder, start_gate(folder, "--scenario", str(folder / "long.toml"))
    cancel(started["cancelled"][1])
    found = {}
    for name, (folder, process) in started.items():
        output, errors = process.communicate(timeout=120)
        found[name] = folder / "logs", process.returncode, output + errors
    return found


@pytest.mark.parametrize(
    ("gate", "code", "told"),
    [
        pytest.param("kept", 0, "the SLO is kept\n", id="kept"),
        pytest.param("broken", 1, "over the bound of 1us", id="broken"),
        pytest.param("absent", 3, "gate: the service has ended", id="no-service"),
        pytest.param("wait", 2, "'soon', expected whole seconds", id="no-number-of-seconds"),
        pytest.param("cancelled", 143, "", id="cancelled"),
    ],
)
def test_exit_code_is_the_gates(
    gates: dict[str, tuple[Path, int, str]], gate: str, code: int, told: str
) -> None:
    _, found, output = gates[gate]

    assert found == code, output
    assert told in output


@pytest.mark.parametrize("gate", ["kept", "broken", "cancelled"])
def test_service_is_stopped_and_logs_are_left(
    gates: dict[str, tuple[Path, int, str]], gate: str
) -> None:
    logs, _, _ = gates[gate]

    assert has_ended(logs)
    assert "images/s" in (logs / "loadtest.log").read_text()
    assert len(list(logs.glob("*.jsonl"))) == 1


def test_load_test_of_a_cancelled_gate_tells_what_it_measured(
    gates: dict[str, tuple[Path, int, str]],
) -> None:
    logs, _, _ = gates["cancelled"]

    told = (logs / "loadtest.log").read_text()
    assert "ended early: 1 of 2 are measured and kept" in told
    assert "1 connection, milliseconds" in told
    assert "interrupted" in told
    assert "Traceback" not in told


@pytest.mark.parametrize("name", ["github-workflow.yml", "gitlab-ci.yml"])
def test_pipelines_call_the_script_with_files_that_exist(name: str) -> None:
    text = (EXAMPLE / name).read_text()

    assert yaml.safe_load(text)
    (command,) = re.findall(r"examples/ci/gate.sh .*", text)
    scenario = re.findall(r"--scenario (\S+)", command)
    assert all((EXAMPLE.parents[1] / path).is_file() for path in scenario)
    assert "stride export" in text
    assert "gate-logs/" in text
