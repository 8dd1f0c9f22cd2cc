"""A package that AOTInductor compiled here: one for all tests, since compiling takes a while."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from exporters.aoti_export import write_aoti
from exporters.export import export
from exporters.formats import recipes_for
from exporters.source import Source
from inference.artifact import Artifact, describe, read_artifact, rebuild_command
from inference.errors import ArtifactError, RuntimeMissingError
from inference.manifest import write_manifest
from inference.open_engine import open_engine, open_unverified
from inference.reference import read_reference
from inference.torch_compiled_engine import require_compiler
from measuring.errors import InputError
from models import Loaded

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def made(
    tmp_path_factory: pytest.TempPathFactory,
    load_as: Callable[..., Loaded],
    make_tiny: Callable[[], nn.Module],
) -> Artifact:
    try:
        require_compiler()
    except RuntimeMissingError as error:
        pytest.skip(str(error))
    return export(
        Source(load_as(make_tiny(), 16, 6), "tiny"),
        artifact_name="tiny",
        format="aoti",
        precision="fp32",
        repository=tmp_path_factory.mktemp("repository"),
    )


def altered(artifact: Artifact, bound_to: dict[str, str], data: bytes | None = None) -> Artifact:
    """The same artifact as another machine or a broken disk would show it."""
    manifest = artifact.manifest
    file = manifest.variants[0].file
    directory = artifact.directory.parent / f"altered-{len(bound_to)}-{data is None}"
    directory.mkdir()
    for name in manifest.files:
        (directory / name).write_bytes((artifact.directory / name).read_bytes())
    if data is not None:
        (directory / file).write_bytes(data)
    files = {name: describe(directory / name) for name in manifest.files}
    write_manifest(directory, replace(manifest, bound_to=bound_to, files=files))
    return read_artifact(directory)


def test_package_answers_any_batch_size_without_the_networks_code(made: Artifact) -> None:
    """In a process that cannot import them; the golden answers are the original's in float64."""
    code = (
        "import sys; from pathlib import Path\n"
        "sys.modules['models'] = sys.modules['exporters'] = None\n"
        "from inference.artifact import read_artifact\n"
        "from inference.open_engine import open_engine\n"
        "from inference.reference import read_reference\n"
        "artifact = read_artifact(Path(sys.argv[1]))\n"
        "engine = open_engine(artifact, threads=1)  # replays the golden pictures\n"
        "pixels = read_reference(artifact).pixels\n"
        "print(engine.name, *(engine.infer(pixels[:batch]).shape for batch in (1, 2, 7, 16)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(made.directory)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "aoti cpu fp32 (1, 6) (2, 6) (7, 6) (16, 6)"


def test_package_is_bound_to_what_it_was_compiled_for(made: Artifact) -> None:
    assert made.manifest.bound_to["torch"] == torch.__version__
    assert "processor" in made.manifest.bound_to
    assert "--format aoti --precision fp32" in rebuild_command(made)
    with pytest.raises(ArtifactError, match=r"processor Z80, but here it is .*--format aoti"):
        open_engine(altered(made, made.manifest.bound_to | {"processor": "Z80"}))


def test_package_for_a_gpu_says_so_in_its_command(made: Artifact) -> None:
    on_gpu = replace(made.manifest, bound_to={"gpu": "NVIDIA H200", "torch": "2.13.0"})
    assert "--device cuda" in rebuild_command(replace(made, manifest=on_gpu))


def test_package_that_torch_cannot_read_is_refused(made: Artifact) -> None:
    broken = altered(made, made.manifest.bound_to | {"torch": torch.__version__}, b"no package")
    with pytest.raises(ArtifactError, match=r"refused cpu\.pt2: .*rebuild it with: stride export"):
        open_unverified(broken)


def test_engine_takes_pixels_that_cannot_be_written(made: Artifact) -> None:
    reference = read_reference(made)
    pixels = reference.pixels.copy()
    pixels.flags.writeable = False
    engine = open_engine(made, threads=1)
    np.testing.assert_allclose(engine.infer(pixels), reference.logits, atol=1e-3)


def test_nothing_is_compiled_without_a_compiler(
    tmp_path: Path,
    load_as: Callable[..., Loaded],
    make_tiny: Callable[[], nn.Module],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    loaded = load_as(make_tiny(), 16, 6)
    with pytest.raises(RuntimeMissingError, match="there is no no-such-compiler; install one"):
        write_aoti(
            tmp_path / "x.pt2", loaded.network, loaded.input_spec,
            dtype=torch.float32, device="cpu",
        )  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA GPU here")
def test_package_for_a_gpu_that_is_not_here_says_what_to_do(
    tmp_path: Path, load_as: Callable[..., Loaded], make_tiny: Callable[[], nn.Module]
) -> None:
    source = Source(load_as(make_tiny(), 16, 6), "tiny")
    with pytest.raises(RuntimeMissingError, match=r"finds no GPU.*export for the processor"):
        export(
            source, artifact_name="tiny", format="aoti", precision="fp16", repository=tmp_path,
            recipes=recipes_for("aoti", "fp16", "cuda"),
        )  # fmt: skip


def test_precision_that_is_not_compiled_is_named() -> None:
    with pytest.raises(InputError, match=r"int8.*aoti: expected one of fp32, fp16, bf16"):
        recipes_for("aoti", "int8")
