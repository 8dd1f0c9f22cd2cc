"""`stride serve --frontends 2` answers as `stride serve` does, from whichever front end."""

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import tritonclient.http as triton
from prometheus_client.openmetrics import parser as openmetrics

from tests.service.client import Client, Reply, png
from tests.service.frontends.several import KEY, alive, front_of, one_of_each, pids, whole
from tests.service.process import ServiceProcess
from tests.service.test_launch import accepted
from tests.service.test_metrics_http import OPENMETRICS, samples
from tests.service.test_watch import wait_for
from tests.service.v2.wire import ADMIN, ID, INFER, logits, pictures
from tests.tiny import write_tiny

KEYS = """
[tests]
key = "the-key-of-these-tests"
[seldom]
key = "a-key-that-comes-seldom"
rate = 0.01
burst = 7
"""
BATCHED = f"{ID}:instances=1,threads=1,max_batch=8,policy=delay,delay=50ms"


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    write_tiny(repository, "other", seed=1)
    (repository / "keys.toml").write_text(KEYS)
    return repository


@pytest.fixture(scope="module")
def service(artifacts: Path) -> Iterator[ServiceProcess]:
    service = whole(
        ServiceProcess(
            artifacts,
            "--frontends",
            "2",
            "--drain-delay",
            "0",
            "--model",
            BATCHED,
            "--model-control",
            "--api-keys",
            str(artifacts / "keys.toml"),
            STRIDE_ADMIN_TOKEN=ADMIN,
        )
    )
    yield service
    assert "Traceback" not in service.text
    assert "unexpected" not in service.text
    # killed, so that it cannot end anything by itself: nothing outlives it
    children = pids(service)
    assert all(map(alive, children.values()))
    service.process.kill()
    service.wait()
    wait_for(lambda: not any(map(alive, children.values())))
    assert not [path for path in Path("/dev/shm").iterdir() if "stride" in path.name]  # noqa: S108


@pytest.fixture(scope="module")
def single(artifacts: Path) -> Iterator[ServiceProcess]:
    """The same in one process."""
    service = ServiceProcess(
        artifacts, "--drain-delay", "0", "--model", BATCHED, "--model-control",
        "--api-keys", str(artifacts / "keys.toml"),
        STRIDE_ADMIN_TOKEN=ADMIN,
    ).wait_until_ready()  # fmt: skip
    yield service
    assert service.stop() == 0, service.text


def said(reply: Reply) -> tuple[int, Any]:
    """Status and body without what differs from time to time."""
    if reply.headers["content-type"] != "application/json":
        return reply.status, reply.data
    document = reply.json
    for part in (document, *(document.get("results") or ())) if isinstance(document, dict) else ():
        part.pop("timings", None)
    return reply.status, document


RAW = {"Inference-Header-Content-Length": "0"}
QUESTIONS: list[Any] = [
    pytest.param("POST", "/v1/classify?k=32", png(1), {}, id="picture"),
    pytest.param("POST", "/v1/compare", png(2), {}, id="comparison"),
    pytest.param("POST", INFER, pictures(1).tobytes(), RAW, id="pixels"),
    pytest.param("POST", INFER, png(3), RAW, id="picture-of-v2"),
    pytest.param("POST", "/v1/classify", b"text", {}, id="no-picture"),
    pytest.param("POST", "/v1/classify", b"", {}, id="nothing"),
    pytest.param("POST", "/v1/classify?model=nobody", png(), {}, id="unknown-model"),
    pytest.param("POST", "/v1/classify", png(), {"X-Request-Timeout": "0"}, id="bad-deadline"),
    pytest.param("POST", INFER, b"{}", {}, id="bad-v2"),
    pytest.param("GET", "/v1/models/tiny", None, {}, id="model"),
    pytest.param("GET", "/v2/models/tiny/config", None, {}, id="configuration"),
    pytest.param("GET", "/v2/models/other/ready", None, {}, id="readiness-of-unknown"),
    pytest.param("POST", "/v2/repository/index", b"", {}, id="index"),
    pytest.param("GET", "/readyz", None, {}, id="readiness"),
    pytest.param("GET", "/openapi.json", None, {}, id="description"),
    pytest.param("GET", "/nowhere", None, {}, id="nowhere"),
]


@pytest.mark.parametrize(("method", "path", "body", "headers"), QUESTIONS)
def test_answer_is_that_of_one_process_from_every_front_end(
    service: ServiceProcess,
    single: ServiceProcess,
    method: str,
    path: str,
    body: Any,
    headers: dict[str, str],
) -> None:
    expected = said(single.client.request(method, path, body, KEY | headers))
    with one_of_each(service) as clients:
        for client in clients.values():
            answer = said(client.request(method, path, body, headers))
            if path == "/v1/models/tiny":
                for own in (expected[1], answer[1]):  # measured by each
                    own.pop("seconds_by_batch", None)
            assert answer == expected


def test_many_pictures_at_once_come_back_in_their_order(service: ServiceProcess) -> None:
    pixels = pictures(200)
    made = triton.InferInput("pixels", list(pixels.shape), "UINT8")
    made.set_data_from_numpy(pixels)
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        answer = client.infer(ID, [made], headers=KEY).as_numpy("logits")
        before = client.get_inference_statistics(ID, headers=KEY)["model_stats"][0][
            "inference_count"
        ]
        client.infer(ID, [made], headers=KEY)
        after = client.get_inference_statistics(ID, headers=KEY)["model_stats"][0][
            "inference_count"
        ]

    assert answer == pytest.approx(logits(pixels), abs=1e-3)
    assert after - before == 200


def test_batches_hold_pictures_of_both_front_ends(service: ServiceProcess) -> None:
    """Each of two clients waits for its answer, so two in one batch are of two front ends."""
    with one_of_each(service) as clients, ThreadPoolExecutor(2) as pool:
        batches = batches_of_two(service)
        for _ in range(20):
            replies = [
                pool.submit(client.post, "/v1/classify", png()) for client in clients.values()
            ]
            assert {reply.result().status for reply in replies} == {200}
            if batches_of_two(service) > batches:
                return
    raise AssertionError("no batch had a picture of each")


def batches_of_two(service: ServiceProcess) -> float:
    counts = samples(service.client.get("/metrics").data.decode())
    model = ("model", ID)
    at_most = {
        bound: counts["stride_batch_size_bucket", frozenset({model, ("le", bound)})]
        for bound in ("1.0", "2.0")
    }
    return at_most["2.0"] - at_most["1.0"]


def test_connections_are_shared_out_evenly(service: ServiceProcess) -> None:
    clients = [Client(service.url, connections=1) for _ in range(20)]

    fronts = Counter(front_of(client.get("/healthz")) for client in clients)

    for client in clients:
        client.close()
    assert len(fronts) == 2
    assert min(fronts.values()) >= 8


def test_connections_do_not_wait_for_acknowledgements(service: ServiceProcess) -> None:
    with one_of_each(service):  # so that both front ends have some of another kind
        address = urlsplit(service.url)
        with socket.create_connection((str(address.hostname), address.port), 30) as client:
            client.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 200 ")
            found = []
            for name, pid in pids(service).items():
                if name.startswith("frontend"):
                    with suppress(AssertionError):  # the other one has it
                        found.append(accepted(pid, client))

    assert found == [(True, socket.IPPROTO_TCP)]


def test_metrics_are_those_of_all_processes_from_every_front_end(service: ServiceProcess) -> None:
    with one_of_each(service) as clients:
        one, other = clients.values()
        before = samples(one.get("/metrics").data.decode())
        for client in (one, one, one, other):
            assert client.post("/v1/classify", png()).status == 200
        assert other.post("/v1/classify", b"text").status == 415

        here, there = (samples(client.get("/metrics").data.decode()) for client in (one, other))
        strict = other.get("/metrics", Accept=OPENMETRICS).data.decode()

    def more(name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        assert here[key] == there[key]
        return here[key] - before.get(key, 0.0)

    assert more("stride_requests_total", model=ID, outcome="ok") == 4
    assert more("stride_requests_total", model=ID, outcome="invalid") == 1
    assert more("stride_images_total", model=ID) == 4
    assert more("stride_stage_seconds_count", model=ID, stage="decode") == 4
    assert more("stride_stage_seconds_count", model=ID, stage="inference") == 4
    assert more("nv_inference_request_success_total", model=ID, version="1") == 4
    names = {"engine", "frontend-0", "frontend-1"}
    for name in names:
        assert here["stride_process_up", frozenset({("process", name)})] == 1
    memory = {
        dict(labels)["process"]: bytes_
        for (name, labels), bytes_ in here.items()
        if name == "stride_process_resident_memory_bytes"
    }
    assert set(memory) == {*names, "supervisor"}
    assert min(memory.values()) > 1 << 20
    parsed = openmetrics.text_string_to_metric_families(strict)  # type: ignore[no-untyped-call]
    families = {family.name for family in parsed}
    assert {"stride_requests", "stride_process_restarts", "process_cpu_seconds"} <= families
    assert len([name for name, _ in here if name == "process_resident_memory_bytes"]) == 1


def test_rate_of_a_key_holds_for_all_front_ends_together(service: ServiceProcess) -> None:
    seldom = {"X-API-Key": "a-key-that-comes-seldom"}
    with one_of_each(service) as clients:
        replies = [
            client.request("GET", "/v1/models", None, seldom)
            for _ in range(6)
            for client in clients.values()
        ]

    assert [reply.status for reply in replies] == [200] * 7 + [429] * 5
    assert all(80 < int(reply.headers["retry-after"]) <= 100 for reply in replies[7:])


def test_what_one_front_end_loads_all_serve_at_once(service: ServiceProcess) -> None:
    token = {"Authorization": f"Bearer {ADMIN}"}
    with one_of_each(service) as clients:
        one, other = clients.values()
        loaded = one.request("POST", "/v2/repository/models/other/load", b"", token)
        assert loaded.status == 200, loaded.data
        assert other.post("/v1/classify?model=other", png()).status == 200
        assert other.get("/v2/models/other/ready").status == 200

        unloaded = other.request("POST", "/v2/repository/models/other/unload", b"", token)
        assert unloaded.status == 200, unloaded.data
        assert one.post("/v1/classify?model=other", png()).status == 404
        assert one.request("POST", "/v2/repository/models/other/load", b"", {}).status == 401
