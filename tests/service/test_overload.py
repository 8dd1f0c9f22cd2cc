import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from urllib3 import encode_multipart_formdata

from tests.service.client import png
from tests.service.fakes import FakeEngine
from tests.service.local_service import LocalService
from tests.service.v2.wire import elements, whole_body

MakeService = Callable[..., LocalService]


@pytest.fixture
def make_service() -> Iterator[MakeService]:
    services: list[LocalService] = []

    def make(engine: FakeEngine, *, capacity: int = 4, **limits: Any) -> LocalService:
        services.append(LocalService(engine, None, capacity=capacity, **limits))
        return services[-1]

    yield make
    for service in services:
        service.stop()


def read_answer(connection: socket.socket) -> bytes:
    """Head and body of one answer."""
    with connection, connection.makefile("rb") as stream:
        head = b"".join(iter(stream.readline, b"\r\n"))
        length = re.search(rb"content-length: (\d+)", head)
        assert length, head
        return head + stream.read(int(length.group(1)))


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.002)


def test_full_queue_is_refused_with_retry_after(
    make_service: MakeService, caplog: pytest.LogCaptureFixture
) -> None:
    engine = FakeEngine(held=True)
    service = make_service(engine, capacity=2)
    with ThreadPoolExecutor(3) as pool:
        admitted = [pool.submit(service.client.post, "/v1/classify", png())]
        engine.entered.acquire()
        admitted += [pool.submit(service.client.post, "/v1/classify", png()) for _ in range(2)]
        wait_for(lambda: service.pending() == 3)  # one in the engine, two waiting

        refused = service.client.post("/v1/classify", png())

        engine.let_go()
        assert [future.result().status for future in admitted] == [200, 200, 200]
    assert refused.status == 503
    assert int(refused.headers["retry-after"]) >= 1
    assert "the queue is full: 2 of 2 images wait" in refused.error
    assert "status=503" not in caplog.text  # a line for each would flood the log


def test_too_many_requests_are_refused_at_the_door(make_service: MakeService) -> None:
    engine = FakeEngine(held=True)
    service = make_service(engine, requests=1)
    with ThreadPoolExecutor(1) as pool:
        admitted = pool.submit(service.client.post, "/v1/classify", png())
        wait_for(lambda: service.pending() == 1)

        refused = service.client.post("/v1/classify", png())

        engine.let_go()
        assert admitted.result().status == 200
    assert refused.status == 503
    assert "1 requests are in progress, the limit is 1" in refused.error
    assert refused.headers["retry-after"] == "1"


def test_deadline_that_passes_in_the_queue_is_answered_then(make_service: MakeService) -> None:
    engine = FakeEngine(held=True)
    service = make_service(engine)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(service.client.post, "/v1/classify", png())
        wait_for(lambda: service.pending() == 1)

        expired = service.client.post("/v1/classify", png(), X_Request_Timeout="0.05")

        engine.let_go()
        assert running.result().status == 200
    assert expired.status == 504
    assert "deadline passed" in expired.error
    assert "receive;dur=" in expired.headers["server-timing"]
    wait_for(lambda: service.pending() == 0)
    assert engine.calls == [1]  # what expired never reached the engine


def test_deadline_that_passes_in_the_body_is_answered_then(make_service: MakeService) -> None:
    service = make_service(FakeEngine())
    connection = service.connect()
    connection.sendall(
        b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
        b"X-Request-Timeout: 0.05\r\n\r\nonly the beginning"
    )

    answer = read_answer(connection)

    assert answer.startswith(b"HTTP/1.1 504 ")
    assert b"the deadline passed before the whole body had come" in answer


def test_client_that_goes_away_is_dropped_before_the_engine(make_service: MakeService) -> None:
    engine = FakeEngine(held=True)
    service = make_service(engine)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(service.client.post, "/v1/classify", png())
        wait_for(lambda: service.pending() == 1)
        body = png()
        gone = service.connect()
        gone.sendall(
            b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
            + body
        )
        wait_for(lambda: service.pending() == 2)

        gone.close()

        wait_for(lambda: service.pending() == 1)
        engine.let_go()
        assert running.result().status == 200
    assert engine.calls == [1]
    text = service.client.get("/metrics").data.decode()
    assert 'stride_requests_total{model="tiny-onnx-fp32",outcome="cancelled"} 1.0' in text
    assert 'reason="CANCELED"} 1' in text


def test_engine_that_fails_answers_500_and_the_next_request_is_served(
    make_service: MakeService,
) -> None:
    from tests.service.client import encode
    from tests.service.fakes import POISON, picture

    service = make_service(FakeEngine())

    failed = service.client.post("/v1/classify", encode(picture(POISON)[0]))

    assert failed.status == 500
    assert "the engine failed on this request: poisoned picture" in failed.error
    assert service.client.post("/v1/classify", encode(picture(1)[0])).status == 200


def test_bodies_are_held_until_they_are_answered(make_service: MakeService) -> None:
    """Two bodies fit into the memory set aside, whatever they wait for; a third is refused."""
    engine = FakeEngine(held=True)
    body = png() + b"x" * (1000 - len(png()))
    service = make_service(engine, held_bytes=2500)
    with ThreadPoolExecutor(2) as pool:
        admitted = [pool.submit(service.client.post, "/v1/classify", body) for _ in range(2)]
        wait_for(lambda: service.pending() == 2)

        refused = service.client.post("/v1/classify", body)

        engine.let_go()
        assert [future.result().status for future in admitted] == [200, 200]
    assert refused.status == 503
    assert "memory set aside" in refused.error
    assert service.client.post("/v1/classify", body).status == 200


@pytest.mark.parametrize("form", [True, False], ids=["form", "binary-data"])
def test_file_copied_out_of_its_body_is_held_besides(make_service: MakeService, form: bool) -> None:
    service = make_service(FakeEngine(), held_bytes=3000)
    small = png()
    large = small + bytes(2000 - len(small))
    assert service.client.post("/v1/classify", large).status == 200  # not copied

    fits, refused = (
        service.client.request("POST", *_wrapped(each, form)) for each in (small, large)
    )

    assert fits.status == 200, fits.data
    assert refused.status == 503
    assert "memory set aside" in refused.error


def _wrapped(data: bytes, form: bool) -> tuple[str, bytes, dict[str, str]]:
    """Path, body and headers."""
    if form:
        body, kind = encode_multipart_formdata({"image": ("x.png", data)})
        return "/v1/classify", body, {"Content-Type": kind}
    raw = elements(data)
    tensor = {
        "name": "image", "datatype": "BYTES", "shape": [1],
        "parameters": {"binary_data_size": len(raw)},
    }  # fmt: skip
    body, length = whole_body({"inputs": [tensor]}, raw)
    return "/v2/models/tiny-onnx-fp32/infer", body, {"Inference-Header-Content-Length": str(length)}


def test_slow_uploads_keep_nobody_out(make_service: MakeService) -> None:
    service = make_service(FakeEngine(), requests=2)
    uploads = [service.connect() for _ in range(8)]
    for upload in uploads:
        upload.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1")

    reply = service.client.post("/v1/classify", png())

    assert reply.status == 200
    for upload in uploads:
        upload.close()


def test_unready_service_says_why_and_refuses(make_service: MakeService) -> None:
    service = make_service(FakeEngine())
    service.core.announce_drain()

    ready = service.client.get("/readyz")
    answer = service.client.post("/v1/classify", png())

    assert ready.status == 503
    assert "draining" in ready.error
    assert ready.headers["retry-after"] == "1"
    assert answer.status == 200  # announced, not closed: still served
    assert answer.headers["connection"] == "close"
    assert service.client.get("/healthz").status == 200


def test_unexpected_error_is_answered_and_logged_with_its_id(
    make_service: MakeService, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    service = make_service(FakeEngine())

    async def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(service.core, "submit", broken)
    reply = service.client.post("/v1/classify", png(), X_Request_Id="job-5")

    assert reply.status == 500
    assert "unexpected error in the service" in reply.error
    assert "fault of ours" not in reply.error
    assert reply.headers["x-request-id"] == "job-5"
    assert "total;dur=" in reply.headers["server-timing"]
    assert "unexpected error in request id=job-5" in caplog.text
    assert "a fault of ours" in caplog.text


def test_path_cannot_write_lines_of_its_own_into_the_log(
    make_service: MakeService, caplog: pytest.LogCaptureFixture
) -> None:
    service = make_service(FakeEngine())
    caplog.set_level("DEBUG", logger="stride.access")

    service.client.get("/v1/models/x%0aFORGED%00")

    wait_for(lambda: "FORGED" in caplog.text)
    (record,) = (entry for entry in caplog.records if "FORGED" in entry.getMessage())
    assert "\n" not in record.getMessage()
    assert "\0" not in record.getMessage()
