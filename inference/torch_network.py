"""From an artifact to the network that PyTorch runs, in the artifact's precision."""

import torch
from torch import Tensor, nn

from inference.artifact import Artifact, rebuild_command
from inference.errors import ArtifactError, RuntimeMissingError
from inference.manifest import Variant
from inference.placement import Placement
from inference.torch_arithmetic import refuse_short_cuts, require_arithmetic
from measuring.errors import InputError
from models.catalog import create
from models.checkpoint import load_state, read_state
from models.fused import fused, has_triton
from models.pixels_in import PixelsIn


def open_network(artifact: Artifact, variant: Variant, placement: Placement) -> nn.Module:
    """Pixels (N, H, W, 3) uint8 on the device to logits (N, classes) in the artifact's precision.

    PyTorch's number of threads and its arithmetic belong to the process: both are set here for
    all. Raises ArtifactError for weights that do not fit the manifest's network,
    RuntimeMissingError for a device or precision that is not here.
    """
    dtype = require_arithmetic(artifact.manifest.precision, placement.device)
    network = _weighted(artifact, variant)
    torch.set_num_threads(placement.threads)
    refuse_short_cuts()
    wrap = _ChannelsLastIn if placement.device == "cuda" else PixelsIn
    pixels_in = wrap(network.to(dtype), artifact.manifest.input, dtype=dtype).eval()
    # Channels last is how pixels come and what convolutions want: 1.4 times as fast as channels
    # first for one picture and 1.7 times for eight, shufflenet_v2_x0_5 in fp32 on one core.
    pixels_in.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pixels_in.to(placement.device)


def open_fused(artifact: Artifact, variant: Variant, placement: Placement) -> nn.Module:
    """The same as `open_network` on a GPU, as kernels of our own.

    Raises as that does, and RuntimeMissingError where there is no Triton or no such kernels for
    the network or its precision.
    """
    manifest = artifact.manifest
    dtype = require_arithmetic(manifest.precision, placement.device)
    if not has_triton():
        raise RuntimeMissingError(
            "runtime torch-fused needs Triton, which comes with PyTorch's builds for CUDA; "
            "choose runtime torch-cudagraph instead"
        )
    made = fused(_weighted(artifact, variant).eval(), manifest.input, dtype)
    if made is None:
        raise RuntimeMissingError(
            f"there are no fused kernels for {manifest.network} in {manifest.precision}, only for "
            "FasterNet, MobileNetV2 and ShuffleNetV2 in fp16 and bf16; "
            "choose runtime torch-cudagraph instead"
        )
    return made.to(placement.device)


def _weighted(artifact: Artifact, variant: Variant) -> nn.Module:
    """The manifest's network with the weights of the file, in float32."""
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
    return network


class _ChannelsLastIn(PixelsIn):
    """The same arithmetic on bytes that stay in their order, which is channels last: a GPU pays
    for a transposition with a launch and a pass over the memory."""

    def forward(self, pixels: Tensor) -> Tensor:
        widened = pixels.permute(0, 3, 1, 2).to(self.mean.dtype)
        logits: Tensor = self.network((widened - self.mean) * self.scale)
        return logits
