"""A repository that cannot be one ends in one clear message, whichever command meets it."""

from pathlib import Path

import pytest

import cli

# What `export` says comes before any weights are asked for, so these need no network.
COMMANDS = {
    "models": "cannot be listed",
    "verify some": "cannot be looked for",
    "classify photo.png": "cannot be listed",
    "classify photo.png --model some": "cannot be looked for",
    "export fasternet_t0": "cannot be written",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.png").write_bytes(b"no picture")
    return tmp_path


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(arguments) == 2
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    return shown


@pytest.mark.parametrize("command", COMMANDS)
def test_repository_with_a_name_too_long(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    shown = refused([*command.split(), "--repository", "r" * 300], capsys)

    assert COMMANDS[command] in shown
    assert "File name too long" in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_repository_that_is_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    shown = refused([*command.split(), "--repository", "photo.png"], capsys)

    assert "Directory 'photo.png' is a file" in shown


@pytest.mark.parametrize("command", ["models", "classify photo.png", "export fasternet_t0"])
def test_repository_inside_a_file(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    shown = refused([*command.split(), "--repository", "photo.png/artifacts"], capsys)

    assert COMMANDS[command] in shown
    assert "photo.png" in shown


def test_repository_that_is_not_there_yet_is_empty(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "no artifact 'some'" in refused(["verify", "some", "--repository", "new"], capsys)
    assert not (folder / "new").exists()
