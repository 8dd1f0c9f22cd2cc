"""What the core refuses or breaks on, as /v2 tells it; with an engine that does so on command."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from inference.engine import Logits, Pixels
from tests.service.fakes import POISON, FakeEngine, picture
from tests.service.local_service import LocalService
from tests.service.v2.wire import binary_tensor, tensor, whole_body

ID = "tiny-onnx-fp32"
INFER = f"/v2/models/{ID}/infer"
RAW = {"Inference_Header_Content_Length": "0"}


class NumberlessEngine(FakeEngine):
    """Overflows, as float16 networks do on random pixels."""

    def infer(self, pixels: Pixels) -> Logits:
        return np.array([[np.nan, -np.inf]], np.float32).repeat(len(pixels), axis=0)


@pytest.fixture
def serve() -> Iterator[Callable[..., LocalService]]:
    running: list[LocalService] = []

    def start(engine: FakeEngine, capacity: int = 4) -> LocalService:
        running.append(LocalService(engine, capacity=capacity))
        return running[-1]

    yield start
    for service in running:
        service.stop()


def test_logits_that_are_no_numbers_are_answered(serve: Callable[..., LocalService]) -> None:
    service = serve(NumberlessEngine())
    body, _ = whole_body({"inputs": [tensor(picture(1), data=picture(1).tolist())]})
    reply = service.client.post(INFER, body)
    assert reply.status == 200
    assert b'"data":[NaN,-Infinity]' in reply.data


def test_an_engine_that_fails_is_500_for_that_request_alone(
    serve: Callable[..., LocalService],
) -> None:
    service = serve(FakeEngine())
    poisoned = service.client.post(INFER, picture(POISON).tobytes(), **RAW)
    assert poisoned.status == 500
    assert "poisoned picture" in poisoned.error
    assert service.client.post(INFER, picture(7).tobytes(), **RAW).status == 200
    (model,) = service.client.get("/v2/models/stats").json["model_stats"]
    assert model["inference_stats"]["fail"]["count"] == 1
    assert model["inference_stats"]["success"]["count"] == 1


def test_more_images_than_may_wait_are_refused(serve: Callable[..., LocalService]) -> None:
    service = serve(FakeEngine(), capacity=2)
    pixels = picture(1, 2, 3)
    body, length = whole_body({"inputs": [binary_tensor(pixels)]}, pixels.tobytes())
    reply = service.client.post(INFER, body, Inference_Header_Content_Length=str(length))
    assert reply.status == 400
    assert "batch-size must be 1 to 2" in reply.error


def test_a_deadline_that_passes_in_the_engine_is_503_and_counts_as_expired(
    serve: Callable[..., LocalService],
) -> None:
    engine = FakeEngine(held=True)
    service = serve(engine)
    reply = service.client.post(INFER, picture(1).tobytes(), X_Request_Timeout="0.2", **RAW)
    assert reply.status == 503
    assert "Request timeout expired" in reply.error
    text = service.client.get("/metrics").data.decode()
    assert f'stride_requests_total{{model="{ID}",outcome="expired"}} 1.0' in text
    assert f'nv_inference_request_failure{{model="{ID}",version="1",reason="REJECTED"}} 1' in text


def test_priority_two_waits_behind_what_came_later(serve: Callable[..., LocalService]) -> None:
    engine = FakeEngine(held=True)
    service = serve(engine)

    def ask(value: int, priority: int) -> int:
        document = {
            "inputs": [binary_tensor(picture(value))], "parameters": {"priority": priority},
        }  # fmt: skip
        body, length = whole_body(document, picture(value).tobytes())
        return service.client.post(INFER, body, Inference_Header_Content_Length=str(length)).status

    with ThreadPoolExecutor(3) as pool:
        replies = []
        for number, (value, priority) in enumerate(((1, 0), (2, 2), (3, 1)), 1):
            replies.append(pool.submit(ask, value, priority))
            wait_for_pending(service, number)
        engine.let_go()
        assert [reply.result() for reply in replies] == [200, 200, 200]
    assert engine.seen == [1, 3, 2]


def wait_for_pending(service: LocalService, count: int) -> None:
    deadline = time.monotonic() + 10
    while service.pending() != count:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_client_that_goes_away_is_withdrawn(serve: Callable[..., LocalService]) -> None:
    engine = FakeEngine(held=True)
    service = serve(engine)
    body = picture(1).tobytes()
    head = (
        f"POST {INFER} HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n"
        "inference-header-content-length: 0\r\n\r\n"
    )
    with service.connect() as connection:
        connection.sendall(head.encode() + body)
        asyncio.run(engine.running())
        text = service.client.get("/metrics").data.decode()
        assert f'nv_inference_pending_request_count{{model="{ID}",version="1"}} 1' in text
    wait_for_pending(service, 0)
    text = service.client.get("/metrics").data.decode()
    assert f'nv_inference_request_failure{{model="{ID}",version="1",reason="CANCELED"}} 1' in text
