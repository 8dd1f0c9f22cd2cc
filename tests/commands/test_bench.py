"""`stride bench` as it is typed."""

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import bench_plan
from benchmarks.bench_plan import Effort
from cli import run
from tests.tiny import write_tiny

BRIEF = Effort(blocks=3, seconds=0.0, rounds=1, percentile="p50", shapes=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With one artifact, and results beside it; --quick is over in a second."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench_plan, "QUICK", BRIEF)
    write_tiny(tmp_path / "artifacts")
    return tmp_path


def test_bench_prints_tables_and_says_what_ties(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "artifacts" / "broken").mkdir()
    assert run(["bench", "--quick", "--batch-sizes", "1,2", "--instances", "1,2"]) == 0
    printed, steps = capsys.readouterr()
    assert "batch 2" in printed
    assert "T(b) = t0 + a b" in printed
    assert "0 of 2 pairs differ by more than 3% (together at 1%, Holm); the other 2 are ties" in (
        printed
    )
    assert "3 blocks cannot tell any of 2 pairs apart" in printed
    assert printed.count("tie") >= 2
    assert "not timed: broken:" in steps
    assert "records: results/bench/" in steps
    assert "profile: profiles/" in steps


def test_bench_as_json_is_one_document(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [
        "bench",
        "tiny",
        "--quick",
        "--batch-sizes",
        "1,2",
        "--runtime",
        "onnxruntime,null",
    ]
    assert run([*arguments, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {it["runtime"] for it in document["points"]} == {"onnxruntime", "null"}
    assert all(it["latency"]["p50"] > 0.0 for it in document["points"])
    assert len(document["fits"]) == 2
    assert Path(document["records"]).exists()


def test_bench_goes_on_with_a_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--quick", "--batch-sizes", "1", "--json"]) == 0
    name = json.loads(capsys.readouterr().out)["run"]
    assert run(["bench", "--resume", name, "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["run"] == name
    assert len(again["points"]) == 1

    (folder / "photos" / "0").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(folder / "photos" / "0" / "a.png")
    assert run(["bench", "--resume", name, "--images", "photos"]) == 2
    assert "is finished and opens no engine again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["none"], "no artifact 'none'", id="artifact"),
        pytest.param(["--batch-sizes", "1,x"], "'x' is no number; expected 1,2,4", id="number"),
        pytest.param(["--batch-sizes", "0"], "--batch-sizes: 0, expected", id="zero"),
        pytest.param(["--percentile", "p42"], "'p42': expected one of p50, p90", id="percentile"),
        pytest.param(["--runtime", "torch"], "nothing to time: tiny-onnx-fp32 torch", id="runtime"),
        pytest.param(["--images", "nowhere"], "--images nowhere is no folder", id="images"),
        pytest.param(["--resume", "x"], "no run 'x' in results/bench, there are: none", id="run"),
        pytest.param(
            ["--resume", "x", "--quick"], "as the run was begun, received --quick", id="resume"
        ),
        pytest.param(
            ["--loadgen", "--resume", "x"], "--resume: not for --loadgen", id="loadgen-resume"
        ),
        pytest.param(
            ["--loadgen-full", "--loadgen-seconds", "3"], "leave --loadgen-seconds out", id="full"
        ),
        pytest.param(["--loadgen", "--server-rate", "-1"], "--server-rate: -1.0", id="rate"),
        pytest.param(["--loadgen", "--scenarios", "x"], "expected some of Single", id="scenario"),
        pytest.param(["--repository", "empty"], "no artifact in empty; make one", id="repository"),
    ],
)
def test_bench_of_what_cannot_be_ends_in_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    assert run(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_bench_of_a_damaged_profile_is_an_error_before_measuring(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from measuring.machine import fingerprint

    (folder / "profiles").mkdir()
    (folder / "profiles" / f"{fingerprint().key}.json").write_text("{")
    assert run(["bench", "--quick"]) == 2
    error = capsys.readouterr().err
    assert "the profile is damaged" in error
    assert "open:" not in error
