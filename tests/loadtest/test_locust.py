"""The locustfile as people start it: headless, from a master with workers, in its web page."""

import re
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson
import pytest
import urllib3

from tests.loadtest.locust_process import Ended, LocustProcess
from tests.loadtest.lying_service import LyingService
from tests.service.process import ServiceProcess
from tests.tiny import write_tiny

HEADLESS = ("--headless", "--only-summary")
ONE = ("--model", "one", "--picture", "jpeg-224")
NOBODY = "http://127.0.0.1:9"
ALL = ("classify jpeg-224", "infer x1", "infer x8", "compare jpeg-224")
LARGE = ("classify png-375", "infer x2", "infer x4", "infer x16", "infer x32", "infer x64")
"""What is seldom asked for: the rows of the run that forks its workers."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    repository = tmp_path_factory.mktemp("repository")
    write_tiny(repository, "one")
    write_tiny(repository, "two", seed=1)
    process = ServiceProcess(repository)
    yield process.wait_until_ready()
    assert process.stop() == 0


@pytest.fixture(scope="module")
def lying() -> Iterator[LyingService]:
    with LyingService() as double:
        yield double


@pytest.fixture(scope="module")
def runs(
    service: ServiceProcess, lying: LyingService, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, LocustProcess]]:
    """All at once, since each of them mostly waits."""
    arguments = {
        "alone": (
            "--host", service.url, *ONE, "-u", "4", "-r", "4", "-t", "2", "--batch-size", "1", "8",
            "--mix", "pictures=1,pixels=2,compare=1",
        ),
        "lies": (
            "--host", lying.url, "--model", "liar", "--mix", "pixels=1", "--bodies", "2", "-t", "2",
        ),
        "ramp": (
            "--host", service.url, *ONE, "--mix", "pixels=1", "-u", "2", "-t", "4", "--steps", "2",
            "--shape", "ramp", "--slo", "p50=1us",
        ),
        "nobody": ("--host", NOBODY, *ONE, "-t", "2"),
        "unknown": ("--host", service.url, "--model", "three", "-t", "2"),
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("runs")
    started = {
        name: LocustProcess(folder / name, *HEADLESS, *words, installed=True)
        for name, words in arguments.items()
    }
    started |= master_and_workers(folder, service.url)
    port = str(free_port())
    started["forking"] = LocustProcess(
        folder / "forking", *HEADLESS, "--processes", "2", "--master-bind-host", "127.0.0.1",
        "--master-bind-port", port, "--master-port", port, "--host", service.url, "--model", "one",
        "-u", "6", "-r", "6", "-t", "2", "--mix", "pictures=1,pixels=2", "--picture", "png-375",
        "--batch-size", "2", "4", "16", "32", "64",
    )  # fmt: skip
    yield started
    for process in started.values():
        process.close()


def master_and_workers(folder: Path, url: str) -> dict[str, LocustProcess]:
    port = str(free_port())
    commands = {
        "master": (
            *HEADLESS, "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port,
            "--expect-workers", "2", "--host", url, *ONE, "-u", "8", "-r", "8", "-t", "1",
            "--batch-size", "1", "8",
        ),
        "first worker": ("--worker", "--master-port", port),
        "second worker": ("--worker", "--master-port", port),
    }  # fmt: skip
    return {
        name: LocustProcess(folder / name, *words, tables=name == "master")
        for name, words in commands.items()
    }


def check_requests(ended: Ended, names: Sequence[str]) -> None:
    """Some of each of these rows, all of them right, and no others."""
    assert ended.code == 0, ended.log
    assert not ended.failures
    assert {name for kind, name in ended.rows if kind == "POST"} == set(names)
    assert ended.requests("Aggregated", "") == sum(ended.requests(name) for name in names)


def check_tables(ended: Ended) -> None:
    """Rows of each kind of user and of each stage, which all requests are not counted among."""
    check_requests(ended, ALL)
    for group, stage in (("classify", "decode"), ("infer x8", "inference"), ("compare", "total")):
        assert ("stage", f"{group}: {stage}") in ended.rows
        assert f"{group}: {stage}" in ended.html
    assert ended.requests("infer x8: total", "stage") == ended.requests("infer x8")
    client, told = ended.rows["POST", "infer x8"], ended.rows["stage", "infer x8: total"]
    assert 0.0 < float(told["50%"]) < float(client["50%"])
    assert any("." in row["50%"] for row in ended.rows.values()), "milliseconds alone"


def test_a_headless_run_has_rows_for_users_and_stages(runs: dict[str, LocustProcess]) -> None:
    check_tables(runs["alone"].wait())


def test_wrong_answers_are_failures_that_say_what_came(runs: dict[str, LocustProcess]) -> None:
    ended = runs["lies"].wait()
    assert ended.code == 1, ended.log
    told = " ".join(ended.failures)
    for words in (
        'status 503: {"error":"no room for 1 image"}, expected status 200',
        "not finite: logits that are infinite or no numbers",
        "wrong shape: 28 bytes of logits, expected 32",
        "wrong answer: the logits of picture 0",
        "no answer:",
    ):
        assert words in told, told
    failed = sum(ended.failures.values())
    assert ended.rows["POST", "infer x1"]["Failure Count"] == str(failed)
    right = ended.requests("infer x1") - failed
    assert ended.requests("infer x1: total", "stage") == right > 0
    assert ended.rows["stage", "infer x1: inference"]["50%"] == "1.25"


def test_a_ramp_ends_where_the_slo_breaks(runs: dict[str, LocustProcess]) -> None:
    ended = runs["ramp"].wait()
    assert ended.code == 1, ended.log
    assert re.search(r"step 1 of 2, 1 users: [\d.,]+ requests/s, p50 ", ended.log)
    assert "p50=1us broke at 1 users; no step is known to have kept it" in ended.log
    assert "step 2" not in ended.log


@pytest.mark.parametrize(
    ("run", "code", "words"),
    [
        pytest.param("nobody", 3, f"no answer from {NOBODY}", id="nobody-listens"),
        pytest.param("unknown", 2, "loaded: one-onnx-fp32 = one", id="model-is-not-loaded"),
    ],
)
def test_mistakes_end_the_run_before_it_begins(
    runs: dict[str, LocustProcess], run: str, code: int, words: str
) -> None:
    ended = runs[run].wait()
    assert ended.code == code
    assert words in ended.log
    assert "Traceback" not in ended.log


def test_a_master_adds_up_what_its_workers_did(runs: dict[str, LocustProcess]) -> None:
    ended = runs["master"].wait()
    check_tables(ended)
    assert "2 workers connected" in ended.log
    for worker in ("first worker", "second worker"):
        assert runs[worker].wait().code == 0


def test_forked_workers_ask_with_png_and_large_batches(runs: dict[str, LocustProcess]) -> None:
    ended = runs["forking"].wait()
    check_requests(ended, LARGE)
    assert "2 workers connected" in ended.log
    for name in LARGE[1:]:
        assert ended.requests(f"{name}: total", "stage") == ended.requests(name)


def test_the_page_offers_the_options_and_runs_with_them(
    service: ServiceProcess, tmp_path: Path
) -> None:
    port = free_port()
    locust = LocustProcess(tmp_path, "--web-host", "127.0.0.1", "--web-port", str(port))
    page = urllib3.HTTPConnectionPool(
        "127.0.0.1", port, retries=urllib3.Retry(100, backoff_max=0.1)
    )
    try:
        text = first_page(page)
        for option in ("model", "mix", "batch_size", "picture", "shape", "user_rate", "slo"):
            assert f'"{option}": {{"choices"' in text
        fields = [
            ("user_count", "2"), ("spawn_rate", "2"), ("host", service.url), ("model", "two"),
            ("mix", "pixels=1"), ("batch_size", "2"), ("batch_size", "4"), ("picture", "jpeg-224"),
        ]  # fmt: skip
        answer = page.request("POST", "/swarm", fields=fields, encode_multipart=False)
        assert orjson.loads(answer.data)["success"], answer.data
        rows = await_rows(page, {"infer x2", "infer x4", "infer x4: inference"})
        assert "classify jpeg-224" not in rows
        page.request("GET", "/stop")
    finally:
        page.close()
        locust.process.terminate()
    assert locust.wait().code == 0


def first_page(page: urllib3.HTTPConnectionPool) -> str:
    """What it shows as soon as it listens."""
    until = time.monotonic() + 60.0
    while True:
        try:
            return page.request("GET", "/").data.decode()
        except urllib3.exceptions.HTTPError:
            assert time.monotonic() < until
            time.sleep(0.1)


def await_rows(page: urllib3.HTTPConnectionPool, wanted: set[str]) -> set[str]:
    """Names of the rows, when those wanted are among them."""
    until = time.monotonic() + 30.0
    while True:
        stats = orjson.loads(page.request("GET", "/stats/requests").data)
        names = {row["name"] for row in stats["stats"]}
        if wanted <= names:
            return names
        assert time.monotonic() < until, stats
        time.sleep(0.1)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
