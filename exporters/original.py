"""The answers of the network as it was given, unfolded and eager: what every export is held to."""

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference.engine import Pixels
from measuring.input_spec import InputSpec
from models.pixels_in import PixelsIn

_BATCH = 8


@dataclass(frozen=True)
class Original:
    """A network and what its pictures have to be like."""

    network: nn.Module
    spec: InputSpec

    def logits(self, pixels: Pixels, dtype: torch.dtype) -> NDArray[np.float64]:
        """Logits (N, classes) computed in `dtype`; the network itself stays as it is."""
        copied = copy.deepcopy(self.network).to(dtype)
        pixels_in = PixelsIn(copied, self.spec, dtype=dtype).eval()
        with torch.inference_mode():
            batches = torch.split(torch.from_numpy(pixels), _BATCH)
            logits = torch.cat([pixels_in(batch).double() for batch in batches])
        answers: NDArray[np.float64] = logits.numpy()
        return answers
