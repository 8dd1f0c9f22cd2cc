"""An artifact's id stays with its weights: who serves or compares it relies on that."""

from pathlib import Path

from inference.errors import ArtifactError
from inference.manifest import MANIFEST, WeightsSource, read_manifest
from measuring.errors import InputError
from models.load import UNTRAINED


def require_own_id(target: Path, weights: WeightsSource) -> None:
    """Raises InputError where `target` is an artifact with other weights, or no artifact at all."""
    if not target.exists():
        return
    try:
        existing = read_manifest(target)
    except ArtifactError as error:
        if (target / MANIFEST).is_file():
            return
        raise InputError(
            f"{target} exists and is no artifact; move it away or choose another name with --name"
        ) from error
    if existing.weights.sha256 != weights.sha256:
        same = existing.weights.source == weights.source == UNTRAINED
        why = " (untrained weights are made for the --input-spec: another makes others)"
        raise InputError(
            f"{existing.id} exists with other weights: {existing.weights.source} (SHA-256 "
            f"{existing.weights.sha256[:12]}), received {weights.source} (SHA-256 "
            f"{weights.sha256[:12]}){why if same else ''}; choose another name with --name, or "
            f"remove {target}"
        )
