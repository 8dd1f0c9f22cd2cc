"""SIGTERM under load: whoever was let in gets an answer, and the process ends with 0."""

import signal
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import urllib3

from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.service.tiny import write_tiny

CLIENTS = 16


def hammer(service: ServiceProcess, answered: threading.Semaphore) -> Counter[str]:
    """Requests on one connection until the service turns us away; what came of each."""
    client = Client(service.url, connections=1)
    seen: Counter[str] = Counter()
    while True:
        try:
            reply = client.post("/v1/classify", png())
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
    "drain_delay", [pytest.param("0", id="at-once"), pytest.param("0.5", id="after-a-delay")]
)
def test_sigterm_under_load_loses_no_accepted_request(tmp_path: Path, drain_delay: str) -> None:
    write_tiny(tmp_path)
    service = ServiceProcess(tmp_path, "--drain-delay", drain_delay).wait_until_ready()
    answered = threading.Semaphore(0)
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(hammer, service, answered) for _ in range(CLIENTS)]
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
