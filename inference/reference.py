"""Golden pictures and the original network's answers to them: `reference.npz` of an artifact.

Every engine replays them when it starts, so they are read with suspicion: no pickles, and
shapes and types exactly as expected.
"""

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.artifact import Artifact, rebuild_command
from inference.engine import Pixels
from inference.errors import ArtifactError
from inference.manifest import REFERENCE


@dataclass(frozen=True)
class Reference:
    """`pixels`: (N, H, W, 3) uint8; `logits`: (N, classes), the original network's in float64."""

    pixels: Pixels
    logits: NDArray[np.float64]


def write_reference(directory: Path, reference: Reference) -> None:
    """Write `reference.npz`."""
    np.savez_compressed(
        directory / REFERENCE, pixels=reference.pixels, logits=reference.logits, allow_pickle=False
    )


def read_reference(artifact: Artifact) -> Reference:
    """The golden pictures and answers.

    Raises ArtifactError if they are unreadable or do not fit the manifest's size and labels.
    """
    try:
        # Opened here, since NumPy leaves a file that it cannot read open.
        with (
            artifact.path(REFERENCE).open("rb") as file,
            np.load(file, allow_pickle=False) as arrays,
        ):
            reference = Reference(pixels=arrays["pixels"], logits=arrays["logits"])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _unfit(artifact, f"cannot be read ({error})") from error
    size, classes = artifact.manifest.input.size, len(artifact.manifest.labels)
    count = len(reference.pixels) if reference.pixels.ndim else 0
    _check(artifact, reference.pixels, (max(count, 1), size, size, 3), np.dtype(np.uint8))
    _check(artifact, reference.logits, (max(count, 1), classes), np.dtype(np.float64))
    if not np.isfinite(reference.logits).all():
        raise _unfit(artifact, "has logits that are not finite")
    return reference


def _check(
    artifact: Artifact,
    array: NDArray[np.generic],
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
) -> None:
    if array.shape != shape or array.dtype != dtype:
        raise _unfit(artifact, f"holds {array.dtype} {array.shape}, expected {dtype} {shape}")


def _unfit(artifact: Artifact, what: str) -> ArtifactError:
    return ArtifactError(
        f"{artifact.directory / REFERENCE} {what}; rebuild it with: {rebuild_command(artifact)}"
    )
