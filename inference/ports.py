"""What an ONNX graph must take and give, whatever reads it."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.artifact import Artifact, rebuild_command
from inference.errors import ArtifactError

FREE = "N"


@dataclass(frozen=True)
class Port:
    """An input or output: its name, its type as NumPy calls it, its shape with `N` where free."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]


def require_pixels_to_logits(
    artifact: Artifact, inputs: Sequence[Port], outputs: Sequence[Port]
) -> None:
    """Raises ArtifactError unless the graph takes `pixels` and gives `logits` as the manifest
    says, N free in both."""
    size, classes = artifact.manifest.input.size, len(artifact.manifest.labels)
    pixels = Port("pixels", "uint8", (FREE, size, size, 3))
    logits = Port("logits", "float32", (FREE, classes))
    for received, expected in ((inputs, pixels), (outputs, logits)):
        if list(received) != [expected]:
            raise ArtifactError(
                f"{artifact.manifest.id}: the graph has {_listed(received)}, expected "
                f"{_listed([expected])} with N free; rebuild it with: {rebuild_command(artifact)}"
            )


def _listed(ports: Sequence[Port]) -> str:
    return " and ".join(
        f"{port.name} {port.dtype} ({', '.join(map(str, port.shape))})" for port in ports
    )
