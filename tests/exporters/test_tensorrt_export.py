"""The calls that build a plan, against a double of TensorRT that knows the documented API."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from exporters.plan_options import BatchProfile, PlanOptions
from exporters.tensorrt_plan import write_plan
from inference.errors import RuntimeMissingError
from measuring.errors import CheckError, InputError, MissingError
from tests.doubles.install import GPU, Doubles, forget_importers, install_doubles
from tests.tiny import tiny_model

Build = Callable[..., Any]


@pytest.fixture(params=[10, 11], ids=["10.16", "11.4"])
def doubles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Doubles:
    return install_doubles(monkeypatch, request.param)


@pytest.fixture
def build(doubles: Doubles, tmp_path: Path) -> Build:
    """Builds the tiny model with these options."""

    def run(model: onnx.ModelProto | None = None, **options: Any) -> Any:
        graph = (model or _tiny()).SerializeToString()
        return doubles.export.build_plan(graph, PlanOptions(**options), cache_folder=tmp_path)

    return run


def _tiny() -> onnx.ModelProto:
    return tiny_model(np.ones((3, 5), np.float32), size=8)


def _heading(plan: bytes) -> dict[str, Any]:
    heading: dict[str, Any] = json.loads(plan.partition(b"\n")[0])
    return heading


def test_build_plan_is_strongly_typed_and_without_tf32(doubles: Doubles, build: Build) -> None:
    built = build()

    heading = _heading(built.plan)
    assert heading["strong"] is True
    assert heading["flags"] == []
    strong = int(doubles.trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    assert ("create_network", 1 << strong) in doubles.trt.calls
    assert ("clear_flag", "TF32") in doubles.trt.calls


def test_build_plan_has_the_batch_profile_that_was_asked_for(build: Build) -> None:
    built = build(batch=BatchProfile(2, 4, 16))

    assert _heading(built.plan)["profile"] == [[2, 8, 8, 3], [4, 8, 8, 3], [16, 8, 8, 3]]


def test_build_plan_calls_in_the_documented_order(doubles: Doubles, build: Build) -> None:
    build(workspace=1 << 21)

    assert doubles.trt.names() == [
        "create_network",
        "parse",
        "set_memory_pool_limit",
        "clear_flag",
        "IBuilderConfig.hardware_compatibility_level =",
        "set_shape",
        "add_optimization_profile",
        "create_timing_cache",
        "set_timing_cache",
        "build_serialized_network",
    ]
    assert ("set_memory_pool_limit", "WORKSPACE", 1 << 21) in doubles.trt.calls


def test_build_plan_says_what_it_is_bound_to(doubles: Doubles, build: Build) -> None:
    bound_to = build().bound_to

    assert bound_to["gpu"] == GPU.name
    assert bound_to["compute_capability"] == "9.0"
    assert bound_to["driver"] == "580.65.06"
    assert bound_to["tensorrt"] == doubles.trt.__version__
    assert bound_to["platform"]


def test_build_plan_that_travels_is_bound_to_less(doubles: Doubles, build: Build) -> None:
    built = build(version_compatible=True, hardware="ampere_plus")

    heading = _heading(built.plan)
    assert heading["flags"] == ["VERSION_COMPATIBLE"]
    assert heading["hardware"] == doubles.trt.HardwareCompatibilityLevel.AMPERE_PLUS
    assert "gpu" not in built.bound_to
    assert built.bound_to["compute_capability"] == ">=8.0"
    assert built.bound_to["tensorrt"] == f">={doubles.trt.__version__},<12"


def test_build_plan_keeps_the_log_without_every_tactic(build: Build) -> None:
    log = build().log

    assert "INFO: the engine was generated\n" in log
    assert "tactic" not in log


def test_build_plan_uses_the_timings_of_the_build_before(
    doubles: Doubles, build: Build, tmp_path: Path
) -> None:
    build()
    (kept,) = tmp_path.iterdir()
    build()

    given = [call[1] for call in doubles.trt.calls if call[0] == "create_timing_cache"]
    assert given == [b"", kept.read_bytes()]
    assert json.loads(given[1]) == [doubles.trt.__version__, ["timings of this build"]]
    assert ("set_timing_cache", False) in doubles.trt.calls


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param(b"\x00 no timings", id="damaged"),
        pytest.param(b'["9.9", []]', id="of-another-version"),
    ],
)
def test_build_plan_starts_anew_where_kept_timings_do_not_fit(
    doubles: Doubles, build: Build, tmp_path: Path, kept: bytes
) -> None:
    build()
    (path,) = tmp_path.iterdir()
    path.write_bytes(kept)
    doubles.trt.calls.clear()

    assert build().plan

    given = [call[1] for call in doubles.trt.calls if call[0] == "create_timing_cache"]
    assert given == [kept, b""]
    assert json.loads(path.read_bytes())[0] == doubles.trt.__version__


def test_build_plan_without_a_place_for_timings_says_so_in_the_log(
    doubles: Doubles, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    graph = _tiny().SerializeToString()

    built = doubles.export.build_plan(graph, PlanOptions(), cache_folder=file / "below")

    assert built.plan
    assert "WARNING: the timing cache" in built.log


def test_build_plan_of_a_graph_that_is_not_taken_has_the_parsers_words(build: Build) -> None:
    model = _tiny()
    cast = model.graph.node[0]
    cast.op_type, cast.input[0] = "Identity", "pixels"
    del cast.attribute[:]

    with pytest.raises(InputError, match=r"does not take the graph: node 0 Identity: uint8 has to"):
        build(model)


def test_build_plan_that_fails_has_the_logs_errors(doubles: Doubles, build: Build) -> None:
    doubles.trt.build_fails = True

    with pytest.raises(CheckError, match="could not build the plan: ERROR: no implementation was"):
        build()


def test_build_plan_without_gpu_is_one_clear_error(doubles: Doubles, build: Build) -> None:
    doubles.cuda.devices = 0

    with pytest.raises(RuntimeMissingError, match=r"no NVIDIA GPU can be used here: .*NoDevice"):
        build()


def test_write_plan_writes_the_plan_and_the_log(doubles: Doubles, tmp_path: Path) -> None:
    onnx.save_model(_tiny(), tmp_path / "in.onnx")

    bound_to = write_plan(tmp_path, tmp_path / "in.onnx", cache_folder=tmp_path / "cache")

    assert bound_to["tensorrt"] == doubles.trt.__version__
    assert (tmp_path / "model.plan").read_bytes().startswith(b'{"version"')
    assert "the engine was generated" in (tmp_path / "build.log").read_text()


def test_write_plan_without_tensorrt_says_what_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_importers(monkeypatch)
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    onnx.save_model(_tiny(), tmp_path / "in.onnx")

    with pytest.raises(MissingError, match=r'needs an NVIDIA GPU and: pip install "stride\[gpu\]"'):
        write_plan(tmp_path, tmp_path / "in.onnx")
    assert not (tmp_path / "model.plan").exists()
