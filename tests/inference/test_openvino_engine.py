"""What OpenVINO computes in, and that nothing else passes for it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest

from inference.artifact import Artifact, read_artifact
from inference.errors import ArtifactError, ParityError, RuntimeMissingError
from inference.manifest import Precision
from inference.open_engine import open_engine, open_unverified
from inference.parity import replay
from inference.reference import read_reference
from measuring.pictures import varied_pictures
from measuring.processor import processor
from tests.tiny_convolution import SIZE, write_convolution

pytest.importorskip("inference.openvino_engine", reason="OpenVINO is not installed")

from inference import openvino_engine
from inference.openvino_engine import OWN_MODEL, executed

# Eight bits of precision in each of 27 products of numbers around 1.
BFLOAT16_BOUND = 0.05

needs_bfloat16 = pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16"} & set(processor().features),
    reason="needs a processor that computes in bfloat16",
)


@pytest.mark.parametrize(
    ("precision", "bound", "received"),
    [
        pytest.param("fp32", 1e-5, "f32", id="fp32"),
        pytest.param("bf16", BFLOAT16_BOUND, "bf16", marks=needs_bfloat16, id="bf16"),
        pytest.param("int8", 1e-5, "u8", id="int8"),
    ],
)
def test_openvino_answers_in_the_precision_of_the_artifact(
    tmp_path: Path, precision: Precision, bound: float, received: str
) -> None:
    artifact = write_convolution(tmp_path, precision, bound=bound)
    engine = open_engine(artifact, runtime="openvino", threads=1)
    assert isinstance(engine, openvino_engine.OpenVinoEngine)
    assert engine.name == f"openvino cpu {precision}"
    for compiled in engine.compiled():
        assert executed(compiled)["Convolution", received] == 1
    engine.close()


@needs_bfloat16
def test_openvino_bfloat16_differs_by_more_than_float32_may(tmp_path: Path) -> None:
    """Otherwise the tests here could not tell the two apart."""
    artifact = write_convolution(tmp_path, "bf16")
    engine, variant = open_unverified(artifact, runtime="openvino", threads=1)
    parities = replay(engine, read_reference(artifact), bound=variant.parity.bound)
    assert not any(parity.holds for parity in parities)


@needs_bfloat16
def test_openvino_fp32_artifact_run_in_bfloat16_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By what was compiled, and, were that not read, by the golden pictures."""
    artifact = write_convolution(tmp_path, "fp32")
    monkeypatch.setitem(openvino_engine.HINTS, "fp32", "bf16")
    with pytest.raises(ArtifactError, match=r"runs 1 Convolution in bf16.* expected f32; "):
        open_engine(artifact, runtime="openvino", threads=1)
    monkeypatch.setattr(openvino_engine, "require_precision", lambda *_: None)
    with pytest.raises(ParityError, match=r"on openvino cpu fp32 does not answer .* precision"):
        open_engine(artifact, runtime="openvino", threads=1)


@pytest.mark.parametrize(
    ("precision", "hint", "file", "told"),
    [
        pytest.param("bf16", "f32", "fp32", r"Convolution in f32.* expected bf16; ", id="bf16"),
        pytest.param("int8", "f32", "fp32", "Convolution in f32.* expected f32 or i8", id="int8"),
        pytest.param("fp32", "f32", "int8", "Convolution in u8.* expected f32; ", id="fp32"),
    ],
)
def test_openvino_computing_in_another_precision_than_asked_for_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
    hint: str,
    file: Precision,
    told: str,
) -> None:
    """As the plugin does in silence where a processor lacks the instructions."""
    artifact = write_convolution(tmp_path, precision, file=file)
    monkeypatch.setitem(openvino_engine.HINTS, precision, hint)
    monkeypatch.setattr(openvino_engine, "_require_capability", lambda _: None)
    with pytest.raises(ArtifactError, match=told):
        open_engine(artifact, runtime="openvino", threads=1)


def test_openvino_precision_that_the_processor_lacks_is_refused(tmp_path: Path) -> None:
    """The plugin would take the hint for float16 and compute in another precision."""
    if "FP16" in openvino_engine.capabilities():
        pytest.skip("this processor computes in float16")
    artifact = write_convolution(tmp_path, "fp16")
    with pytest.raises(RuntimeMissingError, match="expected FP16 among them; open it with another"):
        open_engine(artifact, runtime="openvino", threads=1)


@pytest.mark.parametrize("batch", [1, OWN_MODEL, OWN_MODEL + 1, 20])
def test_openvino_batches_of_any_size_answer_alike(tmp_path: Path, batch: int) -> None:
    engine = open_engine(write_convolution(tmp_path, "fp32"), runtime="openvino", threads=1)
    pixels = varied_pictures(batch, SIZE, seed=2)
    alone = np.concatenate([engine.infer(pixels[i : i + 1]) for i in range(batch)])
    np.testing.assert_allclose(engine.infer(pixels), alone, atol=1e-5)


def test_openvino_compiles_once_for_each_small_batch_size(tmp_path: Path) -> None:
    engine = open_engine(write_convolution(tmp_path, "fp32"), runtime="openvino", threads=1)
    assert isinstance(engine, openvino_engine.OpenVinoEngine)
    before = len(engine.compiled())
    for batch in (2, 3, 2, OWN_MODEL + 1, 40):
        engine.infer(varied_pictures(batch, SIZE, seed=2))
    assert len(engine.compiled()) == before + 2


def test_openvino_answers_survive_the_next_call(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32")
    engine = open_engine(artifact, runtime="openvino", threads=1)
    first, second = varied_pictures(2, SIZE, seed=3)[:, None]
    logits = engine.infer(first)
    kept = logits.copy()
    assert not np.array_equal(engine.infer(second), kept)
    np.testing.assert_array_equal(logits, kept)


def test_openvino_refuses_a_file_that_is_no_model(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32")
    (artifact.directory / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(ArtifactError, match=r"cannot be opened by openvino: .*; rebuild it with"):
        open_engine(artifact, runtime="openvino", threads=1)


def test_openvino_refuses_a_graph_of_a_fixed_batch(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32")
    _fix_batch(artifact)
    with pytest.raises(ArtifactError, match=r"pixels uint8 \(2, 16, 16, 3\), expected .* N free"):
        open_engine(artifact, runtime="openvino", threads=1)


def test_openvino_reports_to_nobody_and_writes_nothing(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32")
    home = tmp_path / "home"
    home.mkdir()
    script = f"""
import sys
from pathlib import Path
seen = []
def watch(event, arguments):
    writes = event == "open" and set(str(arguments[1])) & set("wax+")
    if writes or event.startswith("socket.") or event in ("os.mkdir", "subprocess.Popen"):
        seen.append((event, str(arguments)))
sys.addaudithook(watch)
from inference.artifact import read_artifact
from inference.open_engine import open_engine
open_engine(read_artifact(Path({str(artifact.directory)!r})), runtime="openvino", threads=1)
print(seen, [name for name in sys.modules if name.startswith("openvino_telemetry.")])
"""
    command = [sys.executable, "-B", "-c", script]
    environment = os.environ | {"HOME": str(home)}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "[] []\n"
    assert list(home.iterdir()) == []


def _fix_batch(artifact: Artifact) -> None:
    path = artifact.directory / "model.onnx"
    model = onnx.load(path)
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_value = 2
    onnx.save_model(model, path)


def test_openvino_variant_of_an_artifact_that_onnxruntime_opens_too(tmp_path: Path) -> None:
    artifact = read_artifact(write_convolution(tmp_path, "fp32").directory)
    names = {
        open_engine(artifact, runtime=runtime, threads=1).name
        for runtime in ("auto", "onnxruntime", "openvino")
    }
    assert names == {"onnxruntime cpu fp32", "openvino cpu fp32"}


def test_openvino_takes_the_threads_it_was_given_and_pins_none(tmp_path: Path) -> None:
    engine = open_engine(write_convolution(tmp_path, "fp32"), runtime="openvino", threads=1)
    assert isinstance(engine, openvino_engine.OpenVinoEngine)
    for compiled in engine.compiled():
        assert compiled.get_property("INFERENCE_NUM_THREADS") == 1
        assert compiled.get_property("NUM_STREAMS") == 1
        assert compiled.get_property("ENABLE_CPU_PINNING") is False


def test_openvino_cuts_a_batch_that_its_threads_share_evenly(tmp_path: Path) -> None:
    engine = open_engine(write_convolution(tmp_path, "fp32"), runtime="openvino", threads=2)
    assert isinstance(engine, openvino_engine.OpenVinoEngine)
    pixels = varied_pictures(2 * OWN_MODEL, SIZE, seed=6)
    alone = np.concatenate([engine.infer(pixels[i : i + 1]) for i in range(len(pixels))])
    for batch in range(1, OWN_MODEL + 3):
        before = len(engine.compiled())
        np.testing.assert_allclose(engine.infer(pixels[:batch]), alone[:batch], atol=1e-6)
        if len(engine.compiled()) > before:
            streams = engine.compiled()[-1].get_property("NUM_STREAMS")
            assert streams == (2 if batch % 2 == 0 else 1)
    assert len(engine.compiled()) == 1 + OWN_MODEL
    engine.close()
