"""Eager PyTorch on the CPU: the baseline that every other runtime is compared with."""

import torch
from torch import nn

from inference.artifact import Artifact, rebuild_command
from inference.check_pixels import MAX_BATCH, check_pixels
from inference.engine import Logits, Pixels
from inference.errors import ArtifactError
from inference.manifest import Variant
from inference.placement import Placement
from measuring.errors import InputError
from models.catalog import create
from models.checkpoint import load_state, read_state
from models.pixels_in import PixelsIn


class TorchEngine:
    """A network as PyTorch runs it unaided: no compilation, no folding.

    PyTorch's number of threads belongs to the process: opening an engine sets it for all of them.
    Operators release the GIL while they compute, the Python between them does not.
    """

    def __init__(self, network: nn.Module, *, precision: str, size: int) -> None:
        self.name = f"torch cpu {precision}"
        self.max_batch = MAX_BATCH
        self._network: nn.Module | None = network
        self._size = size

    def infer(self, pixels: Pixels) -> Logits:
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        if self._network is None:
            raise RuntimeError(f"{self.name} is closed")
        # PyTorch cannot share memory that is read-only, as decoded bytes often are.
        shared = pixels if pixels.flags.writeable else pixels.copy()
        with torch.inference_mode():
            logits: Logits = self._network(torch.from_numpy(shared)).numpy()
        return logits

    def close(self) -> None:
        self._network = None


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TorchEngine:
    """Raises ArtifactError for weights that do not fit the manifest's network."""
    manifest = artifact.manifest
    try:
        network = create(manifest.network, len(manifest.labels))
        load_state(network, read_state(artifact.path(variant.file)))
    except InputError as error:
        raise ArtifactError(
            f"{manifest.id}: {variant.file} is no {manifest.network} with "
            f"{len(manifest.labels)} classes: {error}; "
            f"rebuild it with: {rebuild_command(artifact)}"
        ) from error
    torch.set_num_threads(placement.threads)
    torch.set_float32_matmul_precision("highest")
    pixels_in = PixelsIn(network, manifest.input).eval()
    return TorchEngine(pixels_in, precision=manifest.precision, size=manifest.input.size)
