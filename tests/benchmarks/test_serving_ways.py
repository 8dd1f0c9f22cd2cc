"""The ways that the serving benchmark compares, on a tiny artifact: do they answer the same?"""

import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import urllib3

from benchmarks import serving
from benchmarks.serving_limit import preparations
from benchmarks.serving_load import Post, drive, read_result
from benchmarks.serving_processes import Server, cpu_seconds, family, pinned
from benchmarks.serving_ways import RAW, Visit, bodies, limit, python, serve_command
from inference.artifact import read_artifact
from inference.classification import top_k
from inference.decode import decode
from inference.open_engine import open_engine
from inference.preprocess import preprocess
from measuring.errors import MissingError
from tests.tiny import SIZE, write_tiny

BODIES = bodies(SIZE)


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return write_tiny(tmp_path)


def post(url: str, body: bytes, **headers: str) -> urllib3.BaseHTTPResponse:
    reply = urllib3.request("POST", url, body=body, headers=headers, retries=False)
    assert reply.status == 200, reply.data
    return reply


def test_the_plain_service_answers_as_the_engine_does(artifact: Path) -> None:
    opened = read_artifact(artifact)
    engine = open_engine(opened, runtime="onnxruntime", threads=1)
    pixels = np.frombuffer(BODIES.tensor, np.uint8).reshape(1, SIZE, SIZE, 3)
    exact = preprocess(decode(BODIES.jpeg, max_pixels=10**6), opened.manifest.input)
    best = top_k(engine.infer(exact[None])[0], 5, opened.manifest.labels)
    command = python("benchmarks.baseline_service", str(artifact), "--processes", "2")
    with Server(command, ready="/readyz") as server:
        assert len(family(server.pid)) >= 3
        logits = np.frombuffer(post(f"{server.url}/infer", BODIES.tensor).data, np.float32)
        told = post(f"{server.url}/classify", BODIES.jpeg).json()
        assert server.cpu() > 0
    assert np.allclose(logits, engine.infer(pixels)[0], rtol=1e-5)
    assert [each["label"] for each in told] == [each.label for each in best]
    assert np.allclose(
        [each["probability"] for each in told], [each.probability for each in best], rtol=1e-4
    )
    engine.close()


def test_the_barest_service_answers_as_the_engine_does(artifact: Path) -> None:
    opened = read_artifact(artifact)
    engine = open_engine(opened, runtime="onnxruntime", threads=1)
    prepare = preparations(opened.manifest.input)
    with Server(python("benchmarks.bare_service", str(artifact)), ready="/") as server:
        for kind in serving.KINDS:
            data = BODIES.of(kind)
            logits = np.frombuffer(post(f"{server.url}/", data, **RAW).data, np.float32)
            assert np.allclose(logits, engine.infer(prepare[kind](data)[None])[0], rtol=1e-5)
    engine.close()


def test_the_limit_runs_the_engines_for_as_long_as_asked(artifact: Path, tmp_path: Path) -> None:
    with ExitStack() as stack:
        run = limit(stack, artifact, "onnxruntime", BODIES, tmp_path)
        for kind in ("jpeg", "tensor"):
            visit = run(kind, 2, 0.2)
            assert visit.requests == len(visit.latencies) > 2
            assert 0.2 <= visit.seconds < 1.0
            assert visit.generator_cpu == 0 < visit.cpu


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_wrk_drives_the_service_and_says_what_it_took(artifact: Path) -> None:
    command = serve_command(artifact, f"m={artifact.name}:runtime=onnxruntime")
    with Server(command, ready="/readyz") as server:
        good = Post(server.url, "/v2/models/m/infer", BODIES.tensor, RAW)
        load = drive(good, connections=2, seconds=1)
        wrong = drive(Post(server.url, "/v2/models/m/infer", b"?", RAW), connections=1, seconds=1)
    assert load.requests > 10
    assert load.failures == 0 < load.cpu
    assert len(load.latencies) >= load.requests
    assert load.rate == pytest.approx(load.requests / load.seconds)
    assert wrong.failures == wrong.requests > 0


def test_a_result_of_wrk_is_read_with_its_failures() -> None:
    load = read_result("requests 4\nduration 2000000\nrefused 1\nbroken 2\n100 3\n900 1\n", 0.5)
    assert load.latencies.tolist() == [1e-4, 1e-4, 1e-4, 9e-4]
    assert (load.rate, load.failures, load.cpu) == (2.0, 3, 0.5)


def test_a_server_that_ends_is_an_error_with_its_words() -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such thing')"]
    with pytest.raises(MissingError, match="no such thing"):
        Server(command, ready="/readyz")


def test_cpu_seconds_count_what_a_process_computes() -> None:
    code = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    command = [*pinned((min(os.sched_getaffinity(0)),)), sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert 0.25 <= cpu_seconds(process.pid) < 1.0
        process.kill()


def test_a_visit_that_others_disturb_is_repeated_and_in_the_end_marked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seconds = iter([0.0, 5.0, 5.0, 5.0])  # of the whole machine: others in the first visit alone
    monkeypatch.setattr(serving, "busy_seconds", lambda: next(seconds))
    visit = Visit(1, 1.0, np.array([1.0]), cpu=0.0, generator_cpu=0.0, failures=0)
    visits = []

    def run() -> Visit:
        visits.append(time.perf_counter())
        return visit

    assert serving.undisturbed(run) == (visit, ())
    assert len(visits) == 2
    always = iter(range(0, 1000, 10))
    monkeypatch.setattr(serving, "busy_seconds", lambda: float(next(always)))
    (reason,) = serving.undisturbed(run)[1]
    assert reason.startswith("other processes took")
    assert len(visits) == 2 + serving.ATTEMPTS
