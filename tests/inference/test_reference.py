from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from inference.artifact import read_artifact
from inference.errors import ArtifactError
from inference.reference import Reference, read_reference, write_reference

Edit = Callable[..., None]


def test_read_reference_gives_what_was_written(artifact_directory: Path) -> None:
    reference = read_reference(read_artifact(artifact_directory))
    assert (reference.pixels.shape, reference.pixels.dtype.name) == ((16, 8, 8, 3), "uint8")
    assert (reference.logits.shape, reference.logits.dtype.name) == ((16, 5), "float64")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        pytest.param(b"", "cannot be read", id="empty"),
        pytest.param(b"PK\x03\x04 and then nothing", "cannot be read", id="truncated"),
        pytest.param(b"plain text", "cannot be read", id="no-archive"),
    ],
)
def test_read_reference_unreadable_file_with_a_right_checksum(
    artifact_directory: Path, change_manifest: Edit, content: bytes, told: str
) -> None:
    (artifact_directory / "reference.npz").write_bytes(content)
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match=told):
        read_reference(read_artifact(artifact_directory))


def test_read_reference_cut_off_archive(artifact_directory: Path, change_manifest: Edit) -> None:
    path = artifact_directory / "reference.npz"
    path.write_bytes(path.read_bytes()[:-200])
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match=r"reference\.npz cannot be read .*rebuild it with"):
        read_reference(read_artifact(artifact_directory))


def test_read_reference_runs_no_pickle(artifact_directory: Path, change_manifest: Edit) -> None:
    pixels = np.zeros((1, 8, 8, 3), np.uint8)
    harmful = np.array([{"an": "object"}], dtype=object)
    np.savez(artifact_directory / "reference.npz", pixels=pixels, logits=harmful)
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match="allow_pickle=False"):
        read_reference(read_artifact(artifact_directory))


@pytest.mark.parametrize(
    ("pixels", "logits", "told"),
    [
        pytest.param((2, 9, 8, 3), (2, 5), r"uint8 \(2, 8, 8, 3\)", id="size"),
        pytest.param((0, 8, 8, 3), (0, 5), r"expected uint8 \(1, 8, 8, 3\)", id="no-pictures"),
        pytest.param((2, 8, 8, 3), (2, 4), r"expected float64 \(2, 5\)", id="classes"),
        pytest.param((2, 8, 8, 3), (3, 5), r"expected float64 \(2, 5\)", id="count"),
    ],
)
def test_read_reference_of_another_shape_is_refused(
    artifact_directory: Path,
    change_manifest: Edit,
    pixels: tuple[int, ...],
    logits: tuple[int, ...],
    told: str,
) -> None:
    write_reference(artifact_directory, Reference(np.zeros(pixels, np.uint8), np.zeros(logits)))
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match=told):
        read_reference(read_artifact(artifact_directory))


def test_read_reference_with_nan_is_refused(
    artifact_directory: Path, change_manifest: Edit
) -> None:
    nothing = Reference(np.zeros((1, 8, 8, 3), np.uint8), np.full((1, 5), np.nan))
    write_reference(artifact_directory, nothing)
    change_manifest(artifact_directory)
    with pytest.raises(ArtifactError, match="not finite"):
        read_reference(read_artifact(artifact_directory))
