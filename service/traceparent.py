"""The header `traceparent` of the W3C's Trace Context: which trace a request belongs to already."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

_FORM = re.compile(rb"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_SAMPLED = 0x01


@dataclass(frozen=True, slots=True)
class Parent:
    """Whose child a request is; `state`: what other vendors want carried along (`tracestate`)."""

    trace_id: int
    span_id: int
    sampled: bool
    state: str = ""


@dataclass(frozen=True, slots=True)
class Trace:
    """What a request's span is called: its trace and itself, and its parent if it has one;
    `route`: the address it came to."""

    trace_id: int
    span_id: int
    sampled: bool
    route: str = ""
    parent: int | None = None
    state: str = ""

    @property
    def ids(self) -> tuple[str, str]:
        """Of the trace and of the span, as logs and exemplars write them."""
        return f"{self.trace_id:032x}", f"{self.span_id:016x}"


def parent_of(headers: Iterable[tuple[bytes, bytes]]) -> Parent | None:
    """None where there is no such header, or none that says anything: the specification (section
    3.2) wants what is malformed, comes twice, or is of the forbidden version ff left out of
    account, and versions to come read as far as this one goes."""
    received, states = [], []
    for name, value in headers:
        if name == b"traceparent":
            received.append(value)
        elif name == b"tracestate":
            states.append(value)
    if len(received) != 1 or not (found := _FORM.fullmatch(received[0].strip(b" \t"))):
        return None
    version, trace, span, flags, more = found.groups()
    if version == b"ff" or (version == b"00" and more) or not int(trace, 16) * int(span, 16):
        return None
    state = b",".join(states).decode("latin-1")
    return Parent(int(trace, 16), int(span, 16), bool(int(flags, 16) & _SAMPLED), state)
