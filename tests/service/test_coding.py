import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.coding import coding_of, inflate
from service.errors import BadRequestError, BodyTooLargeError, CodingError

LIMIT = 1 << 22
MAKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"deflate": zlib.compress,
}


@given(st.sampled_from(sorted(MAKERS)), st.binary(max_size=5000), st.integers(1, 2000))
def test_inflate_gives_back_what_was_compressed(coding: bytes, data: bytes, times: int) -> None:
    whole = data * times
    if len(whole) > LIMIT:
        with pytest.raises(BodyTooLargeError, match=f"hold more than {LIMIT}"):
            inflate(MAKERS[coding](whole), coding, LIMIT)
    else:
        assert inflate(MAKERS[coding](whole), coding, LIMIT) == whole


@given(st.sampled_from(sorted(MAKERS)), st.binary(max_size=300), st.data())
def test_inflate_of_damage_is_told_and_never_more_than_the_limit(
    coding: bytes, data: bytes, draw: st.DataObject
) -> None:
    body = bytearray(MAKERS[coding](data))
    for _ in range(draw.draw(st.integers(1, 4))):
        body[draw.draw(st.integers(0, len(body) - 1))] ^= draw.draw(st.integers(1, 255))
    cut = draw.draw(st.integers(0, len(body)))
    try:
        inflated = inflate(bytes(body[:cut]), coding, 200)
    except (BadRequestError, BodyTooLargeError):
        return
    assert len(inflated) <= 200


def test_bomb_is_refused_without_being_inflated() -> None:
    bomb = gzip.compress(bytes(256 << 20), 9)
    assert len(bomb) < 300_000
    tracemalloc.start()

    with pytest.raises(BodyTooLargeError, match="raise --max-body-bytes"):
        inflate(bomb, b"gzip", LIMIT)

    _, highest = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert highest < 2 * LIMIT


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(gzip.compress(b"x" * 99)[:-3], "gzip is cut off", id="cut-off"),
        pytest.param(b"", "gzip is cut off", id="empty"),
        pytest.param(b"\xff\xd8\xff\xe0", "cannot be inflated as gzip", id="no-gzip"),
        pytest.param(gzip.compress(b"x") + b"yy", "2 bytes follow the end", id="continued"),
    ],
)
def test_inflate_says_what_is_wrong(body: bytes, message: str) -> None:
    with pytest.raises(BadRequestError, match=message):
        inflate(body, b"gzip", LIMIT)


@pytest.mark.parametrize("declared", [None, b"", b"identity", b" Identity "])
def test_no_coding_is_none(declared: bytes | None) -> None:
    headers = {} if declared is None else {b"content-encoding": declared}
    assert coding_of(headers) is None


def test_coding_is_read_in_any_case() -> None:
    assert coding_of({b"content-encoding": b" GZip"}) == b"gzip"


@pytest.mark.parametrize("declared", [b"br", b"gzip, gzip", b"\xff" * 4000])
def test_other_codings_are_refused(declared: bytes) -> None:
    with pytest.raises(CodingError, match=r"expected gzip, deflate or none") as caught:
        coding_of({b"content-encoding": declared})
    assert len(str(caught.value)) < 200
