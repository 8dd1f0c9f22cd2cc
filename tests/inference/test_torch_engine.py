"""A real network as PyTorch runs it: eager, compiled, recorded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from inference.artifact import Artifact, describe, read_artifact
from inference.engine import Logits
from inference.errors import ArtifactError, ParityError, RuntimeMissingError
from inference.manifest import Precision, read_manifest, write_manifest
from inference.open_engine import open_engine
from inference.parity import spread
from inference.placement import Placement
from inference.reference import Reference, read_reference, write_reference
from inference.torch_arithmetic import require_arithmetic
from inference.torch_compiled_engine import compiled, require_compiler
from inference.torch_cudagraph_engine import LARGEST
from inference.torch_engine import TorchEngine
from inference.torch_network import open_network
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from measuring.processor import processor
from models.catalog import create
from models.pixels_in import PixelsIn
from tests.tiny import write_tiny

NETWORK, SIZE, CLASSES = "shufflenet_v2_x0_5", 32, 5
# Of the logits' spread: what rounding to eleven and to eight bits may add up to in 56 layers.
BOUNDS: dict[Precision, float] = {"fp32": 1e-4, "fp16": 0.02, "bf16": 0.1}

needs_bfloat16 = pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16", "bf16"} & set(processor().features),
    reason="needs a processor that computes in bfloat16",
)
needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
PRECISIONS = ["fp32", "fp16", pytest.param("bf16", marks=needs_bfloat16)]


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    """PyTorch has one number of threads for all tests."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """With BatchNorms as training leaves them: no two channels alike, answers that differ."""
    torch.manual_seed(0)
    made = create(NETWORK, CLASSES).train()
    with torch.no_grad():
        for seed in range(4):
            pixels = torch.from_numpy(varied_pictures(32, SIZE, seed))
            made(pixels.permute(0, 3, 1, 2).float() / 64 - 2)
        for parameter in cast(nn.Module, made.fc).parameters():
            parameter.mul_(10)
    return made.eval()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_torch_computes_in_the_precision_of_the_artifact(
    tmp_path: Path, network: nn.Module, precision: Precision
) -> None:
    artifact = write_network(tmp_path, network, precision)
    engine = open_engine(artifact, threads=1)
    assert engine.name == f"torch cpu {precision}"
    assert engine.infer(np.zeros((1, SIZE, SIZE, 3), np.uint8)).dtype == np.float32
    if precision != "fp32":
        with pytest.raises(ParityError, match=f"on torch cpu {precision} does not answer"):
            open_engine(with_bound(artifact, BOUNDS["fp32"]), threads=1)


def test_torch_network_runs_channels_last_in_one_type(tmp_path: Path, network: nn.Module) -> None:
    artifact = write_network(tmp_path, network, "fp16")
    opened = open_network(artifact, artifact.manifest.variants[0], Placement("cpu", 1))
    assert {parameter.dtype for parameter in opened.parameters()} == {torch.float16}
    first = next(parameter for parameter in opened.parameters() if parameter.ndim == 4)
    assert first.is_contiguous(memory_format=torch.channels_last)


def test_torch_weights_changed_by_a_byte_are_caught(tmp_path: Path, network: nn.Module) -> None:
    artifact = write_network(tmp_path, network, "fp32")
    path = artifact.directory / "model.safetensors"
    state = load_file(path)
    state["fc.bias"].view(torch.uint8)[2] ^= 0x80  # a bit of the first number's exponent
    save_file(state, path)
    with pytest.raises(ArtifactError, match=r"model\.safetensors has SHA-256 .*, expected"):
        read_artifact(artifact.directory)
    with pytest.raises(ParityError, match="does not answer as its network does"):
        open_engine(artifact, threads=1)


def test_torch_weights_of_another_network_are_refused(tmp_path: Path, network: nn.Module) -> None:
    artifact = write_network(tmp_path, network, "fp32", network_name="mobilenet_v2")
    with pytest.raises(ArtifactError, match=r"model\.safetensors is no mobilenet_v2 with 5"):
        open_engine(artifact, threads=1)


def test_torch_float32_takes_no_short_cuts(tmp_path: Path, network: nn.Module) -> None:
    torch.set_float32_matmul_precision("medium")
    open_engine(write_network(tmp_path, network, "fp32"), threads=1)
    assert torch.get_float32_matmul_precision() == "highest"
    assert not torch.backends.cudnn.allow_tf32


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
@pytest.mark.parametrize("runtime", ["torch", "torch-compiled", "torch-cudagraph", "torch-fused"])
def test_torch_without_a_gpu_says_what_is_missing(
    tmp_path: Path, network: nn.Module, runtime: str
) -> None:
    with pytest.raises(RuntimeMissingError, match=r"torch 2\.\S+ finds no GPU: expected a build"):
        open_engine(write_network(tmp_path, network, "fp32"), runtime=runtime, device="cuda")


@pytest.mark.parametrize(
    ("precision", "told"),
    [
        pytest.param("bf16", "processor does not compute in bfloat16, .* imitate", id="bf16"),
        pytest.param("int8", "torch does not compute in int8, expected one of fp32", id="int8"),
    ],
)
def test_torch_precision_that_is_not_here_is_refused(
    monkeypatch: pytest.MonkeyPatch, precision: Precision, told: str
) -> None:
    plain = replace(processor(), features=("avx2",))
    monkeypatch.setattr("inference.torch_arithmetic.processor", lambda: plain)
    with pytest.raises(RuntimeMissingError, match=told):
        require_arithmetic(precision, "cpu")


def test_torch_compiled_without_a_compiler_says_so(
    tmp_path: Path, network: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(RuntimeMissingError, match=r"there is no no-such-compiler; install one"):
        open_engine(write_network(tmp_path, network, "fp32"), runtime="torch-compiled", threads=1)


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
def test_torch_compiled_answers_every_batch_size_from_two_graphs() -> None:
    try:
        require_compiler()
    except RuntimeMissingError as error:
        pytest.skip(str(error))
    torch.manual_seed(0)
    small = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.ReLU(), nn.Flatten())
    network = PixelsIn(small, InputSpec(size=8, resize=8)).eval()
    engine = TorchEngine(compiled(network), name="torch-compiled cpu fp32", size=8)
    eager = TorchEngine(network, name="torch cpu fp32", size=8)
    pixels = varied_pictures(9, 8, seed=1)
    for batch in (1, 2):
        engine.infer(pixels[:batch])
    with torch.compiler.set_stance("fail_on_recompile"):
        for batch in (3, 9, 1, 4, 2):
            answers = engine.infer(pixels[:batch])
            np.testing.assert_allclose(answers, eager.infer(pixels[:batch]), rtol=1e-4)


@needs_cuda
@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("runtime", ["torch", "torch-cudagraph"])
def test_torch_on_a_gpu_answers_as_the_reference(
    tmp_path: Path, network: nn.Module, runtime: str, precision: Precision
) -> None:
    artifact = write_network(tmp_path, network, precision)
    engine = open_engine(artifact, runtime=runtime, device="cuda", threads=1)
    assert engine.name == f"{runtime} cuda {precision}"
    pixels = varied_pictures(LARGEST + 1, SIZE, seed=2)
    first = engine.infer(pixels[:2])
    kept: Logits = first.copy()
    for batch in (1, 3, LARGEST, LARGEST + 1):
        assert engine.infer(pixels[-batch:]).shape == (batch, CLASSES)
    np.testing.assert_array_equal(first, kept)
    limit = 2 * BOUNDS[precision] * spread(read_reference(artifact).logits)
    np.testing.assert_allclose(engine.infer(pixels[:2]), kept, atol=limit)


def write_network(
    repository: Path, network: nn.Module, precision: Precision, *, network_name: str = NETWORK
) -> Artifact:
    """A torch artifact with the golden answers that the network has in float64."""
    made = write_tiny(repository, "net", size=SIZE, classes=CLASSES)
    directory = made.rename(made.with_name(f"net-torch-{precision}"))
    (directory / "model.onnx").unlink()
    save_file(network.state_dict(), directory / "model.safetensors")
    manifest = read_manifest(directory)
    pixels = varied_pictures(16, SIZE, seed=1)
    with torch.inference_mode():
        exact = PixelsIn(network.double(), manifest.input, dtype=torch.float64)
        logits = exact(torch.from_numpy(pixels)).numpy()
        network.float()
    write_reference(directory, Reference(pixels, logits))
    (variant,) = manifest.variants
    parity = replace(variant.parity, bound=BOUNDS[precision] * spread(logits))
    changed = replace(
        manifest,
        id=directory.name,
        network=network_name,
        format="torch",
        precision=precision,
        variants=(replace(variant, file="model.safetensors", runtimes=("torch",), parity=parity),),
        files={name: describe(directory / name) for name in ("model.safetensors", "reference.npz")},
    )
    write_manifest(directory, changed)
    return read_artifact(directory)


def with_bound(artifact: Artifact, share: float) -> Artifact:
    """The same artifact, its bound another share of the logits' spread."""
    (variant,) = artifact.manifest.variants
    bound = share * spread(read_reference(artifact).logits)
    tighter = replace(variant, parity=replace(variant.parity, bound=bound))
    return replace(artifact, manifest=replace(artifact.manifest, variants=(tighter,)))
