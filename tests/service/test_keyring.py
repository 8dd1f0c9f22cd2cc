from pathlib import Path

import pytest

from measuring.errors import InputError
from service import rate
from service.errors import RateLimitedError, UnauthorizedError
from service.key_file import read_again, read_keys
from service.keyring import ApiKey, Keyring
from service.keys import Token, digest
from service.rate import Bucket, Rate

ONE, TWO = "first-secret-of-ours", "second-secret-of-ours"


class FakeClock:
    """Time that goes on when told: a real one would make rates a matter of luck."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(rate, "time", clock)
    return clock


def shows(secret: str) -> dict[bytes, bytes]:
    return {b"authorization": b"Bearer " + secret.encode()}


def key(name: str, secret: str, limit: Rate | None = None) -> ApiKey:
    return ApiKey(name, digest(secret.encode()), limit)


def test_keyring_lets_in_whom_it_knows_by_name() -> None:
    keys = Keyring([key("one", ONE), key("two", TWO)], Token.of("x" * 20, "the repository"))

    assert keys.admit(shows(ONE)) == "one"
    assert keys.admit({b"x-api-key": TWO.encode()}) == "two"
    assert keys.admit(shows("x" * 20)) == "the repository"
    for wrong in ({}, shows("nobody's key of all"), shows("")):
        with pytest.raises(UnauthorizedError):
            keys.admit(wrong)


def test_bucket_gives_the_rate_and_no_more_than_the_burst_at_once(clock: FakeClock) -> None:
    bucket = Bucket(Rate(per_second=4, burst=3))
    assert [bucket.take() for _ in range(5)] == [0, 0, 0, 0.25, 0.25]
    clock.now = 0.125
    assert bucket.take() == 0.125
    clock.now = 0.25
    assert [bucket.take(), bucket.take()] == [0, 0.25]
    clock.now = 1000
    assert [bucket.take() > 0 for _ in range(4)] == [False, False, False, True]


def test_key_that_comes_too_often_is_told_when_to_come_again(clock: FakeClock) -> None:
    keys = Keyring([key("one", ONE, Rate(0.5, 1)), key("two", TWO)])
    keys.admit(shows(ONE))

    with pytest.raises(RateLimitedError, match=r"'one' may come 0\.5 times a second") as caught:
        keys.admit(shows(ONE))

    assert caught.value.status == 429
    assert caught.value.retry_after == 2
    assert ONE not in str(caught.value)
    for _ in range(100):
        keys.admit(shows(TWO))
    clock.now = 2
    assert keys.admit(shows(ONE)) == "one"


def test_replaced_keys_keep_what_is_left_of_their_rate(clock: FakeClock) -> None:
    keys = Keyring([key("one", ONE, Rate(1, 1)), key("two", TWO, Rate(1, 1))])
    keys.admit(shows(ONE))
    keys.admit(shows(TWO))

    keys.replace([key("one", "rotated-secret-now", Rate(1, 1)), key("two", TWO, Rate(1, 5))])

    with pytest.raises(UnauthorizedError):
        keys.admit(shows(ONE))
    with pytest.raises(RateLimitedError):
        keys.admit(shows("rotated-secret-now"))
    assert keys.admit(shows(TWO)) == "two"


def write(folder: Path, text: str) -> Path:
    path = folder / "keys.toml"
    path.write_text(text)
    return path


def test_read_keys_takes_keys_digests_and_rates(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        f'[one]\nkey = "{ONE}"\nrate = 2.5\n'
        f'[two-2]\nsha256 = "{digest(TWO.encode()).hex()}"\nrate = 1\nburst = 7\n'
        '[three]\nkey = "third-secret-of-ours"\n',
    )

    one, two, three = read_keys(path)

    assert (one.name, one.rate) == ("one", Rate(2.5, 3))
    assert (two.name, two.rate) == ("two-2", Rate(1, 7))
    assert three.rate is None
    assert Keyring([one, two, three]).admit(shows(TWO)) == "two-2"
    assert ONE not in repr(one)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "has no key, expected tables", id="empty"),
        pytest.param("[one", "cannot be read", id="no-toml"),
        pytest.param('one = "secret-secret-secret"', r"\[one\] is no table", id="no-table"),
        pytest.param("[one]", "needs either key or sha256", id="no-key"),
        pytest.param('[one]\nkey = "short-secret"', "key is not 16 to 512", id="short"),
        pytest.param('[one]\nkey = "secret secret secret"', "without spaces", id="spaces"),
        pytest.param('[one]\nkey = 1234567890123456789', "in quotes", id="number"),
        pytest.param('[one]\nsha256 = "abc"', "64 hexadecimal", id="short-digest"),
        pytest.param('["a b"]\nkey = "secret-secret-secret"', "letters, digits", id="name"),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nrat = 1', "unknown rat; expected", id="unknown"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nrate = 0', "rate is 0, expected", id="rate"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nrate = inf', "rate is inf", id="infinite"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nrate = 1e-320',
            r"\[one\]: rate is 1e-320, expected requests per second from 4e-07", id="denormal",
        ),
        pytest.param(
            f'[one]\nkey = "secret-secret-secret"\nrate = 1{"0" * 400}', "rate is 1000", id="huge"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nrate = 1\nburst = inf', "whole", id="no-burst"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nburst = 2', "a burst and no rate", id="burst"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\nrate = 1\nburst = 1.5', "whole", id="half-burst"
        ),
        pytest.param(
            '[one]\nkey = "secret-secret-secret"\n[two]\nkey = "secret-secret-secret"',
            r"\[one\] and \[two\] are the same key", id="twice",
        ),
    ],
)  # fmt: skip
def test_read_keys_says_what_is_wrong_and_no_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        read_keys(write(tmp_path, text))
    assert "secret" not in str(caught.value)


def test_read_again_keeps_the_keys_where_the_file_is_broken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "stride.keys")
    path = write(tmp_path, f'[one]\nkey = "{ONE}"')
    keys = Keyring(read_keys(path))

    write(tmp_path, "broken")
    read_again(keys, path)
    assert keys.admit(shows(ONE)) == "one"
    assert "the keys stay as they were" in caplog.text

    write(tmp_path, f'[two]\nkey = "{TWO}"')
    read_again(keys, path)
    assert keys.admit(shows(TWO)) == "two"
    with pytest.raises(UnauthorizedError):
        keys.admit(shows(ONE))
    assert "keys names=two" in caplog.text
    assert TWO not in caplog.text
