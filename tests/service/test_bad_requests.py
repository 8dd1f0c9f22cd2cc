"""Every way to be wrong gets its own status and message, and the neighbours never notice."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from measuring.pictures import varied_pictures
from tests.service.client import Client, Reply, encode, png, png_header
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

LIMIT = 200_000


@dataclass(frozen=True)
class Wrong:
    """A request, and what its answer must be."""

    status: int
    message: str
    body: bytes = b""
    query: str = "?model=tiny"
    headers: tuple[tuple[str, str], ...] = ()

    def send(self, client: Client) -> Reply:
        return client.request("POST", f"/v1/classify{self.query}", self.body, dict(self.headers))


JPEG_START = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
FORM = (("Content-Type", "Multipart/Form-Data; boundary=b"),)
CURL_D = encode(varied_pictures(1, 64, seed=5)[0], "JPEG").translate(None, b"\r\n\0")
WRONG = {
    "empty-body": Wrong(400, "the body is empty"),
    "text-file": Wrong(415, "expected JPEG, PNG or WebP", b"hello, this is text\n" * 10),
    "broken-jpeg": Wrong(422, "broken JPEG", JPEG_START + b"\x00" * 500),
    "truncated-png": Wrong(422, "broken PNG", png()[:200]),
    "sent-by-curl-d": Wrong(422, "use --data-binary", CURL_D),
    "enormous-png": Wrong(413, "900,000,000 pixels", png_header(30_000, 30_000)),
    "too-many-bytes": Wrong(413, f"the limit is {LIMIT}", b"x" * (LIMIT + 1)),
    "unknown-model": Wrong(
        404, "no model 'nobody' is loaded; loaded: other", png(), "?model=nobody"
    ),
    "no-model-named": Wrong(400, "2 models are loaded, say which with ?model=", png(), ""),
    "k-too-large": Wrong(400, "k is 33, expected 1 to 32", png(), "?model=tiny&k=33"),
    "k-zero": Wrong(400, "k is 0, expected 1 to 32", png(), "?model=tiny&k=0"),
    "k-no-number": Wrong(400, "k is 'many', expected a whole number", png(), "?model=tiny&k=many"),
    "timeout-no-number": Wrong(
        400, "X-Request-Timeout is 'soon'", png(), headers=(("X-Request-Timeout", "soon"),)
    ),
    "timeout-odd-number": Wrong(
        400, "expected seconds above 0", png(), headers=(("X-Request-Timeout", "1_0"),)
    ),
    "timeout-negative": Wrong(
        400, "expected seconds above 0", png(), headers=(("X-Request-Timeout", "-1"),)
    ),
    "timeout-too-long": Wrong(
        400, "up to 30", png(), headers=(("X-Request-Timeout", "31"),)
    ),
    "form-without-file": Wrong(
        400, "0 files and 1 fields",
        b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n--b--\r\n', headers=FORM,
    ),
    "form-with-two-files": Wrong(
        400, "Too many files",
        b'--b\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\nx\r\n' * 2
        + b"--b--\r\n",
        headers=FORM,
    ),
    "form-without-boundary": Wrong(
        400, "multipart body cannot be read", b"x",
        headers=(("Content-Type", "multipart/form-data"),),
    ),
    "form-cut-off": Wrong(400, "multipart body", b"--b\r\nContent-Dis", headers=FORM),
}  # fmt: skip


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository, "tiny")
    write_tiny(repository, "other", seed=1)
    service = ServiceProcess(
        repository, "--max-body-bytes", str(LIMIT), "--drain-delay", "0"
    ).wait_until_ready()
    yield service
    assert service.stop() == 0, service.text
    assert "Traceback" not in service.text


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
def test_wrong_request_gets_its_status_and_message(service: ServiceProcess, wrong: Wrong) -> None:
    reply = wrong.send(service.client)

    assert reply.status == wrong.status, reply.data
    assert wrong.message in reply.error
    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-request-id"]
    assert "total;dur=" in reply.headers["server-timing"]


@pytest.mark.parametrize(
    ("method", "path", "status", "told"),
    [
        pytest.param("GET", "/v1/classify", 405, "not allowed, expected POST", id="wrong-method"),
        pytest.param("GET", "/nowhere", 404, "not found; the addresses", id="unknown-address"),
        pytest.param("GET", "/v1/models/nobody", 404, "no model 'nobody'", id="unknown-model"),
    ],
)
def test_wrong_address_gets_the_same_kind_of_error(
    service: ServiceProcess, method: str, path: str, status: int, told: str
) -> None:
    reply = service.client.request(method, path, None, {})

    assert reply.status == status
    assert told in reply.error


def test_body_without_declared_length_is_cut_off_at_the_limit(service: ServiceProcess) -> None:
    chunks = (b"x" * 10_000 for _ in range(100))

    reply = service.client.post("/v1/classify?model=tiny", chunks)

    assert reply.status == 413
    assert f"got more than {LIMIT} bytes" in reply.error


def test_connection_is_still_good_after_a_refused_body(service: ServiceProcess) -> None:
    client = Client(service.url, connections=1)

    assert WRONG["too-many-bytes"].send(client).status == 413
    assert client.post("/v1/classify?model=tiny", png()).status == 200
    client.close()


def test_neighbours_of_wrong_requests_are_untouched(service: ServiceProcess) -> None:
    """Eight threads send nothing but mistakes while eight others classify."""
    pictures = [png(seed) for seed in range(16)]
    expected = [service.client.post("/v1/classify?model=tiny", data).json for data in pictures]
    done = threading.Event()

    def misbehave(number: int) -> list[int]:
        statuses: list[int] = []
        cases = list(WRONG.values())
        while not done.is_set():
            wrong = cases[(number + len(statuses)) % len(cases)]
            statuses.append(wrong.send(service.client).status - wrong.status)
        return statuses

    def classify(number: int) -> None:
        for turn in range(20):
            index = (number + turn) % len(pictures)
            reply = service.client.post("/v1/classify?model=tiny", pictures[index])
            assert reply.status == 200, reply.data
            assert reply.json["predictions"] == expected[index]["predictions"]

    with ThreadPoolExecutor(16) as pool:
        bad = [pool.submit(misbehave, number) for number in range(8)]
        good = [pool.submit(classify, number) for number in range(8)]
        try:
            for future in good:
                future.result()
        finally:
            done.set()
        assert all(set(future.result()) == {0} for future in bad)
