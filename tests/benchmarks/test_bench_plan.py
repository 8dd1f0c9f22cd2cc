from pathlib import Path

import pytest

from benchmarks.bench_plan import FULL, QUICK, Sweep, make_plan
from inference.artifact import Artifact
from measuring.cores import available_cores
from measuring.errors import InputError
from measuring.machine import fingerprint
from measuring.percentiles import least_count
from tests.tiny_convolution import write_convolution


@pytest.fixture
def artifact(tmp_path: Path) -> Artifact:
    return write_convolution(tmp_path, "fp32")


def shapes(artifact: Artifact, sweep: Sweep) -> list[tuple[int, int]]:
    plan, _ = make_plan([artifact], sweep, machine=fingerprint())
    return [(it.instances, it.threads) for it in plan.candidates if it.runtime == "onnxruntime"]


def test_plan_untold_has_one_instance_and_one_for_each_core(artifact: Artifact) -> None:
    cores = available_cores()
    assert shapes(artifact, Sweep()) == list(dict.fromkeys([(1, cores), (cores, 1)]))
    assert shapes(artifact, Sweep(effort=QUICK)) == [(1, cores)]


def test_plan_told_instances_divides_the_cores(artifact: Artifact) -> None:
    cores = available_cores()
    assert shapes(artifact, Sweep(instances=(1, cores))) == list(
        dict.fromkeys([(1, cores), (cores, 1)])
    )
    assert shapes(artifact, Sweep(instances=(1, 3), threads=(1, 2))) == [
        *((1, 1), (1, 2), (3, 1), (3, 2))
    ]


def test_plan_leaves_out_a_runtime_that_does_not_fit(artifact: Artifact) -> None:
    sweep = Sweep(runtimes=("onnxruntime", "torch"))
    plan, left_out = make_plan([artifact], sweep, machine=fingerprint())
    assert {it.runtime for it in plan.candidates} == {"onnxruntime"}
    (reason,) = left_out.values()
    assert "torch on cpu cannot open convolution-onnx-fp32" in reason
    with pytest.raises(InputError, match=r"nothing to time: .* cannot open"):
        make_plan([artifact], Sweep(runtimes=("torch",)), machine=fingerprint())


@pytest.mark.parametrize("percentile", ["p50", "p90", "p99"])
@pytest.mark.parametrize("blocks", [12, 20, 30])
def test_plan_visits_often_enough_for_the_percentile(
    artifact: Artifact, percentile: str, blocks: int
) -> None:
    from dataclasses import replace

    sweep = Sweep(effort=replace(FULL, percentile=percentile))
    plan, _ = make_plan([artifact], sweep, machine=fingerprint())
    rank = float(percentile[1:])
    assert plan.visit(blocks).runs * blocks >= least_count(rank)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param({"batches": (0,)}, "--batch-sizes: 0, expected numbers from 1", id="batch"),
        pytest.param({"threads": (5000,)}, "--threads: 5000, expected", id="threads"),
        pytest.param({"instances": (0,)}, "--instances: 0, expected", id="instances"),
        pytest.param({"runtimes": ("onnxruntim",)}, "did you mean onnxruntime", id="runtime"),
    ],
)
def test_sweep_of_what_cannot_be_is_an_error(options: dict[str, tuple[int]], told: str) -> None:
    with pytest.raises(InputError, match=told):
        Sweep(**options)  # type: ignore[arg-type]
