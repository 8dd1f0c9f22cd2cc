"""A service that is told, or sees for itself, that its repository has changed."""

import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.manifest import REFERENCE
from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

ONE = "one-onnx-fp32"


def wait_for(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.01)


def answer(service: ServiceProcess) -> str:
    reply = service.client.post("/v1/classify?model=one&k=32", png())
    assert reply.status == 200
    return str(reply.json["predictions"])


def ids(service: ServiceProcess) -> set[str]:
    return {model["id"] for model in service.client.get("/v1/models").json["models"]}


@contextmanager
def load(service: ServiceProcess) -> Iterator[list[int]]:
    """Four clients that ask without a pause; the statuses of their answers, so far."""
    statuses: list[int] = []
    over = threading.Event()

    def ask() -> None:
        client = Client(service.url)
        while not over.is_set():
            statuses.append(client.post("/v1/classify?model=one", png()).status)
        client.close()

    clients = [threading.Thread(target=ask) for _ in range(4)]
    for client in clients:
        client.start()
    try:
        yield statuses
    finally:
        over.set()
        for client in clients:
            client.join()


def test_sighup_under_load_switches_and_fails_no_request(tmp_path: Path) -> None:
    write_tiny(tmp_path, "one")
    service = ServiceProcess(tmp_path).wait_until_ready()
    before = answer(service)
    with load(service) as statuses:
        shutil.rmtree(tmp_path / ONE)
        write_tiny(tmp_path, "one", seed=7)
        write_tiny(tmp_path, "two", seed=1)
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: answer(service) != before)
        wait_for(lambda: "two-onnx-fp32" in ids(service))

    assert set(statuses) == {200}
    assert service.stop() == 0, service.text
    assert "Traceback" not in service.text


def test_repository_poll_under_load_sees_what_came_and_went(tmp_path: Path) -> None:
    repository = tmp_path / "artifacts"
    write_tiny(repository, "one")
    write_tiny(repository, "gone", seed=1)
    service = ServiceProcess(repository, "--repository-poll", "0.1").wait_until_ready()

    with load(service) as statuses:
        shutil.rmtree(repository / "gone-onnx-fp32")
        write_tiny(repository, "new", seed=2)
        wait_for(lambda: ids(service) == {ONE, "new-onnx-fp32"})
        before = answer(service)
        other = write_tiny(tmp_path / "elsewhere", "one", seed=7)
        for file in ("model.onnx", REFERENCE, "manifest.json"):  # the manifest last, as exports do
            (other / file).replace(repository / ONE / file)
        wait_for(lambda: answer(service) != before)

    assert set(statuses) == {200}
    assert service.stop() == 0, service.text


def test_repository_poll_tries_again_an_artifact_whose_manifest_came_first(tmp_path: Path) -> None:
    repository = tmp_path / "artifacts"
    write_tiny(repository, "one")
    source = write_tiny(tmp_path / "elsewhere", "two", seed=1)
    service = ServiceProcess(repository, "--repository-poll", "0.1").wait_until_ready()
    target = repository / source.name

    target.mkdir()
    shutil.copy(source / "manifest.json", target)
    wait_for(lambda: f"not loaded model={source.name}" in service.text)
    assert ids(service) == {ONE}
    for file in (REFERENCE, "model.onnx"):
        shutil.copy(source / file, target)
    wait_for(lambda: ids(service) == {ONE, source.name})

    assert service.stop() == 0, service.text
