"""The calls that run a plan, against doubles of TensorRT and of CUDA that know the documented API
and compute with ONNX Runtime."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from exporters.plan_options import BatchProfile, PlanOptions
from exporters.tensorrt_plan import write_plan
from inference.artifact import Artifact, describe, read_artifact
from inference.errors import ArtifactError, DeviceError, RuntimeMissingError
from inference.manifest import Variant, read_manifest, write_manifest
from inference.open_engine import open_engine
from inference.reference import read_reference
from measuring.errors import InputError
from measuring.gpu import Gpu
from measuring.pictures import varied_pictures
from tests.doubles.cuda_double import Error
from tests.doubles.install import Doubles, forget_importers, install_doubles
from tests.tiny import write_tiny

Build = Callable[..., Artifact]


@pytest.fixture(params=[10, 11], ids=["10.16", "11.4"])
def doubles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Doubles:
    return install_doubles(monkeypatch, request.param)


@pytest.fixture
def build(doubles: Doubles, tmp_path: Path) -> Build:
    """The tiny artifact as a TensorRT artifact: a plan that the double built."""

    def run(**options: Any) -> Artifact:
        directory = write_tiny(tmp_path, "mean-colour", size=8, classes=5)
        bound_to = write_plan(
            directory,
            directory / "model.onnx",
            PlanOptions(**{"batch": BatchProfile(1, 4, 16), **options}),
            cache_folder=tmp_path / "cache",
        )
        plan = directory.rename(tmp_path / "mean-colour-tensorrt-fp32")
        manifest = read_manifest(plan)
        files = {"model.plan": describe(plan / "model.plan")}
        changed = replace(
            manifest,
            id=plan.name,
            format="tensorrt",
            bound_to=bound_to,
            variants=(Variant("model.plan", ("tensorrt",), manifest.parity[0], devices=("cuda",)),),
            files=files | {"reference.npz": manifest.files["reference.npz"]},
        )
        write_manifest(plan, changed)
        return read_artifact(plan)

    return run


def _open(artifact: Artifact) -> Any:
    return open_engine(artifact, runtime="tensorrt", device="cuda")


def _change(artifact: Artifact, **fields: Any) -> Artifact:
    write_manifest(artifact.directory, replace(artifact.manifest, **fields))
    return read_artifact(artifact.directory)


def test_open_engine_replays_the_golden_pictures(build: Build) -> None:
    artifact = build()
    engine = _open(artifact)

    assert engine.name == "tensorrt cuda fp32"
    assert engine.max_batch == 16
    reference = read_reference(artifact)
    logits = engine.infer(reference.pixels)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, reference.logits, atol=1e-3)
    engine.close()


def test_engine_answers_stay_when_the_next_batch_comes(build: Build) -> None:
    engine = _open(build())
    pixels = varied_pictures(6, 8, 2)

    together = engine.infer(pixels)
    kept = together.copy()
    alone = np.concatenate([engine.infer(pixels[i : i + 1]) for i in range(6)])

    np.testing.assert_array_equal(together, kept)
    np.testing.assert_allclose(alone, together, atol=1e-5)
    engine.close()


def test_engine_captures_one_graph_per_batch_size_and_repeats_it(
    doubles: Doubles, build: Build
) -> None:
    engine = _open(build())
    doubles.cuda.calls.clear()
    doubles.trt.calls.clear()
    pixels = varied_pictures(3, 8, 2)

    first = engine.infer(pixels)
    others = [engine.infer(pixels) for _ in range(3)]

    assert doubles.cuda.calls.count("cudaStreamBeginCapture") == 1
    assert doubles.cuda.calls.count("cudaGraphLaunch") == 4
    # Once to warm up and once to capture, never again.
    assert doubles.trt.names().count("execute_async_v3") == 2
    assert ("create_execution_context", "USER_MANAGED") in doubles.trt.calls
    for other in others:
        np.testing.assert_array_equal(other, first)
    engine.close()


def test_engine_without_graphs_enqueues_each_time(doubles: Doubles, build: Build) -> None:
    artifact = build()
    runtime = doubles.trt.Runtime(doubles.engine.Log())
    plan = runtime.deserialize_cuda_engine(artifact.path("model.plan").read_bytes())
    engine = doubles.engine.TensorRTEngine(runtime, plan, name="tensorrt", graphs=False)
    pixels = varied_pictures(2, 8, 2)

    np.testing.assert_array_equal(engine.infer(pixels), engine.infer(pixels))

    assert "cudaGraphLaunch" not in doubles.cuda.calls
    engine.close()


def test_engine_of_a_plan_for_large_batches_takes_small_ones(build: Build) -> None:
    engine = _open(build(batch=BatchProfile(4, 4, 8)))
    pixels = varied_pictures(3, 8, 2)

    logits = engine.infer(pixels)

    assert logits.shape == (3, 5)
    np.testing.assert_allclose(engine.infer(pixels[2:]), logits[2:], atol=1e-5)
    assert engine.max_batch == 8
    engine.close()


def test_engine_close_frees_everything_and_may_come_twice(doubles: Doubles, build: Build) -> None:
    engine = _open(build())
    engine.infer(varied_pictures(2, 8, 2))
    assert doubles.cuda.left()

    engine.close()
    engine.close()

    assert doubles.cuda.left() == []
    with pytest.raises(RuntimeError, match="is closed"):
        engine.infer(varied_pictures(2, 8, 2))


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        pytest.param((17, 8, 8, 3), "expected 1 <= N <= 16", id="too-many"),
        pytest.param((1, 9, 9, 3), r"expected uint8 \(N, 8, 8, 3\)", id="too-large"),
    ],
)
def test_engine_refuses_pixels_that_do_not_fit(
    build: Build, shape: tuple[int, ...], told: str
) -> None:
    engine = _open(build())
    with pytest.raises(InputError, match=told):
        engine.infer(np.zeros(shape, np.uint8))
    engine.close()


@pytest.mark.parametrize(
    "call", ["cudaMalloc", "cudaMallocHost", "cudaStreamCreateWithFlags", "cudaStreamEndCapture",
             "cudaGraphInstantiate", "cudaMemcpyAsync", "cudaStreamSynchronize"],
)  # fmt: skip
def test_open_engine_gpu_that_fails_is_named_and_nothing_is_left(
    doubles: Doubles, build: Build, call: str
) -> None:
    artifact = build()
    doubles.cuda.failing[call] = Error.cudaErrorMemoryAllocation

    with pytest.raises(DeviceError, match=r"cudaErrorMemoryAllocation \(text of"):
        _open(artifact)

    assert doubles.cuda.left() == []


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        pytest.param("enqueue_fails", "did not run a batch of 16", id="enqueue"),
        pytest.param("no_context", "gave no execution context", id="context"),
    ],
)
def test_open_engine_tensorrt_that_fails_is_a_device_error(
    doubles: Doubles, build: Build, failure: str, told: str
) -> None:
    artifact = build()
    setattr(doubles.trt, failure, True)

    with pytest.raises(DeviceError, match=told):
        _open(artifact)

    assert doubles.cuda.left() == []


def test_engine_goes_on_after_a_capture_that_failed(doubles: Doubles, build: Build) -> None:
    engine = _open(build())
    pixels = varied_pictures(5, 8, 2)
    doubles.cuda.failing["cudaMemcpyAsync"] = Error.cudaErrorIllegalAddress
    with pytest.raises(DeviceError, match="cudaErrorIllegalAddress"):
        engine.infer(pixels)

    doubles.cuda.failing.clear()

    assert engine.infer(pixels).shape == (5, 5)
    engine.close()


def test_open_engine_plan_of_another_gpu_is_refused_before_it_is_read(
    doubles: Doubles, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = build()
    other = Gpu("NVIDIA Other", driver="570.1", memory=1 << 34, capability="8.0", mig=False)
    monkeypatch.setattr(doubles.engine, "current_gpu", lambda: other)

    with pytest.raises(
        ArtifactError,
        match=r"built for gpu NVIDIA Test 100, but here it is NVIDIA Other; compute capability "
        r"9\.0, but here it is 8\.0; driver 580\.65\.06, but here it is 570\.1; rebuild it here "
        r"with: stride export tiny --format tensorrt",
    ):
        _open(artifact)
    assert "deserialize_cuda_engine" not in doubles.trt.names()


def test_open_engine_plan_of_another_version_is_refused(build: Build) -> None:
    artifact = build()
    artifact = _change(artifact, bound_to={**artifact.manifest.bound_to, "tensorrt": "10.3.0"})

    with pytest.raises(ArtifactError, match=r"built for tensorrt 10\.3\.0, but here it is 1"):
        _open(artifact)


def test_open_engine_version_compatible_plan_runs_on_a_later_version(
    doubles: Doubles, build: Build
) -> None:
    artifact = build(version_compatible=True)
    doubles.trt.__version__ = "11.9.0"

    engine = _open(artifact)

    assert ("Runtime.engine_host_code_allowed =", True) in doubles.trt.calls
    engine.close()


def test_open_engine_ordinary_plan_may_bring_no_code(doubles: Doubles, build: Build) -> None:
    engine = _open(build())

    assert ("Runtime.engine_host_code_allowed =", False) in doubles.trt.calls
    engine.close()


def test_open_engine_plan_that_tensorrt_refuses_has_its_words(build: Build) -> None:
    artifact = build()
    path = artifact.path("model.plan")
    path.write_bytes(b"no plan")
    files = {**artifact.manifest.files, "model.plan": describe(path)}
    artifact = _change(artifact, files=files)

    with pytest.raises(ArtifactError, match=r"refused model\.plan: ERROR: the plan is of another"):
        _open(artifact)


def test_open_engine_plan_with_other_outputs_is_refused(build: Build) -> None:
    artifact = build()
    artifact = _change(artifact, labels=artifact.manifest.labels[:4])

    with pytest.raises(ArtifactError, match=r"the plan has .*\(-1, 5\).*expected .*\(-1, 4\)"):
        _open(artifact)


def test_open_engine_without_gpu_is_one_clear_error(doubles: Doubles, build: Build) -> None:
    artifact = build()
    doubles.cuda.devices = 0

    with pytest.raises(RuntimeMissingError, match=r"no NVIDIA GPU can be used here: .*NoDevice"):
        _open(artifact)


def test_open_engine_gpu_that_nobody_can_name_is_one_clear_error(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = build()
    forget_importers(monkeypatch)
    monkeypatch.setattr("measuring.gpu.gpu_at", {}.get)

    with pytest.raises(RuntimeMissingError, match=r'pip install "stride\[gpu\]"'):
        _open(artifact)


def test_plan_is_built_from_a_graph_of_real_onnx(build: Build) -> None:
    plan = build().path("model.plan").read_bytes()

    onnx.checker.check_model(onnx.load_from_string(plan.partition(b"\n")[2]))
