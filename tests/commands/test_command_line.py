import subprocess
import sys
from pathlib import Path

import pytest

import cli

HEAVY = ("torch", "numpy", "onnxruntime", "fastapi", "pydantic", "PIL", "rich", "urllib3")


def test_help_lists_the_commands_and_imports_nothing_heavy() -> None:
    code = (
        "import sys, cli\n"
        "code = cli.run(['--help'])\n"
        f"print(sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    for command in cli.COMMANDS:
        assert f"  {command} " in done.stdout
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([command, "--help"]) == 0

    text = capsys.readouterr().out
    assert f"Usage: stride {command}" in text
    assert len(text.splitlines()) > 8


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        pytest.param(["fly"], 2, "No such command 'fly'", id="unknown-command"),
        pytest.param(["export"], 2, "Missing argument 'NETWORK...'", id="nothing-to-export"),
        pytest.param(["serve", "--port", "70000"], 2, "--port", id="port-out-of-range"),
        pytest.param(["serve", "--model", "a/b"], 2, "no model id there", id="model-is-a-path"),
        pytest.param(["verify", "nobody"], 2, "no artifact 'nobody'", id="unknown-artifact"),
        pytest.param(
            ["serve", "--config", "absent.toml"], 2, "absent.toml cannot be read", id="no-config"
        ),
        pytest.param(
            ["classify", "x.png", "--url", "http://localhost:8000/v1/classify"], 2,
            "expected the address of a service and no path", id="address-with-a-path",
        ),
        pytest.param(
            ["classify", "x.png", "--url", "http://127.0.0.1:9"], 3, "no answer from",
            id="unreachable-service",
        ),
    ],
)  # fmt: skip
def test_mistake_ends_in_a_message_and_its_exit_code(
    arguments: list[str], code: int, message: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.png").write_bytes(b"x")

    assert cli.run(arguments) == code

    captured = capsys.readouterr()
    assert message in captured.err
    assert "Traceback" not in captured.err


def test_interrupt_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli.stride, "main", interrupted)

    assert cli.run(["models"]) == 130
    assert "interrupted" in capsys.readouterr().err
