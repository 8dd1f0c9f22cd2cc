"""TensorRT plans in the suite: made with a double of TensorRT, and named where it is missing."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.gpu import plan as suite
from benchmarks.gpu import plans, prepare
from benchmarks.gpu.__main__ import main
from benchmarks.gpu.journal import Journal
from benchmarks.gpu.scale import FULL
from benchmarks.gpu.step import Context
from benchmarks.gpu.table import tables
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now
from tests.doubles.install import install_doubles


@pytest.mark.full
def test_plan_is_made_for_every_batch_size_that_is_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_doubles(monkeypatch, 11)
    network, precision = "shufflenet_v2_x0_5", "fp16"
    options = ["--repository", str(tmp_path), "--device", "cuda", "--precision", precision]
    made = CliRunner().invoke(
        prepare.main, [network, *options, "--size", "32", "--format", "tensorrt"]
    )
    assert made.exit_code == 0, made.output
    context = Context("cuda", FULL, Journal(tmp_path), tmp_path)
    artifact = prepare.open_made(context, network, precision, plans.TENSORRT)
    plan = artifact.path(artifact.manifest.variants[0].file).read_bytes()
    profile = json.loads(plan.partition(b"\n")[0])["profile"]
    assert [shape[0] for shape in profile] == [min(FULL.few), 32, max(FULL.few)]


def test_steps_are_named_where_tensorrt_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        suite, "find_spec", lambda name: None if name == "tensorrt" else find_spec(name)
    )
    shown = CliRunner().invoke(main, ["--dry-run", "--stages", "tensorrt"])
    for step in ("artifacts", *(f"{network} fp16" for network in FULL.networks)):
        assert f"  {step}: left out, needs tensorrt" in shown.output


def test_plans_have_a_table_of_their_own() -> None:
    settings: dict[str, Scalar] = {
        "network": "mobilenet_v2", "precision": "fp16", "batch": 32, "way": "tensorrt",
        "base": "torch", "speed": 3.0, "speed_low": 2.5, "speed_high": 3.5,
    }  # fmt: skip
    found = Measurement(plans.NAME, settings, latencies([0.002]), fingerprint(), now())
    assert "### TensorRT beside PyTorch, end to end" in tables([found])
    assert "| tensorrt | 2,000 us | 3.00 (2.50 to 3.50) |" in tables([found])
