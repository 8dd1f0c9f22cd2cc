"""Eager PyTorch: the baseline that every other runtime is compared with."""

import numpy as np
import torch

from inference.artifact import Artifact
from inference.check_pixels import MAX_BATCH, MAX_BATCH_ON_GPU, check_pixels
from inference.engine import Logits, Pixels
from inference.manifest import Variant
from inference.placement import Placement
from inference.torch_transfer import Network, OnGpu, on_processor


class TorchEngine:
    """A network as a function of pixels on the device (N, H, W, 3) to logits there (N, classes).

    Operators release the GIL while they compute, the Python between them does not.
    """

    def __init__(self, network: Network, *, name: str, size: int, device: str = "cpu") -> None:
        self.name = name
        self.max_batch = MAX_BATCH_ON_GPU if device == "cuda" else MAX_BATCH
        self._network: Network | None = network
        self._size = size
        self._through = OnGpu() if device == "cuda" else on_processor

    def infer(self, pixels: Pixels) -> Logits:
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        if self._network is None:
            raise RuntimeError(f"{self.name} is closed")
        # PyTorch cannot share memory that is read-only, as decoded bytes often are.
        shared = torch.from_numpy(np.require(pixels, requirements=["C", "W"]))
        with torch.inference_mode():
            return self._through(self._network, shared)

    def close(self) -> None:
        self._network = None


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TorchEngine:
    """Raises ArtifactError for weights that do not fit the manifest's network,
    RuntimeMissingError for a device or precision that is not here."""
    # Not above: compiled packages run without the networks' code.
    from inference.torch_network import open_network

    manifest = artifact.manifest
    return TorchEngine(
        open_network(artifact, variant, placement),
        name=f"torch {placement.device} {manifest.precision}",
        size=manifest.input.size,
        device=placement.device,
    )
