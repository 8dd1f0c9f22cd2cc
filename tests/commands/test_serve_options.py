"""Where a setting comes from: a flag beats the environment, which beats the file."""

from pathlib import Path

import pytest

import cli
from service import server
from service.settings import ModelSpec, Settings

CONFIG = """
port = 9001
queue-capacity = 7
timeout = 2.5
model = ["prod=tiny:threads=1", "other"]
"""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """What the command would have started; nothing is."""
    settings: list[Settings] = []
    monkeypatch.setattr(server, "serve", settings.append)
    monkeypatch.setattr("service.logs.configure", lambda **_: None)
    return settings


def test_serve_without_options_has_the_defaults(started: list[Settings]) -> None:
    assert cli.run(["serve"]) == 0
    assert started == [Settings()]


def test_serve_reads_the_configuration_file(started: list[Settings], tmp_path: Path) -> None:
    (tmp_path / "stride.toml").write_text(CONFIG)

    assert cli.run(["serve", "--config", str(tmp_path / "stride.toml")]) == 0

    settings = started[0]
    assert settings.port == 9001
    assert settings.limits.queue_capacity == 7
    assert settings.limits.timeout == 2.5
    assert settings.models == (ModelSpec("tiny", alias="prod", threads=1), ModelSpec("other"))


def test_serve_environment_beats_the_file(
    started: list[Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stride.toml").write_text(CONFIG)
    monkeypatch.setenv("STRIDE_PORT", "9002")
    monkeypatch.setenv("STRIDE_MODEL", "one two")

    assert cli.run(["serve", "--config", str(tmp_path / "stride.toml")]) == 0

    assert started[0].port == 9002
    assert started[0].models == (ModelSpec("one"), ModelSpec("two"))
    assert started[0].limits.queue_capacity == 7


def test_serve_flag_beats_the_environment(
    started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIDE_PORT", "9002")

    assert cli.run(["serve", "--port", "9003"]) == 0

    assert started[0].port == 9003


def test_serve_reads_every_flag_from_the_environment(
    started: list[Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "REPOSITORY": "elsewhere", "HOST": "0.0.0.0", "MAX_REQUESTS": "5",  # noqa: S104
        "MAX_BODY_BYTES": "6", "MAX_PIXELS": "7", "DRAIN_DELAY": "8", "GRACE": "9",
        "DECODE_THREADS": "10", "ACCESS_LOG": "true", "TIMEOUT": "11", "QUEUE_CAPACITY": "12",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"STRIDE_{name}", value)

    assert cli.run(["serve"]) == 0

    (settings,) = started
    assert settings.repository == Path("elsewhere")
    assert settings.decode_threads == 10
    limits = settings.limits
    assert (limits.requests, limits.body_bytes, limits.pixels) == (5, 6, 7)
    assert (limits.drain_delay, limits.grace, limits.timeout) == (8, 9, 11)
    assert limits.queue_capacity == 12


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("prot = 1", "unknown prot; expected some of access_log", id="unknown-key"),
        pytest.param("port = ", "cannot be read", id="no-toml"),
        pytest.param('port = "many"', "not a valid integer", id="wrong-type"),
    ],
)
def test_serve_refuses_a_wrong_configuration_file(
    started: list[Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    text: str, message: str,
) -> None:  # fmt: skip
    (tmp_path / "stride.toml").write_text(text)

    assert cli.run(["serve", "--config", str(tmp_path / "stride.toml")]) == 2

    assert message in capsys.readouterr().err
    assert not started
