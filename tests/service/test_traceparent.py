"""`traceparent` and sampling, held to OpenTelemetry's own propagator and sampler."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.traceparent import Parent, parent_of
from service.tracing import Sampler

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"
HEX = st.text("0123456789abcdef", min_size=2, max_size=2)
PARTS = st.tuples(
    st.one_of(st.sampled_from(["00", "ff", "01", "cc"]), HEX),
    st.one_of(st.just(TRACE), st.just("0" * 32), st.text("0123456789abcdefA", max_size=33)),
    st.one_of(st.just(SPAN), st.just("0" * 16), st.text("0123456789abcdefg", max_size=17)),
    st.one_of(st.sampled_from(["00", "01", "03", "fe"]), HEX),
)
MORE = st.sampled_from(["", "-", "-what the future brings", ".", " ", "\t"])
HEADERS = st.one_of(
    st.tuples(PARTS, MORE).map(lambda made: "-".join(made[0]) + made[1]),
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60),
)


def received(*values: str, state: str | None = None) -> Parent | None:
    headers = [(b"host", b"here"), *((b"traceparent", value.encode()) for value in values)]
    if state is not None:
        headers.append((b"tracestate", state.encode()))
    return parent_of(headers)


@given(HEADERS)
@example(GOOD)
@example(f"00-{TRACE}-{SPAN}-01-more")
@example(f"cc-{TRACE}-{SPAN}-01-more")
@example(f"cc-{TRACE}-{SPAN}-01.more")
@example(f"ff-{TRACE}-{SPAN}-01")
@example(GOOD.upper())
def test_traceparent_is_read_as_opentelemetry_reads_it(value: str) -> None:
    context = TraceContextTextMapPropagator().extract({"traceparent": value})
    expected = trace.get_current_span(context).get_span_context()
    parent = received(value)

    assert (parent is not None) == expected.is_valid
    if parent is not None:
        assert parent.trace_id == expected.trace_id
        assert parent.span_id == expected.span_id
        assert parent.sampled == expected.trace_flags.sampled


def test_traceparent_that_comes_twice_is_left_out_of_account() -> None:
    assert received(GOOD, GOOD) is None
    assert received() is None


def test_tracestate_is_carried_along_with_its_trace() -> None:
    parent = received(GOOD, state="vendor=value")
    assert parent is not None
    assert parent.state == "vendor=value"
    assert received("nonsense", state="vendor=value") is None


@given(st.integers(1, 2**128 - 1), st.floats(0, 1))
def test_sampler_chooses_as_opentelemetrys_does(trace_id: int, ratio: float) -> None:
    theirs = TraceIdRatioBased(ratio).should_sample(None, trace_id, "").decision
    assert Sampler(ratio).samples(trace_id) == (theirs is Decision.RECORD_AND_SAMPLE)


@pytest.mark.parametrize("flags", ["00", "01"])
def test_sampler_does_as_the_parent_did(flags: str) -> None:
    headers = [(b"traceparent", f"00-{TRACE}-{SPAN}-{flags}".encode())]
    for ratio in (0.0, 1.0):
        begun = Sampler(ratio).begin(headers, "/v1/classify")
        assert begun.sampled == (flags == "01")
        assert (begun.ids[0], begun.parent) == (TRACE, int(SPAN, 16))
        assert begun.ids[1] != SPAN


def test_sampler_begins_traces_of_their_own() -> None:
    begun = [Sampler(1.0).begin([], "/") for _ in range(100)]
    assert len({each.trace_id for each in begun}) == len({each.span_id for each in begun}) == 100
    assert all(each.parent is None and each.sampled for each in begun)
    assert not Sampler(0.0).begin([], "/").sampled
