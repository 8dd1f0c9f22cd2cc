from pathlib import Path

import pytest

from commands.measure_runtimes import measure
from inference.artifact import read_artifact
from inference.profiles import read_profile
from measuring.errors import InputError
from measuring.machine import fingerprint
from measuring.timing import Schedule
from tests.tiny import write_tiny
from tests.tiny_convolution import write_convolution

BRIEF = Schedule(runs=2, seconds=0.0, warmup=1, blocks=2)


def test_measure_prints_a_table_and_keeps_a_profile(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    profiles = tmp_path / "profiles"
    artifacts = [
        write_convolution(tmp_path, "fp32"),
        read_artifact(write_tiny(tmp_path, "other")),
    ]
    comparisons = measure(artifacts, profiles, schedule=BRIEF)
    assert [comparison.name for comparison in comparisons] == ["convolution", "other"]
    assert read_profile(profiles, fingerprint()).comparisons == comparisons
    printed, steps = capsys.readouterr()
    (best,) = (line for line in printed.splitlines() if "convolution" in line and "overall" in line)
    won = {w.batch: w.way.runtime for w in comparisons[0].winners if w.artifact is None}
    assert f"{won[None]} cpu fp32" in best
    assert "±" in best
    assert "images/s at 1" in printed
    assert f"profile: {profiles}" in steps


def test_measure_says_what_was_not_timed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    artifact = write_convolution(tmp_path, "int8", file="fp32")
    measure([artifact], tmp_path / "profiles", schedule=BRIEF)
    steps = " ".join(capsys.readouterr().err.split())
    assert "not timed: convolution-onnx-int8 with openvino on cpu: " in steps


def test_measure_with_a_damaged_profile_measures_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = fingerprint()
    (tmp_path / f"{machine.key}.json").write_text("nothing")
    with pytest.raises(InputError, match="the profile is damaged"):
        measure([write_convolution(tmp_path / "artifacts", "fp32")], tmp_path, schedule=BRIEF)
    assert capsys.readouterr() == ("", "")


def test_measure_quietly_prints_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (comparison,) = measure(
        [write_convolution(tmp_path, "fp32")], tmp_path / "profiles", quiet=True, schedule=BRIEF
    )
    assert comparison.timings
    assert capsys.readouterr() == ("", "")
