"""Where ONNX Runtime computes and in what, and that nothing else passes for it."""

from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from inference.engine import Logits, Pixels
from inference.errors import ArtifactError, RuntimeMissingError
from inference.manifest import Precision
from inference.onnxruntime_binding import KEPT, BoundSession
from inference.onnxruntime_engine import CUDA_OPTIONS
from inference.onnxruntime_session import (
    CPU,
    CUDA,
    TENSORRT,
    SessionSettings,
    open_session,
    require_placement,
)
from inference.onnxruntime_tensorrt import tensorrt_options
from inference.open_engine import open_engine
from inference.parity import replay
from inference.reference import read_reference
from measuring.pictures import varied_pictures
from tests.tiny_convolution import CLASSES, SIZE, write_convolution

# Ten bits of precision in each of 27 products of numbers around 1.
FLOAT16_BOUND = 0.01
AZURE = "AzureExecutionProvider"  # in every build, and runs nothing here

PROVIDERS = {"onnxruntime": CUDA, "onnxruntime-tensorrt": TENSORRT}


@pytest.mark.parametrize(
    ("precision", "bound", "name"),
    [
        pytest.param("fp32", 1e-5, "onnxruntime cpu fp32", id="fp32"),
        pytest.param(
            "fp16", FLOAT16_BOUND, "onnxruntime cpu fp16 (computed in float32)", id="fp16"
        ),
        pytest.param("int8", 1e-5, "onnxruntime cpu int8", id="int8"),
    ],
)
def test_onnxruntime_opens_files_of_every_precision(
    tmp_path: Path, precision: Precision, bound: float, name: str
) -> None:
    engine = open_engine(write_convolution(tmp_path, precision, bound=bound), threads=1)
    assert engine.name == name
    assert engine.infer(np.zeros((2, SIZE, SIZE, 3), np.uint8)).dtype == np.float32


def test_onnxruntime_does_not_pass_float32_for_bfloat16(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "bf16")
    with pytest.raises(ArtifactError, match="would compute it in float32, expected bfloat16"):
        open_engine(artifact, runtime="onnxruntime", threads=1)


@pytest.mark.parametrize("runtime", PROVIDERS)
def test_onnxruntime_without_the_provider_says_what_to_install(
    tmp_path: Path, runtime: str
) -> None:
    if PROVIDERS[runtime] in ort.get_available_providers():
        pytest.skip(f"onnxruntime has {PROVIDERS[runtime]} here")
    told = rf'no {PROVIDERS[runtime]} .*here, only .*{CPU}; .*pip install "stride\[gpu\]"'
    with pytest.raises(RuntimeMissingError, match=told):
        open_engine(write_convolution(tmp_path, "fp32"), runtime=runtime, device="cuda")


def test_onnxruntime_that_overwrote_its_build_for_gpus_says_how_to_mend_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip installs both side by side without a word."""
    if CUDA in ort.get_available_providers():
        pytest.skip(f"onnxruntime has {CUDA} here")
    (tmp_path / "onnxruntime_gpu-1.31.1.dist-info").mkdir()
    metadata = "Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.31.1\n"
    (tmp_path / "onnxruntime_gpu-1.31.1.dist-info" / "METADATA").write_text(metadata)
    monkeypatch.syspath_prepend(tmp_path)
    artifact = write_convolution(tmp_path / "artifacts", "fp32")
    with pytest.raises(RuntimeMissingError, match=r"overwritten .*pip install onnxruntime-gpu==1"):
        open_engine(artifact, runtime="onnxruntime", device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize("runtime", PROVIDERS)
def test_onnxruntime_on_a_gpu_answers_as_the_reference(tmp_path: Path, runtime: str) -> None:
    if PROVIDERS[runtime] not in ort.get_available_providers():
        pytest.skip(f"onnxruntime has no {PROVIDERS[runtime]} here")
    artifact = write_convolution(tmp_path, "fp32", bound=1e-5)
    try:
        engine = open_engine(artifact, runtime=runtime, device="cuda", threads=1)
    except RuntimeMissingError as error:  # a wheel lists TensorRT's provider without its libraries
        pytest.skip(f"{PROVIDERS[runtime]} cannot start here: {error}")
    assert engine.name == f"{runtime} cuda fp32"
    assert all(parity.holds for parity in replay(engine, read_reference(artifact), bound=1e-5))


def test_onnxruntime_nodes_that_fell_back_to_the_processor_are_refused(tmp_path: Path) -> None:
    path = write_convolution(tmp_path, "fp32").directory / "model.onnx"
    told = f"would run .*Conv.* on the processor, expected all on {AZURE}"
    with pytest.raises(ArtifactError, match=told):
        open_session(path, SessionSettings(1, {AZURE: {}}))


def test_onnxruntime_provider_that_runs_nothing_is_refused(tmp_path: Path) -> None:
    path = write_convolution(tmp_path, "fp32").directory / "model.onnx"
    session = recording_session(path, [AZURE, CPU])
    require_placement(path, session, {CPU: {}})
    with pytest.raises(ArtifactError, match=f"runs no part of it on {AZURE}"):
        require_placement(path, session, {AZURE: {}, CPU: {}})


def test_onnxruntime_provider_that_did_not_start_is_refused(tmp_path: Path) -> None:
    path = write_convolution(tmp_path, "fp32").directory / "model.onnx"
    session = recording_session(path, [CPU])
    with pytest.raises(RuntimeMissingError, match=f"has {CUDA} and could not start it: .*driver"):
        require_placement(path, session, {CUDA: {}})


@pytest.mark.parametrize(
    ("provider", "said"),
    [
        pytest.param(TENSORRT, "Please install TensorRT libraries as mentioned", id="libraries"),
        pytest.param(CUDA, "CUDA failure 35: CUDA driver version is insufficient", id="driver"),
        pytest.param(CUDA, "CUDA failure 100: no CUDA-capable device is detected", id="GPU"),
    ],
)
def test_onnxruntime_provider_that_its_build_lists_and_that_cannot_start_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, provider: str, said: str
) -> None:
    """A build for GPUs on a machine that lacks what it needs, whose words are imitated."""

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError(f"/onnxruntime/provider.cc:1 {said}")

    monkeypatch.setattr(ort, "get_available_providers", lambda: [provider, CPU])
    monkeypatch.setattr(ort, "preload_dlls", lambda: None, raising=False)
    monkeypatch.setattr(ort, "InferenceSession", refuse)
    path = write_convolution(tmp_path, "fp32").directory / "model.onnx"
    with pytest.raises(RuntimeMissingError, match=f"has {provider} and could not start it"):
        open_session(path, SessionSettings(1, {provider: {}}))


@pytest.mark.parametrize("options", [CUDA_OPTIONS, tensorrt_options("fp16", SIZE)])
def test_onnxruntime_gpu_is_the_first_without_being_named(options: dict[str, str]) -> None:
    """ONNX Runtime warns of each session that names one: it has no plugin for it."""
    assert "device_id" not in options


def test_bound_session_answers_as_the_session_does(tmp_path: Path) -> None:
    """On the processor; on a GPU only the place of the memory is another."""
    bound, run = bound_session(tmp_path)
    pixels = varied_pictures(KEPT + 3, SIZE, seed=2)
    for batch in (1, 5, 1, *range(2, KEPT + 4), 1):
        np.testing.assert_array_equal(bound.run(pixels[:batch]), run(pixels[:batch]))


def test_bound_session_answers_survive_the_next_call(tmp_path: Path) -> None:
    bound, _ = bound_session(tmp_path)
    first, second = varied_pictures(2, SIZE, seed=3)[:, None]
    logits = bound.run(first)
    kept = logits.copy()
    assert not np.array_equal(bound.run(second), kept)
    np.testing.assert_array_equal(logits, kept)


def test_tensorrt_options_allow_one_precision_beside_float32() -> None:
    assert "trt_fp16_enable" not in tensorrt_options("fp32", SIZE)
    halved = tensorrt_options("fp16", SIZE)
    assert halved["trt_fp16_enable"] == "1"
    assert "trt_int8_enable" not in halved
    assert halved["trt_profile_max_shapes"] == "pixels:32x16x16x3"


class Plain:
    """The session as it is."""

    def __init__(self, session: ort.InferenceSession) -> None:
        self.session = session

    def __call__(self, pixels: Pixels) -> Logits:
        logits: Logits = self.session.run(["logits"], {"pixels": pixels})[0]
        return logits


def bound_session(tmp_path: Path) -> tuple[BoundSession, Plain]:
    path = write_convolution(tmp_path, "fp32").directory / "model.onnx"
    session = open_session(path, SessionSettings(1))
    return BoundSession(session, device="cpu", classes=CLASSES), Plain(session)


def recording_session(path: Path, providers: list[str]) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return ort.InferenceSession(path, options, providers=providers)
