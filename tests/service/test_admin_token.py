from pathlib import Path

import pytest

from measuring.errors import InputError
from service.admin_token import VARIABLE, admin_token
from service.errors import UnauthorizedError
from service.settings import Settings
from tests.service.client import Client
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

SECRET = "0123456789abcdef"


def shows(secret: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {secret}".encode()}


def test_token_comes_from_the_file_or_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{SECRET}\n")
    from_file = admin_token(
        Settings(model_control=True, admin_token_file=file), {VARIABLE: "x" * 20}
    )
    from_environment = admin_token(Settings(model_control=True), {VARIABLE: SECRET})
    for token in (from_file, from_environment):
        assert token is not None
        token.require(shows(SECRET))
        with pytest.raises(UnauthorizedError):
            token.require(shows("x" * 20))


def test_without_model_control_there_is_none_and_the_variable_is_ignored() -> None:
    assert admin_token(Settings(), {VARIABLE: SECRET}) is None


@pytest.mark.parametrize("secret", ["short", "with spaces in between", "0123456789abcdé!"])
def test_a_token_that_could_be_guessed_or_sent_wrongly_is_refused(secret: str) -> None:
    with pytest.raises(InputError, match="openssl rand") as caught:
        admin_token(Settings(model_control=True), {VARIABLE: secret})
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(model_control=True), "needs an admin token"),
        (
            Settings(model_control=True, admin_token_file=Path("/nowhere")),
            "cannot be read: No such file or directory; expected 16 to 512 ",
        ),
        (Settings(admin_token_file=Path("/nowhere")), "without --model-control"),
    ],
)
def test_settings_that_do_not_fit_together_are_told(settings: Settings, message: str) -> None:
    with pytest.raises(InputError, match=message):
        admin_token(settings, {})


def test_models_cannot_be_changed_unless_it_is_switched_on(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0", "--model", "tiny:max_batch=1,instances=1,threads=1",
        STRIDE_ADMIN_TOKEN=SECRET,
    ).wait_until_ready()  # fmt: skip
    client: Client = service.client
    for action in ("load", "unload"):
        reply = client.post(
            f"/v2/repository/models/tiny/{action}", b"{}", Authorization=f"Bearer {SECRET}"
        )
        assert reply.status == 403
        assert "--model-control" in reply.error
    assert client.post("/v2/repository/index", b"").json[0]["state"] == "READY"
    assert service.stop() == 0, service.text
