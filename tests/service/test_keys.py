import logging

import pytest

from service.errors import UnauthorizedError
from service.keys import Token, presented
from service.replies import error_reply

SECRET = "5f2c-a long and random one"
TOKEN = Token.of(SECRET, "switching models")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        pytest.param({b"authorization": b"Bearer abc"}, b"abc", id="bearer"),
        pytest.param({b"authorization": b"bearer   abc "}, b"abc", id="other-case-and-spaces"),
        pytest.param({b"x-api-key": b"abc"}, b"abc", id="own-header"),
        pytest.param(
            {b"authorization": b"Basic eA==", b"x-api-key": b"abc"}, b"abc", id="other-scheme"
        ),
        pytest.param(
            {b"authorization": b"Bearer one", b"x-api-key": b"two"}, b"one", id="both"
        ),
        pytest.param({b"authorization": b"Bearer"}, None, id="scheme-alone"),
        pytest.param({}, None, id="neither"),
    ],
)  # fmt: skip
def test_presented_is_what_the_request_shows(
    headers: dict[bytes, bytes], expected: bytes | None
) -> None:
    assert presented(headers) == expected


def test_token_matches_its_secret_alone() -> None:
    assert TOKEN.matches({b"authorization": b"Bearer " + SECRET.encode()})
    for wrong in (b"", b"\xff\0", SECRET[:-1].encode(), SECRET.encode() + b"x", b"x" * 60_000):
        assert not TOKEN.matches({b"x-api-key": wrong})
    assert not TOKEN.matches({})


def test_missing_and_wrong_token_are_told_apart_and_never_repeated() -> None:
    with pytest.raises(UnauthorizedError, match="switching models needs a valid key: none was"):
        TOKEN.require({})
    with pytest.raises(UnauthorizedError, match="the one sent is not known") as caught:
        TOKEN.require({b"x-api-key": b"guessed"})
    assert "guessed" not in str(caught.value)
    TOKEN.require({b"x-api-key": SECRET.encode()})


def test_refusal_says_how_to_authenticate() -> None:
    reply = error_reply(UnauthorizedError("no"))

    assert reply.status_code == 401
    assert reply.headers["www-authenticate"] == 'Bearer realm="stride"'


def test_token_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("test").warning("%r %s", TOKEN, vars(TOKEN))

    assert SECRET not in caplog.text
