"""Loads on a real service over loopback: every kind of body, both loops, several processes, and
what is said where it cannot be driven."""

import re
from dataclasses import replace

import numpy as np
import pytest

from loadtest.load import Closed, Load, Open
from loadtest.outcome import Outcome
from loadtest.prepared import prepare
from loadtest.run import run_load
from loadtest.service import floor_of, read_model, read_models
from loadtest.target import BodyKind, Protocol, Target
from measuring.errors import InputError, MissingError
from tests.loadtest.canned_service import OK, CannedService
from tests.tiny import SIZE, tiny_logits

WEIGHTS = np.random.default_rng(0).normal(0, 0.1, (3, 32)).astype(np.float32)


def require_consistent(outcome: Outcome) -> None:
    """Every request has one end, and every answer its figures."""
    assert outcome.due == outcome.sent + outcome.dropped
    assert outcome.sent == outcome.ok + outcome.failed
    assert sum(second.sent for second in outcome.timeline) == outcome.sent
    assert sum(second.ok for second in outcome.timeline) == outcome.ok
    if outcome.ok:
        assert outcome.latency is not None
        assert outcome.service_time is not None
        assert outcome.latency.count == outcome.service_time.count == outcome.ok
        assert outcome.latency.summary["mean"] >= outcome.service_time.summary["mean"]


def test_open_load_of_two_processes_is_sent_as_planned(tiny_service: str) -> None:
    load = Load(Open(100.0, "constant"), seconds=0.8, warm_up=0.2, processes=2)
    outcome = run_load(Target(tiny_service, "tiny"), load)
    require_consistent(outcome)
    assert (outcome.due, outcome.ok, outcome.dropped) == (80, 80, 0), outcome.examples
    assert set(outcome.stages) == {"receive", "queue", "inference", "respond", "total"}
    assert all(stage.count == 80 for stage in outcome.stages.values())
    assert len(outcome.generator.cpu) == 2
    assert outcome.generator.lag is not None
    assert outcome.model.id == "tiny-onnx-fp32"
    assert outcome.images_per_second == outcome.requests_per_second > 50.0


def test_closed_load_is_answered_one_after_the_other(tiny_service: str) -> None:
    target = Target(tiny_service, "tiny", batch=4)
    outcome = run_load(target, Load(Closed(2), seconds=1.0, warm_up=0.1))
    require_consistent(outcome)
    assert outcome.ok > 2
    assert outcome.failed == outcome.dropped == outcome.generator.opened == 0
    assert outcome.images_per_second == 4 * outcome.requests_per_second


@pytest.mark.parametrize(
    ("protocol", "model", "body", "batch"),
    [
        ("v1", "tiny", "jpeg", 1),
        ("v1", "tiny-onnx-fp32", "png", 1),
        ("compare", "tiny,floor", "jpeg", 1),
        ("v2", "tiny", "jpeg", 1),
        ("v2", "tiny", "png", 3),
        ("v2", "tiny", "pixels", 64),
    ],
)
def test_every_body_is_understood(
    tiny_service: str, protocol: Protocol, model: str, body: BodyKind, batch: int
) -> None:
    prepared = prepare(Target(tiny_service, model, protocol, body, batch, side=40))
    assert len(set(prepared.messages)) == len(prepared.messages) >= 2
    assert prepared.notes == ()
    for number, reference in enumerate(prepared.references):
        length = str(len(reference.data) - 4 * 32 * batch).encode()
        prepared.check(number, 200, {b"inference-header-content-length": length}, reference.data)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (
            "404 Not Found",
            "<html>\n  <p>no\n  page</p>",
            "answered 404: <html> <p>no page</p>; expected the list of models of a `stride serve`",
        ),
        (
            "401 Unauthorized",
            '{"error": "needs a key"}',
            "needs a key; here it is taken from --api-key-file or STRIDE_API_KEY; expected",
        ),
    ],
    ids=["another-server", "no-key"],
)
def test_what_refuses_to_list_its_models_is_told_on_one_line(
    status: str, body: str, told: str
) -> None:
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n"
    service = CannedService(f"{head}{body}".encode())
    try:
        with pytest.raises(InputError, match=re.escape(told)) as caught:
            read_models(service.url)
    finally:
        service.stop()
    assert "\n" not in str(caught.value)


def test_floor_is_found_beside_the_model_and_answers_zeros(tiny_service: str) -> None:
    models = read_models(tiny_service)
    tiny = read_model(tiny_service, "tiny")
    floor = floor_of(models, tiny)
    assert floor is not None
    assert (floor.runtime, floor.trained, floor.network) == ("null", False, tiny.network)
    assert floor == read_model(tiny_service, "floor")
    prepared = prepare(Target(tiny_service, floor.id))
    assert prepared.model.is_floor
    assert prepared.references[0].logits is not None
    assert not prepared.references[0].logits.any()
    assert prepared.notes == ()  # that all of its answers are the same is no surprise


def test_first_answers_are_those_of_the_network(tiny_service: str) -> None:
    """What later answers are held to, from the bodies themselves."""
    prepared = prepare(Target(tiny_service, "tiny", batch=2))
    for message, reference in zip(prepared.messages, prepared.references, strict=True):
        pixels = np.frombuffer(message[-2 * 3 * SIZE**2 :], np.uint8).reshape(2, SIZE, SIZE, 3)
        assert reference.logits is not None
        assert reference.logits == pytest.approx(tiny_logits(pixels, WEIGHTS), abs=1e-4)


def test_model_that_is_not_there_is_named_with_those_that_are(tiny_service: str) -> None:
    for protocol, body in (("v2", "pixels"), ("v1", "jpeg"), ("compare", "jpeg")):
        target = Target(tiny_service, "nobody", protocol, body)  # type: ignore[arg-type]
        with pytest.raises(InputError, match=r"'nobody' is not to be had .*tiny-onnx-fp32"):
            prepare(target)


def test_nobody_there_is_said_before_any_load() -> None:
    server = CannedService(OK)
    server.stop()
    with pytest.raises(MissingError, match="is the service running there"):
        run_load(Target(server.url, "tiny"), Load(Closed()))


def test_what_the_service_refuses_is_said_at_once(tiny_service: str) -> None:
    target = Target(tiny_service, "tiny", headers=(("X-Request-Timeout", "soon"),))
    with pytest.raises(InputError, match="answered 400 to a first request: X-Request-Timeout"):
        prepare(target)


def test_failures_under_load_are_counted_not_raised(tiny_service: str) -> None:
    prepared = prepare(Target(tiny_service, "tiny"))
    gone = replace(prepared, messages=tuple(
        message.replace(b"/v2/models/tiny/infer", b"/v2/models/gone/infer")
        for message in prepared.messages
    ))  # fmt: skip
    outcome = run_load(
        prepared.target, Load(Open(50.0, "constant"), 0.2, warm_up=0.0), prepared=gone
    )
    require_consistent(outcome)
    assert outcome.errors == {"status 404": 10}
    assert "no model 'gone'" in outcome.examples["status 404"]
    assert outcome.latency is None
    assert outcome.error_share == 1.0
