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
        "EXACT_DECODING": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"STRIDE_{name}", value)

    assert cli.run(["serve"]) == 0

    (settings,) = started
    assert settings.repository == Path("elsewhere")
    assert settings.decode_threads == 10
    assert settings.exact_decoding
    limits = settings.limits
    assert (limits.requests, limits.body_bytes, limits.pixels) == (5, 6, 7)
    assert (limits.drain_delay, limits.grace, limits.timeout) == (8, 9, 11)
    assert limits.queue_capacity == 12


def test_serve_takes_one_model_of_the_file_without_a_list(
    started: list[Settings], tmp_path: Path
) -> None:
    (tmp_path / "stride.toml").write_text('model = "tiny:threads=1"')

    assert cli.run(["serve", "--config", str(tmp_path / "stride.toml")]) == 0

    assert started[0].models == (ModelSpec("tiny", threads=1),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("prot = 1", "unknown prot; expected some of access_log", id="unknown-key"),
        pytest.param('config = "a"', "unknown config; expected some of", id="another-file"),
        pytest.param('port = "many"', "port is 'many', expected a whole number", id="text"),
        pytest.param("port = [1, 2]", "port is [1, 2], expected a whole number", id="list"),
        pytest.param("port = true", "port is True, expected a whole number", id="truth"),
        pytest.param("port = 70000", "port is 70000: 70000 is not in the range", id="range"),
        pytest.param("repository = 5", "repository is 5, expected text in quotes", id="number"),
        pytest.param('host = "a\\u0000"', "expected text in quotes", id="nul"),
        pytest.param("timeout = nan", "timeout is nan, expected a number", id="no-number"),
        pytest.param("access-log = 1", "access_log is 1, expected true or false", id="no-truth"),
        pytest.param("model = [5]", "model is [5], expected text in quotes, or a", id="in-a-list"),
        pytest.param('model = "a/b"', "model is 'a/b': --model 'a/b': no model id", id="model"),
        pytest.param("[port]", "port is {}, expected a whole number", id="table"),
    ],
)
def test_serve_names_the_file_and_what_is_wrong_in_it(
    started: list[Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str],
    text: str, message: str,
) -> None:  # fmt: skip
    path = tmp_path / "stride.toml"
    path.write_text(text)

    assert cli.run(["serve", "--config", str(path)]) == 2

    shown = capsys.readouterr().err
    assert shown.startswith(f"error: --config {path}: ")
    assert message in shown
    assert not started


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("port = ", id="no-toml"),
        pytest.param(f"port = {'9' * 5000}", id="endless-number"),
        pytest.param(f"model = {'[' * 2000}{']' * 2000}", id="bottomless-list"),
    ],
)
def test_serve_refuses_a_file_that_is_no_toml(
    started: list[Settings], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "stride.toml").write_text(text)

    assert cli.run(["serve", "--config", str(tmp_path / "stride.toml")]) == 2

    assert "stride.toml cannot be read: " in capsys.readouterr().err
    assert not started


@pytest.mark.parametrize("value", ["nan", "inf"])
def test_serve_refuses_a_duration_without_end(
    started: list[Settings], capsys: pytest.CaptureFixture[str], value: str
) -> None:
    assert cli.run(["serve", "--timeout", value]) == 2

    assert f"{value} is not finite, expected seconds" in capsys.readouterr().err
    assert not started
