"""What is said when a plan cannot run, and that nothing is left on the GPU; against the doubles."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from inference.artifact import Artifact, describe
from inference.errors import ArtifactError, DeviceError, RuntimeMissingError
from measuring.gpu import Gpu
from measuring.pictures import varied_pictures
from tests.doubles.cuda_double import Error
from tests.doubles.install import Doubles, forget_importers, install_doubles
from tests.doubles.plan_artifact import build_artifact, change_artifact, open_plan

Build = Callable[..., Artifact]


@pytest.fixture(params=[10, 11], ids=["10.16", "11.4"])
def doubles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Doubles:
    return install_doubles(monkeypatch, request.param)


@pytest.fixture
def build(doubles: Doubles, tmp_path: Path) -> Build:
    return partial(build_artifact, tmp_path)


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
        open_plan(artifact)

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
        open_plan(artifact)

    assert doubles.cuda.left() == []


def test_engine_goes_on_after_a_capture_that_failed(doubles: Doubles, build: Build) -> None:
    engine = open_plan(build())
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
        open_plan(artifact)
    assert "deserialize_cuda_engine" not in doubles.trt.names()


def test_open_engine_plan_of_another_version_is_refused(build: Build) -> None:
    artifact = build()
    artifact = change_artifact(
        artifact, bound_to={**artifact.manifest.bound_to, "tensorrt": "10.3.0"}
    )

    with pytest.raises(ArtifactError, match=r"built for tensorrt 10\.3\.0, but here it is 1"):
        open_plan(artifact)


def test_open_engine_version_compatible_plan_runs_on_a_later_version(
    doubles: Doubles, build: Build
) -> None:
    artifact = build(version_compatible=True)
    doubles.trt.__version__ = "11.9.0"

    engine = open_plan(artifact)

    assert ("Runtime.engine_host_code_allowed =", True) in doubles.trt.calls
    engine.close()


def test_open_engine_ordinary_plan_may_bring_no_code(doubles: Doubles, build: Build) -> None:
    engine = open_plan(build())

    assert ("Runtime.engine_host_code_allowed =", False) in doubles.trt.calls
    engine.close()


def test_open_engine_plan_that_tensorrt_refuses_has_its_words(build: Build) -> None:
    artifact = build()
    path = artifact.path("model.plan")
    path.write_bytes(b"no plan")
    files = {**artifact.manifest.files, "model.plan": describe(path)}
    artifact = change_artifact(artifact, files=files)

    with pytest.raises(ArtifactError, match=r"refused model\.plan: ERROR: the plan is of another"):
        open_plan(artifact)


def test_open_engine_plan_with_other_outputs_is_refused(build: Build) -> None:
    artifact = build()
    artifact = change_artifact(artifact, labels=artifact.manifest.labels[:4])

    with pytest.raises(ArtifactError, match=r"the plan has .*\(-1, 5\).*expected .*\(-1, 4\)"):
        open_plan(artifact)


def test_open_engine_without_gpu_is_one_clear_error(doubles: Doubles, build: Build) -> None:
    artifact = build()
    doubles.cuda.devices = 0

    with pytest.raises(RuntimeMissingError, match=r"no NVIDIA GPU can be used here: .*NoDevice"):
        open_plan(artifact)


def test_open_engine_gpu_that_nobody_can_name_is_one_clear_error(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = build()
    forget_importers(monkeypatch)
    monkeypatch.setattr("measuring.gpu.gpu_at", {}.get)

    with pytest.raises(RuntimeMissingError, match=r'pip install "stride\[gpu\]"'):
        open_plan(artifact)
