"""Wraps a network so that it takes the pixels of a picture as they are: the one place where
scaling, mean and standard deviation are applied."""

import torch
from torch import Tensor, nn

from measuring.input_spec import InputSpec


class PixelsIn(nn.Module):
    """uint8 (N, H, W, 3) RGB to logits (N, classes) in `dtype`, the network's own.

    The bytes are transposed before they widen, a quarter of the traffic; then one subtraction
    and one product, which unlike a scaled offset keep a pixel at the mean exactly 0.
    """

    mean: Tensor
    scale: Tensor

    def __init__(
        self, network: nn.Module, spec: InputSpec, *, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.network = network
        mean, std = (
            torch.tensor(v, dtype=torch.float64).view(3, 1, 1) for v in (spec.mean, spec.std)
        )
        self.register_buffer("mean", (255.0 * mean).to(dtype))
        self.register_buffer("scale", (1.0 / (255.0 * std)).to(dtype))

    def forward(self, pixels: Tensor) -> Tensor:
        # Without `contiguous` the permuted strides would travel through the network, and pooling
        # would be exported as a Gather over them.
        channels_first = pixels.permute(0, 3, 1, 2).contiguous().to(self.mean.dtype)
        logits: Tensor = self.network((channels_first - self.mean) * self.scale)
        return logits
