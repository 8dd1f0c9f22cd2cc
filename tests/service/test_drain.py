"""SIGTERM under load: whoever was let in gets an answer, and the process ends with 0."""

import signal
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.service.test_overload import read_answer
from tests.tiny import write_tiny

CLIENTS = 16


REQUESTS: dict[str, tuple[str, dict[str, str]]] = {
    "v1": ("/v1/classify", {}),
    "v2": ("/v2/models/tiny/infer", {"Inference-Header-Content-Length": "0"}),
}


def hammer(service: ServiceProcess, answered: threading.Semaphore, protocol: str) -> Counter[str]:
    """Requests on one connection until the service turns us away; what came of each."""
    path, headers = REQUESTS[protocol]
    client = Client(service.url, connections=1)
    seen: Counter[str] = Counter()
    while True:
        try:
            reply = client.request("POST", path, png(), headers)
        except urllib3.exceptions.NewConnectionError:
            seen["refused"] += 1  # nothing was sent: not accepted, not lost
            break
        except urllib3.exceptions.HTTPError as error:
            seen[f"lost: {error!r}"] += 1
            break
        seen[str(reply.status)] += 1
        answered.release()
        if reply.status == 503:
            assert reply.headers["retry-after"]
            assert reply.headers["connection"] == "close"
            break
    client.close()
    return seen


@pytest.mark.parametrize(
    ("drain_delay", "protocol"),
    [
        pytest.param("0", "v1", id="at-once"),
        pytest.param("0.5", "v1", id="after-a-delay"),
        pytest.param("0.2", "v2", id="v2"),
    ],
)
def test_sigterm_under_load_loses_no_accepted_request(
    tmp_path: Path, drain_delay: str, protocol: str
) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", drain_delay).wait_until_ready()
    answered = threading.Semaphore(0)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(hammer, service, answered, protocol) for _ in range(CLIENTS)]
        for _ in range(5 * CLIENTS):
            answered.acquire()
        service.terminate()
        seen = sum((future.result() for future in clients), Counter[str]())

    assert service.wait() == 0, service.text
    assert seen["200"] >= 5 * CLIENTS
    assert set(seen) <= {"200", "503", "refused"}, seen
    assert "signal=SIGTERM: draining" in service.text
    assert "Traceback" not in service.text
    service.client.close()


def test_second_signal_stops_at_once(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", "600").wait_until_ready()
    service.terminate()
    while service.client.get("/readyz").status == 200:
        pass

    service.process.send_signal(signal.SIGINT)

    assert service.wait() == 0, service.text
    assert "second signal=SIGINT" in service.text
    service.client.close()


def test_sigterm_while_loading_ends_cleanly(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", "0")

    service.terminate()

    assert service.wait() == 0, service.text
    service.client.close()


def test_sigterm_while_loading_many_does_not_load_the_rest(tmp_path: Path) -> None:
    for number in range(40):
        write_tiny(tmp_path, f"tiny{number:02}", seed=number)
    service = ServiceProcess(tmp_path, "--drain-delay", "0")
    while "loaded model=" not in service.text:
        assert service.process.poll() is None, service.text

    service.terminate()

    assert service.wait() == 0, service.text
    assert service.text.count("loaded model=") < 40
    assert "ready models=" not in service.text
    service.client.close()


def test_requests_left_at_the_end_of_grace_are_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", "0", "--grace", "0.2").wait_until_ready()
    host, port = service.url.removeprefix("http://").split(":")
    upload = socket.create_connection((host, int(port)), timeout=30)
    upload.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nhalf of it")
    while service.client.get("/readyz").status != 200:
        pass

    service.terminate()
    answer = read_answer(upload)

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"the service shut down before this request was done" in answer
    assert service.wait() == 0, service.text
    assert "after grace=0.2 seconds refused requests=1" in service.text
    assert "Traceback" not in service.text
    service.client.close()
