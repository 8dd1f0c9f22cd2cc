"""What goes wrong inside, on a real process: engines that fail, uploads at the end, broken reloads;
nobody pays for it but who caused it."""

import random
import signal
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.fragile import write_fragile
from tests.service.client import Client, encode, png
from tests.service.process import ServiceProcess
from tests.service.test_overload import read_answer
from tests.service.test_watch import wait_for
from tests.tiny import write_tiny

WHITE = encode(np.full((16, 16, 3), 255, np.uint8))


@pytest.fixture
def services() -> Iterator[list[ServiceProcess]]:
    """Those that a test puts here have ended well by its end."""
    started: list[ServiceProcess] = []
    yield started
    for service in started:
        assert service.stop() == 0, service.text
        assert "Traceback" not in service.text


def said(service: ServiceProcess, told: str) -> bool:
    return told in service.text


def address(service: ServiceProcess) -> tuple[str, int]:
    host, _, port = service.url.removeprefix("http://").partition(":")
    return host, int(port)


def test_request_on_which_the_engine_fails_fails_alone(
    services: list[ServiceProcess], tmp_path: Path
) -> None:
    """Among others in the same batches: each of those is answered as it would be alone."""
    write_fragile(tmp_path)
    write_tiny(tmp_path, "other", seed=1)
    service = ServiceProcess(
        tmp_path, "--drain-delay", "0",
        "--model", "fragile:instances=1,threads=1,max_batch=8,policy=delay,delay=5ms",
        "--model", "other",
    ).wait_until_ready()  # fmt: skip
    services.append(service)
    pictures = [png(seed) for seed in range(8)]
    expected = [
        service.client.post("/v1/classify?model=fragile", data).json["predictions"]
        for data in pictures
    ]

    def ask(number: int) -> Counter[str]:
        draw, seen = random.Random(number), Counter[str]()
        for _ in range(40):
            index = draw.randrange(12)
            data = pictures[index] if index < 8 else WHITE
            reply = service.client.post("/v1/classify?model=fragile", data)
            if index < 8:
                assert reply.status == 200, reply.data
                assert [p["index"] for p in reply.json["predictions"]] == [
                    p["index"] for p in expected[index]
                ]
                seen["answered"] += 1
            else:
                assert reply.status == 500, reply.data
                assert "the engine failed on this request" in reply.error
                seen["failed"] += 1
        return seen

    with ThreadPoolExecutor(12) as pool:
        seen = sum(pool.map(ask, range(12)), Counter[str]())

    assert min(seen.values()) > 50
    assert service.client.get("/readyz").status == 200
    assert service.client.post("/v1/classify?model=other", WHITE).status == 200
    metrics = service.client.get("/metrics").data.decode()
    label = 'model="fragile-onnx-fp32",outcome='
    assert f'stride_requests_total{{{label}"error"}} {seen["failed"]}.0' in metrics
    assert f'stride_requests_total{{{label}"ok"}} {seen["answered"] + 8}.0' in metrics


def test_upload_begun_before_the_end_is_answered(
    services: list[ServiceProcess], tmp_path: Path
) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", "0.2").wait_until_ready()
    services.append(service)
    body = png()
    upload = socket.create_connection(address(service), timeout=30)
    head = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    upload.sendall(head + body[:50])
    assert service.client.get("/healthz").status == 200

    service.terminate()
    wait_for(lambda: service.client.get("/readyz").status == 503)
    wait_for(lambda: service.client.post("/v1/classify", body).status == 503)
    upload.sendall(body[50:])

    answer = read_answer(upload)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"connection: close" in answer
    assert service.wait() == 0, service.text


def test_readiness_ends_before_the_service_does(
    services: list[ServiceProcess], tmp_path: Path
) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", "600").wait_until_ready()
    services.append(service)

    service.terminate()
    wait_for(lambda: service.client.get("/readyz").status == 503)

    assert service.client.get("/v2/health/ready").status == 400
    assert service.client.get("/healthz").status == 200
    answer = service.client.post("/v1/classify", png())
    assert answer.status == 200
    assert answer.headers["connection"] == "close"
    service.process.send_signal(signal.SIGTERM)  # not for ten minutes


def test_reload_of_a_damaged_artifact_under_load_fails_no_request(
    services: list[ServiceProcess], tmp_path: Path
) -> None:
    write_tiny(tmp_path, "one")
    service = ServiceProcess(tmp_path, "--drain-delay", "0").wait_until_ready()
    services.append(service)
    statuses: Counter[int] = Counter()
    over = threading.Event()

    def ask() -> None:
        client = Client(service.url)
        while not over.is_set():
            statuses[client.post("/v1/classify?model=one", png()).status] += 1
        client.close()

    with ThreadPoolExecutor(4) as pool:
        for _ in range(4):
            pool.submit(ask)
        for attempt in range(1, 4):
            (tmp_path / "one-onnx-fp32" / "model.onnx").write_bytes(b"damaged" * attempt)
            service.process.send_signal(signal.SIGHUP)
            told = f"has {7 * attempt} bytes"
            wait_for(partial(said, service, told))
        over.set()

    assert set(statuses) == {200}
    reply = service.client.post("/v2/repository/index", b"")
    assert [(entry["state"], "has 21 bytes" in entry["reason"]) for entry in reply.json] == [
        ("READY", True)
    ]


def test_engine_that_always_fails_is_told_at_the_start_without_a_traceback(tmp_path: Path) -> None:
    write_fragile(tmp_path, bright=-1.0)
    service = ServiceProcess(tmp_path, "--drain-delay", "0")

    assert service.wait() == 1
    assert "fragile-onnx-fp32 on onnxruntime" in service.text
    assert "fails on its golden pictures: " in service.text
    assert "indices element out of data bounds" in service.text
    assert "Traceback" not in service.text
    service.client.close()


def test_engine_that_always_fails_is_told_at_a_reload_while_others_serve(
    services: list[ServiceProcess], tmp_path: Path
) -> None:
    write_tiny(tmp_path, "sound")
    service = ServiceProcess(tmp_path, "--drain-delay", "0").wait_until_ready()
    services.append(service)
    write_fragile(tmp_path, bright=-1.0)

    service.process.send_signal(signal.SIGHUP)

    wait_for(partial(said, service, "fails on its golden pictures"))
    index = service.client.post("/v2/repository/index", b"").json
    states = {entry["name"]: (entry["state"], entry["reason"]) for entry in index}
    assert states["sound-onnx-fp32"] == ("READY", "")
    assert states["fragile-onnx-fp32"][0] == "UNAVAILABLE"
    assert "fails on its golden pictures" in states["fragile-onnx-fp32"][1]
    assert service.client.post("/v1/classify", png()).status == 200
