"""PyTorch on a GPU with kernels of our own in place of its layers, recorded and replayed in one
launch: docs/gpu.md."""

from inference.artifact import Artifact
from inference.manifest import Variant
from inference.placement import Placement
from inference.torch_cudagraph_engine import RecordedNetwork
from inference.torch_engine import TorchEngine
from inference.torch_network import open_fused


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TorchEngine:
    """Raises as `open_fused` does. Kernels are compiled when a batch size first needs them."""
    manifest = artifact.manifest
    network = open_fused(artifact, variant, placement)
    return TorchEngine(
        RecordedNetwork(network),
        name=f"torch-fused {placement.device} {manifest.precision}",
        size=manifest.input.size,
        device=placement.device,
    )
