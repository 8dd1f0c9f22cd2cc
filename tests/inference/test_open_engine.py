import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from inference.artifact import read_artifact
from inference.choice import choose
from inference.errors import ArtifactError, ParityError
from inference.open_engine import open_engine, open_unverified
from inference.reference import read_reference
from measuring.errors import InputError
from measuring.processor import processor

Edit = Callable[..., None]

WITHOUT_TORCH = """
import sys
from pathlib import Path

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "onnx", "safetensors", "models", "exporters"):
            raise ImportError(f"No module named {name!r}")

sys.meta_path.insert(0, Refuse())
"""


def run(script: str) -> str:
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_open_engine_answers_as_the_reference(artifact_directory: Path) -> None:
    artifact = read_artifact(artifact_directory)
    engine = open_engine(artifact, threads=1)
    reference = read_reference(artifact)
    np.testing.assert_allclose(engine.infer(reference.pixels), reference.logits, atol=1e-3)
    assert engine.name == "onnxruntime cpu fp32"
    engine.close()


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_open_engine_tampered_weights_with_a_fixed_checksum_are_caught(
    artifact_directory: Path, change_manifest: Edit, runtime: str
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    path = artifact_directory / "model.onnx"
    model = onnx.load(path)
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    values = onnx.numpy_helper.to_array(weight).copy()
    values[1, 2] += 0.01
    weight.CopyFrom(onnx.numpy_helper.from_array(values, "weights"))
    onnx.save_model(model, path)
    change_manifest(artifact_directory, variants=(replace(variant, runtimes=(runtime,)),))
    artifact = read_artifact(artifact_directory)
    told = rf"mean-colour-onnx-fp32 on {runtime} cpu fp32 .*max \|dlogit\| is \d.*0\.001.*changed"
    with pytest.raises(ParityError, match=told):
        open_engine(artifact, threads=1)


def test_open_engine_null_answers_zeros_and_replays_nothing(artifact_directory: Path) -> None:
    engine = open_engine(read_artifact(artifact_directory), runtime="null")
    logits = engine.infer(np.ones((2, 8, 8, 3), np.uint8))
    assert logits.dtype == np.float32
    np.testing.assert_array_equal(logits, np.zeros((2, 5)))
    assert engine.name == "null (answers zeros)"
    engine.close()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param(
            {"runtime": "torch"},
            r"torch on cpu cannot open .*onnxruntime on cpu, .*onnxruntime-tensorrt on cuda$",
            id="format",
        ),
        pytest.param({"runtime": "onxruntime"}, "did you mean onnxruntime", id="misspelt"),
        pytest.param({"runtime": "caffe"}, "expected one of auto, onnxruntime", id="unknown"),
        pytest.param(
            {"device": "abacus"}, r"'abacus' cannot open .*onnxruntime on cpu", id="device"
        ),
        pytest.param({"runtime": "null", "device": "cuda"}, "'cuda', only on cpu", id="not-there"),
        pytest.param({"threads": 0}, "threads is 0, expected 1 or more", id="threads"),
    ],
)
def test_open_engine_impossible_request_says_what_is_possible(
    artifact_directory: Path, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        open_engine(read_artifact(artifact_directory), **options)


def test_open_engine_variant_for_runtimes_of_another_version(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    change_manifest(artifact_directory, variants=(replace(variant, runtimes=("future",)),))
    with pytest.raises(InputError, match="is for the runtimes future, of which this version"):
        open_engine(read_artifact(artifact_directory))


def test_open_engine_takes_the_first_variant_that_fits_the_processor(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    wishful = replace(variant, features=("abacus",))
    change_manifest(artifact_directory, variants=(wishful, variant))
    engine, chosen = open_unverified(read_artifact(artifact_directory))
    engine.close()
    assert chosen == variant


def test_open_engine_takes_a_variant_of_which_the_processor_has_one_feature(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    either = replace(variant, features=("abacus", processor().features[0]))
    change_manifest(artifact_directory, variants=(either, variant))
    assert choose(read_artifact(artifact_directory)).variant == either


def test_open_engine_takes_the_first_variant_for_the_device(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    assert variant.devices == ("cpu", "cuda")
    for_gpus, for_processors = (replace(variant, devices=(name,)) for name in ("cuda", "cpu"))
    change_manifest(artifact_directory, variants=(for_gpus, for_processors))
    artifact = read_artifact(artifact_directory)
    assert choose(artifact).variant == for_processors
    change_manifest(artifact_directory, variants=(for_gpus,))
    with pytest.raises(InputError, match=r"device 'cpu' cannot open mean-colour-onnx-fp32 \("):
        open_engine(read_artifact(artifact_directory))


def test_open_engine_no_variant_for_this_processor(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    change_manifest(artifact_directory, variants=(replace(variant, features=("abacus",)),))
    with pytest.raises(InputError, match=r"needs a processor with abacus; .*rebuild it here with"):
        open_engine(read_artifact(artifact_directory))


def test_open_engine_broken_reference_is_no_parity_error(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (artifact_directory / "reference.npz").write_bytes(b"nothing")
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match=r"reference\.npz cannot be read"):
        open_engine(read_artifact(artifact_directory))


def test_open_engine_and_verify_work_where_torch_is_not_installed(
    artifact_directory: Path,
) -> None:
    script = f"""{WITHOUT_TORCH}
from inference.artifact import find_artifacts, read_artifact
from inference.open_engine import open_engine
from inference.reference import read_reference
from inference.verify_artifact import verify_artifact
directory = Path({str(artifact_directory)!r})
(found,) = find_artifacts(directory.parent)
engine = open_engine(found.artifact, threads=1)
print(engine.infer(read_reference(found.artifact).pixels).shape)
print(verify_artifact(directory).holds)
assert not [m for m in sys.modules if m.partition(".")[0] in ("torch", "models")]
"""
    assert run(script) == "(16, 5)\nTrue\n"


def test_open_engine_missing_runtime_names_the_extra(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    change_manifest(artifact_directory, variants=(replace(variant, runtimes=("torch",)),))
    script = f"""{WITHOUT_TORCH}
from inference.artifact import read_artifact
from inference.errors import RuntimeMissingError
from inference.open_engine import open_engine
try:
    open_engine(read_artifact(Path({str(artifact_directory)!r})))
except RuntimeMissingError as error:
    print(error)
"""
    assert run(script) == (
        "runtime torch cannot be used: No module named 'torch'; "
        'install it with: pip install "stride[export]"\n'
    )
