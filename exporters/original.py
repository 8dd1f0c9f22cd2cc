"""The answers of the network as it was given, unfolded and eager: what every export is held to."""

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference.engine import Pixels
from measuring.input_spec import InputSpec
from models.pixels_in import PixelsIn

_BATCH = 8


def original_logits(
    network: nn.Module, spec: InputSpec, pixels: Pixels, dtype: torch.dtype
) -> NDArray[np.float64]:
    """Logits (N, classes) computed in `dtype`; the network itself stays as it is."""
    exact = PixelsIn(copy.deepcopy(network).to(dtype), spec, dtype=dtype).eval()
    with torch.inference_mode():
        batches = torch.split(torch.from_numpy(pixels), _BATCH)
        parts = [exact(batch).double() for batch in batches]
        logits: NDArray[np.float64] = torch.cat(parts).numpy()
    return logits
