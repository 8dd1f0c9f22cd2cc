"""Server-Timing, as services write it and as nobody should."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.server_timing import MOST_STAGES, stages


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param("receive;dur=0.120, total;dur=3", {"receive": 0.00012, "total": 0.003},
                     id="ours"),
        pytest.param('queue;dur=1;desc="a", queue;dur=2;desc="b"', {"queue": 0.003},
                     id="two-models"),
        pytest.param('db;desc="x;dur=9, y";DUR = "5" ,b', {"db": 0.005}, id="quoted"),
        pytest.param("cache;desc=hit;dur=.5,miss", {"cache": 0.0005}, id="without-a-duration"),
        pytest.param("a;dur=nan, b;dur=-1, c;dur=inf, d;dur=1_0, e;dur=, f;dur=0", {"f": 0.0},
                     id="no-numbers"),
        pytest.param('open;desc="never closed;dur=1', {}, id="open-quote"),
        pytest.param(";dur=1, a b;dur=1, é;dur=1", {}, id="no-names"),
        pytest.param("", {}, id="empty"),
        pytest.param("eternity;dur=1000000000000", {}, id="too-long"),
    ],
)  # fmt: skip
def test_stages(header: str, expected: dict[str, float]) -> None:
    assert stages(header.encode("latin-1")) == pytest.approx(expected)


@given(
    st.dictionaries(
        st.text("abcdefgh-", min_size=1, max_size=8), st.floats(0, 1e5), max_size=MOST_STAGES
    )
)
def test_stages_are_read_as_they_were_written(told: dict[str, float]) -> None:
    header = ", ".join(f"{name};dur={seconds * 1e3:.3f}" for name, seconds in told.items())
    assert stages(header.encode()) == pytest.approx(told, abs=1e-6)


@given(st.binary(max_size=300))
def test_no_header_is_too_strange(header: bytes) -> None:
    found = stages(header)
    assert all(0.0 <= seconds < 1e6 for seconds in found.values())


def test_stages_are_bounded() -> None:
    header = ",".join(f"s{number};dur=1" for number in range(1000))
    assert len(stages(header.encode())) == MOST_STAGES
