"""`stride loadtest` as it is typed, against a service of its own."""

import csv
import json
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from cli import run
from commands import loadtest, loadtest_options, loadtest_tables
from loadtest import scenario
from loadtest.gate import failures
from loadtest.goodput import find_goodput
from loadtest.load import Open
from loadtest.point import Point
from loadtest.search import Effort
from loadtest.slo import parse
from measuring.record import read_measurements, write_measurements
from tests.loadtest.grafana_double import GrafanaDouble
from tests.loadtest.lying_service import LyingService
from tests.loadtest.made_points import MODEL, point
from tests.service.process import STRIDE, ServiceProcess
from tests.tiny import write_tiny

BRIEF = ("--seconds", "0.3", "--warm-up", "0.1", "--invalid")
ROOT = Path(__file__).parents[2]
SHAPE = "instances=1,threads=1,max_batch=4"  # given, it need not be measured
ONE = (*BRIEF, "--model", "alone", "--batch-sizes", "1", "--concurrency", "2")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """One model with a floor beside it, and one without."""
    repository = tmp_path_factory.mktemp("repository")
    write_tiny(repository, "one")
    write_tiny(repository, "alone", size=8)
    process = ServiceProcess(
        repository,
        "--model",
        f"one:{SHAPE}",
        "--model",
        f"one:{SHAPE},runtime=null",
        "--model",
        f"alone:{SHAPE}",
    )
    yield process.wait_until_ready()
    assert process.stop() == 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def record_file(folder: Path) -> Path:
    (path,) = (folder / "results" / "loadtest").glob("*.jsonl")
    return path


def test_sweep_prints_tables_and_writes_records_and_csv(
    service: ServiceProcess, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        ["loadtest", "--url", service.url, *BRIEF, "--model", "one", "--batch-sizes", "1,4",
         "--concurrency", "2", "--slo", "p50=60s,errors=0", "--csv", "points.csv"]
    )  # fmt: skip

    printed, steps = capsys.readouterr()
    assert code == 0, steps
    assert "images/s by batch size, 2 connections" in printed
    assert "one-onnx-fp32-null (null: the floor)" in printed
    assert "n<...: n too small to claim it; answers needed: " in printed
    assert "the SLO is kept at all 2 points" in steps
    assert "records: results/loadtest/" in steps
    records = read_measurements(record_file(folder))
    assert [(it.settings["runtime"], it.settings["batch"]) for it in records] == [
        ("null", 1), ("onnxruntime", 1), ("null", 4), ("onnxruntime", 4)
    ]  # fmt: skip
    assert all(it.settings["kept"] for it in records if it.settings["asked"] == "one")
    for name in ("images_per_second", "stage inference", "server_cpu_per_image", "server_memory"):
        assert all(float(str(it.settings[name])) > 0.0 for it in records), name
    with (folder / "points.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["Batch Size"] for row in rows] == ["1", "1", "4", "4"]
    assert all(int(row["Server Compute Infer"]) >= 0 for row in rows)


def test_broken_slo_and_regression_fail_and_are_told_in_grafana_too(
    service: ServiceProcess,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STRIDE_GRAFANA_TOKEN", "good")
    double = GrafanaDouble("good")
    arguments = ["loadtest", "--url", service.url, *ONE, "--json"]

    broken = run([*arguments, "--slo", "p50=1us", "--grafana", double.url])
    double.stop()

    document = json.loads(capsys.readouterr().out)
    assert broken == 1
    assert document["passed"] is False
    (verdict,) = document["points"][0]["verdicts"]
    assert (verdict["bound"], verdict["kept"]) == ("p50=1us", False)
    assert document["points"][0]["latency"]["p99.9"] is None
    texts = [sent[2]["text"].partition(": ")[2] for sent in double.requests]
    assert texts[0] == "running"
    assert texts[1].startswith("FAILED (1): alone-onnx-fp32, batch 1, 2 connections: p50 is ")

    (record,) = read_measurements(record_file(folder))
    rates = ("images_per_second", "ci_low", "ci_high")
    faster = {name: 9.0 * float(str(record.settings[name])) for name in rates}
    write_measurements(
        folder / "before.jsonl",
        [replace(record, settings={**record.settings, **faster})],
    )
    slower = run([*arguments, "--baseline", "before.jsonl"])

    printed, steps = capsys.readouterr()
    assert slower == 1
    assert "FAILED: REGRESSION at alone, pixels, batch 1, 2 connections: images/s " in steps
    assert any(it["regression"] for it in json.loads(printed)["baseline"]["changes"])


def test_nobody_answers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:  # and not listened on
        taken.bind(("127.0.0.1", 0))
        code = run(["loadtest", "--url", f"127.0.0.1:{taken.getsockname()[1]}"])

    assert code == 3
    assert "is the service running there?" in capsys.readouterr().err
    assert not (folder / "results").exists()


def test_model_that_is_not_loaded(
    service: ServiceProcess, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["loadtest", "--url", service.url, "--model", "two"]) == 2

    assert "model 'two' is not loaded; this service has one-onnx-fp32 (one), one-onnx" in (
        capsys.readouterr().err
    )


def test_service_that_answers_wrongly_under_load(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with LyingService() as double:
        code = run(
            ["loadtest", "--url", double.url, *BRIEF, "--model", "liar", "--batch-sizes", "1",
             "--concurrency", "1"]
        )  # fmt: skip

    steps = capsys.readouterr().err
    assert code == 1, steps
    assert "FAILED: liar, batch 1, 1 connection: WRONG ANSWERS, " in steps
    assert "not finite: logits that are infinite or no numbers" in steps
    assert "expected at most" in steps


def test_scenario_whose_answer_is_another_one(
    service: ServiceProcess, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (16, 16), (200, 30, 30)).save(folder / "red.png")
    (folder / "gate.toml").write_text(
        '[[point]]\nmodel = "alone"\nconcurrency = 1\n'
        '[[content]]\nimage = "red.png"\nmodel = "alone"\nlabel = "postbox"\n'
    )

    assert run(["loadtest", "--url", service.url, "--scenario", "gate.toml"]) == 1

    told = capsys.readouterr().err
    assert "1 of 1 answers are wrong, so nothing was measured: red.png to alone: received " in told
    assert "'class " in told
    assert "expected 'postbox'" in told


def test_interrupted_test_keeps_what_was_measured(service: ServiceProcess, folder: Path) -> None:
    (folder / "two.toml").write_text(
        '[[point]]\nmodel = "alone"\nconcurrency = 1\nseconds = 0.2\nwarm_up = 0\n'
        '[[point]]\nmodel = "alone"\nrate = 10\nseconds = 600\n'
    )
    heard = ("env", "--default-signal=INT")  # also where the tests run in a shell's background
    command = [*heard, STRIDE, "loadtest", "--url", service.url, "--scenario", "two.toml"]
    process = subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    )
    assert process.stderr is not None
    before = ""
    for line in process.stderr:
        before += line
        if line.startswith("alone-onnx-fp32, batch 1, 1 connection: "):
            process.send_signal(signal.SIGINT)
            break
    output, errors = process.communicate(timeout=60)

    assert process.returncode == 130, before + errors
    assert "ended early: 1 of 2 are measured and kept" in errors
    assert "Traceback" not in errors
    assert "alone-onnx-fp32" in output
    (record,) = read_measurements(record_file(folder))
    assert record.settings["load"] == "1 connection"


def test_reason_that_ended_a_search_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    def late(rate: float) -> Point:
        return point(traffic=Open(rate), seconds=1.0, slo="p99=20ms", invalid=("sent late",))

    goodput = find_goodput(
        point().outcome.target, MODEL, parse("p99=20ms"), Effort(), probe=late, start=2.0
    )
    loadtest_tables.print_results([goodput], None)
    loadtest_tables.print_failures([goodput], failures([goodput]), complete=True)

    told = loadtest_tables.line(goodput) + "".join(capsys.readouterr())
    assert told.count("sent late") == 1
    assert "FAILED: small-onnx-fp32, batch 1, search: no rate was found that keeps p99=20ms" in told


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--batch-sizes", "1,x"), "--batch-sizes '1,x': 'x' is no whole number from 1"),
        (("--batch-sizes", "0"), "'0' is no whole number from 1"),
        (("--concurrency", ","), "--concurrency ',' names 0 values"),
        (("--rate", "fast"), "--rate 'fast': 'fast' is no number of requests per second"),
        (("--rate", "5", "--concurrency", "1"), "--concurrency and --rate are different loads"),
        (("--arrivals", "poisson"), "--arrivals poisson is of requests at a --rate"),
        (("--search",), "--search needs an --slo to keep"),
        (("--search", "--slo", "throughput=5"), "throughput is what it finds"),
        (("--slo", "p99=fast"), "'p99=fast' is no bound"),
        (("--seconds", "0"), "seconds is 0.0 s, expected 0.05 s to a week"),
        (("--processes", "0"), "processes is 0"),
        (("--url", "ftp://here"), "is no address of a service"),
        (("--grafana", "here"), "--grafana 'here' is no address"),
        (("--scenario", "no.toml"), "scenario no.toml cannot be read"),
        (("--baseline", "no.jsonl"), "no.jsonl cannot be read"),
        (
            ("--api-key-file", "no.txt"),
            "--api-key-file no.txt cannot be read: No such file or directory; expected",
        ),
        (("--scenario", "no.toml", "--slo", "p50=1s"), "--slo: the scenario no.toml says that"),
        (("--body", "gif"), "'gif' is not one of 'pixels', 'jpeg', 'png'"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert run(["loadtest", "--url", "127.0.0.1:1", *arguments]) == 2

    assert told in capsys.readouterr().err


def test_api_key_comes_from_a_file_or_the_environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIDE_API_KEY", "from-the-environment")
    (folder / "key").write_text("from-the-file\n")
    values = {"url": "localhost:8000/", "api_key_file": folder / "key"}

    given, usual = (
        loadtest_options.target({**values, **changes}) for changes in ({}, {"api_key_file": None})
    )

    assert (given.url, given.api_key) == ("http://localhost:8000", "from-the-file")
    assert usual.api_key == "from-the-environment"
    assert "from-the" not in repr(given)


def test_page_names_every_option_and_key() -> None:
    page = (ROOT / "docs" / "loadtest.md").read_text(encoding="utf-8")

    for option in loadtest.command.params:
        assert f"`{option.opts[0]}" in page, option.name
    for key in (*scenario.POINT, *scenario.CONTENT, "title"):
        assert f"`{key}" in page, key
