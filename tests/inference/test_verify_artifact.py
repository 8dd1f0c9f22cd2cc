import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest

from inference.artifact import describe, read_artifact
from inference.errors import ArtifactError, RuntimeMissingError
from inference.manifest import write_manifest
from inference.reference import Reference, read_reference, write_reference
from inference.verify_artifact import choices, verify_artifact
from measuring.errors import InputError

Edit = Callable[..., None]


def test_verify_artifact_reports_both_replays(artifact_directory: Path) -> None:
    report = verify_artifact(artifact_directory)
    (entry,) = report.replayed
    assert report.holds
    assert (entry.runtime, entry.device, entry.file) == ("onnxruntime", "cpu", "model.onnx")
    assert [parity.images for parity in entry.parities] == [16, 16]


def test_verify_artifact_reports_figures_outside_the_bound(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    reference = read_reference(read_artifact(artifact_directory))
    write_reference(artifact_directory, Reference(reference.pixels, reference.logits + 0.5))
    change_manifest(artifact_directory)
    report = verify_artifact(artifact_directory)
    assert not report.holds
    assert report.replayed[0].parities[0].max_abs_dlogit == pytest.approx(0.5, abs=1e-3)


def test_verify_artifact_bound_of_the_manifest_decides(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    (variant,) = read_artifact(artifact_directory).manifest.variants
    tight = replace(variant, parity=replace(variant.parity, bound=1e-12))
    change_manifest(artifact_directory, variants=(tight,))
    assert not verify_artifact(artifact_directory).holds


def test_verify_artifact_zeros_prove_nothing(artifact_directory: Path) -> None:
    with pytest.raises(InputError, match="null answers zeros"):
        verify_artifact(artifact_directory, runtime="null")


def test_verify_artifact_damaged_file_is_an_error(artifact_directory: Path) -> None:
    np.savez(artifact_directory / "reference.npz", pixels=np.zeros(1))
    with pytest.raises(ArtifactError, match=r"reference\.npz has \d+ bytes, expected"):
        verify_artifact(artifact_directory)


def test_verify_artifact_replays_every_file_that_this_machine_can_run(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    """A file that is listed for several processors is replayed once."""
    (variant,) = read_artifact(artifact_directory).manifest.variants
    manifest = read_artifact(artifact_directory).manifest
    shutil.copy(artifact_directory / "model.onnx", artifact_directory / "plain.onnx")
    variants = (
        replace(variant, features=("abacus",)),
        replace(variant, file="plain.onnx"),
        variant,
        replace(variant, rewrites=("again",)),
    )
    files = {name: describe(artifact_directory / name) for name in (*manifest.files, "plain.onnx")}
    write_manifest(artifact_directory, replace(manifest, variants=variants, files=files))
    report = verify_artifact(artifact_directory)
    assert [entry.file for entry in report.replayed] == ["plain.onnx", "model.onnx"]


def test_verify_artifact_of_a_runtime_that_it_was_not_made_for(artifact_directory: Path) -> None:
    with pytest.raises(InputError, match=r"runtime torch on cpu cannot open .*onnxruntime on cpu"):
        verify_artifact(artifact_directory, runtime="torch")


def test_verify_artifact_replays_on_each_runtime_the_file_made_for_it(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    manifest = read_artifact(artifact_directory).manifest
    shutil.copy(artifact_directory / "model.onnx", artifact_directory / "openvino.onnx")
    (variant,) = manifest.variants
    variants = (
        replace(variant, file="openvino.onnx", runtimes=("openvino",)),
        replace(variant, runtimes=("onnxruntime", "openvino"), devices=("cpu",)),
        replace(variant, file="openvino.onnx", devices=("cuda",)),
    )
    names = (*manifest.files, "openvino.onnx")
    files = {name: describe(artifact_directory / name) for name in names}
    write_manifest(artifact_directory, replace(manifest, variants=variants, files=files))
    report = verify_artifact(artifact_directory)
    assert [(entry.runtime, entry.device, entry.file) for entry in report.replayed] == [
        ("onnxruntime", "cpu", "model.onnx"),
        ("openvino", "cpu", "openvino.onnx"),
        ("openvino", "cpu", "model.onnx"),
    ]
    assert report.holds
    (only,) = verify_artifact(artifact_directory, runtime="onnxruntime").replayed
    assert only.file == "model.onnx"


def test_verify_artifact_for_gpus_alone_says_what_is_missing(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("onnxruntime computes on GPUs here")
    (variant,) = read_artifact(artifact_directory).manifest.variants
    change_manifest(artifact_directory, variants=(replace(variant, devices=("cuda",)),))
    with pytest.raises(RuntimeMissingError, match=r"no CUDAExecutionProvider .*pip install"):
        verify_artifact(artifact_directory)


def test_verify_artifact_leaves_out_what_compiles_for_minutes_unless_named(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    """Both open the same file, and the network of the manifest is none that torch could make."""
    (variant,) = read_artifact(artifact_directory).manifest.variants
    both = replace(variant, runtimes=("onnxruntime", "torch"))
    change_manifest(artifact_directory, variants=(both,))
    artifact = read_artifact(artifact_directory)
    assert [choice.runtime for choice in choices(artifact, "auto")] == ["onnxruntime", "torch"]
    assert [c.runtime for c in choices(artifact, "torch-compiled")] == ["torch-compiled"]
