"""The calls that run a plan, against doubles of TensorRT and of CUDA that know the documented API
and compute with ONNX Runtime."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from exporters.plan_options import BatchProfile
from inference.artifact import Artifact
from inference.reference import read_reference
from measuring.errors import InputError
from measuring.pictures import varied_pictures
from tests.doubles.install import Doubles, install_doubles
from tests.doubles.plan_artifact import build_artifact, open_plan

Build = Callable[..., Artifact]


@pytest.fixture(params=[10, 11], ids=["10.16", "11.4"])
def doubles(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Doubles:
    return install_doubles(monkeypatch, request.param)


@pytest.fixture
def build(doubles: Doubles, tmp_path: Path) -> Build:
    return partial(build_artifact, tmp_path)


def test_open_engine_replays_the_golden_pictures(build: Build) -> None:
    artifact = build()
    engine = open_plan(artifact)

    assert engine.name == "tensorrt cuda fp32"
    assert engine.max_batch == 16
    reference = read_reference(artifact)
    logits = engine.infer(reference.pixels)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(logits, reference.logits, atol=1e-3)
    engine.close()


def test_engine_answers_stay_when_the_next_batch_comes(build: Build) -> None:
    engine = open_plan(build())
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
    engine = open_plan(build())
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
    engine = open_plan(build(batch=BatchProfile(4, 4, 8)))
    pixels = varied_pictures(3, 8, 2)

    logits = engine.infer(pixels)

    assert logits.shape == (3, 5)
    np.testing.assert_allclose(engine.infer(pixels[2:]), logits[2:], atol=1e-5)
    assert engine.max_batch == 8
    engine.close()


def test_engine_close_frees_everything_and_may_come_twice(doubles: Doubles, build: Build) -> None:
    engine = open_plan(build())
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
    engine = open_plan(build())
    with pytest.raises(InputError, match=told):
        engine.infer(np.zeros(shape, np.uint8))
    engine.close()


def test_log_keeps_errors_and_leaves_the_verbose_out(doubles: Doubles) -> None:
    log = doubles.engine.Log()
    assert log.errors() == "TensorRT gave no reason"
    for severity in (log.VERBOSE, log.INFO, log.ERROR):
        log.log(severity, f"said at {severity.name}")

    assert list(log.lines) == ["INFO: said at INFO", "ERROR: said at ERROR"]
    assert log.errors() == "ERROR: said at ERROR"
    for number in range(20_000):
        log.log(log.WARNING, f"warning {number}")
    assert len(log.lines) == 10_000
    assert log.lines[-1] == "WARNING: warning 19999"


def test_plan_is_built_from_a_graph_of_real_onnx(build: Build) -> None:
    plan = build().path("model.plan").read_bytes()

    onnx.checker.check_model(onnx.load_from_string(plan.partition(b"\n")[2]))
