"""Bodies that hold far more than they seem to, against a real process whose memory is watched. The
bound is that of docs/security.md."""

import gzip
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from inference.decode import BYTES_PER_PIXEL
from tests.inference.hostile import BOMBS, with_size
from tests.inference.test_decode_damaged import FILES
from tests.service.client import Client, png
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

PIXELS, BODY, THREADS, CLIENTS = 1_000_000, 1 << 20, 2, 8
BOUND = THREADS * (BYTES_PER_PIXEL * PIXELS + 3 * BODY) + CLIENTS * 4 * BODY
SLACK = 16 << 20  # what the interpreter and the allocator take at a time
CODING = {"Content-Encoding": "gzip"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("artifacts")
    write_tiny(repository)
    service = ServiceProcess(
        repository, "--drain-delay", "0", "--max-pixels", str(PIXELS), "--max-body-bytes",
        str(BODY), "--decode-threads", str(THREADS), "--model", "tiny:instances=1,threads=1",
    ).wait_until_ready()  # fmt: skip
    yield service
    assert service.stop() == 0, service.text
    assert "Traceback" not in service.text


def picture_bomb(source: random.Random) -> tuple[bytes, dict[str, str]]:
    make = source.choice(BOMBS)
    return make(source.randrange(30_000_000), source.randint(1, 90), source.randint(1, 90)), {}


def lying_header(source: random.Random) -> tuple[bytes, dict[str, str]]:
    data = FILES[source.choice(sorted(FILES))]
    return with_size(data, source.randrange(1 << 16), source.randrange(1 << 16)), {}


def largest_allowed(source: random.Random) -> tuple[bytes, dict[str, str]]:
    """A header that may be believed and pixels that are not there."""
    return with_size(FILES[source.choice(sorted(FILES))], 1000, 1000), {}


def gzip_bomb(source: random.Random) -> tuple[bytes, dict[str, str]]:
    return gzip.compress(bytes(source.randrange(1 << 24, 1 << 25)), 1), CODING


def bomb_in_gzip(source: random.Random) -> tuple[bytes, dict[str, str]]:
    return gzip.compress(picture_bomb(source)[0], 1), CODING


MAKERS = (picture_bomb, lying_header, largest_allowed, gzip_bomb, bomb_in_gzip)


def kilobytes(pid: int, name: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith(name)).split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux shows it")
def test_bombs_take_no_more_memory_than_is_stated(service: ServiceProcess) -> None:
    pid = service.process.pid
    for _ in range(20):
        assert service.client.post("/v1/classify", png()).status == 200
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the highest starts from now
    before = kilobytes(pid, "VmRSS") << 10

    def throw(number: int) -> Counter[tuple[str, int]]:
        source, seen, client = (
            random.Random(number),
            Counter[tuple[str, int]](),
            Client(service.url),
        )
        for turn in range(15):
            make: Callable[..., tuple[bytes, dict[str, str]]] = MAKERS[turn % len(MAKERS)]
            body, headers = make(source)
            reply = client.request("POST", "/v1/classify", body, headers)
            assert reply.error if reply.status != 200 else reply.json["predictions"]
            seen[make.__name__, reply.status] += 1
        client.close()
        return seen

    with ThreadPoolExecutor(CLIENTS) as pool:
        seen = sum(pool.map(throw, range(CLIENTS)), Counter[tuple[str, int]]())

    taken = (kilobytes(pid, "VmHWM") << 10) - before
    assert {status for _, status in seen} <= {200, 400, 413, 415, 422}, seen
    assert seen["gzip_bomb", 413] > 15
    assert taken < BOUND + SLACK, f"{taken:,} bytes, expected at most {BOUND:,}"
    assert service.client.post("/v1/classify", png()).status == 200


@pytest.mark.parametrize(
    ("body", "coding", "status", "message"),
    [
        pytest.param(gzip.compress(png()), "gzip", 200, "", id="gzip"),
        pytest.param(gzip.compress(bytes(9 * BODY)), "gzip", 413, "hold more than", id="bomb"),
        pytest.param(png(), "gzip", 400, "cannot be inflated as gzip", id="no-gzip"),
        pytest.param(gzip.compress(png())[:-5], "gzip", 400, "is cut off", id="cut-off"),
        pytest.param(png(), "br", 415, "expected gzip, deflate or none", id="other"),
        pytest.param(png(), "identity", 200, "", id="none"),
    ],
)
def test_compressed_bodies(
    service: ServiceProcess, body: bytes, coding: str, status: int, message: str
) -> None:
    reply = service.client.post("/v1/classify", body, Content_Encoding=coding)

    assert reply.status == status, reply.data
    assert status == 200 or message in reply.error
