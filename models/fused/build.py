"""Finds the fused form of a network."""

from importlib.util import find_spec

import torch
from torch import nn

from measuring.input_spec import InputSpec
from models.fasternet import FasterNet
from models.mobilenet_v2 import MobileNetV2
from models.shufflenet_v2 import ShuffleNetV2

# Sums are float32 whatever the type; products of float32 the tensor cores would round.
DTYPES = (torch.float16, torch.bfloat16)


def has_triton() -> bool:
    """Whether kernels can be compiled here."""
    return find_spec("triton") is not None


def fused(network: nn.Module, spec: InputSpec, dtype: torch.dtype) -> nn.Module | None:
    """Pixels (N, H, W, 3) uint8 on a GPU to logits (N, classes) in `dtype`, with the weights of
    `network`; None for a network or type that has no fused form.

    Raises ImportError without Triton.
    """
    if dtype not in DTYPES:
        return None
    if isinstance(network, FasterNet):
        from models.fused.fasternet import FusedFasterNet

        return FusedFasterNet(network, spec, dtype).eval()
    if isinstance(network, ShuffleNetV2):
        from models.fused.shufflenet_v2 import FusedShuffleNetV2

        return FusedShuffleNetV2(network, spec, dtype).eval()
    if isinstance(network, MobileNetV2):
        from models.fused.mobilenet_v2 import FusedMobileNetV2

        return FusedMobileNetV2(network, spec, dtype).eval()
    return None
