"""The answers of the network as it was given, unfolded and eager: what every export is held to."""

import copy
import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from inference.engine import Pixels
from measuring.input_spec import InputSpec
from models.pixels_in import PixelsIn

_BATCH = 8

Answers = NDArray[np.float64]


@dataclass(frozen=True)
class Original:
    """A network and what its pictures have to be like. Asked the same again, it remembers."""

    network: nn.Module
    spec: InputSpec
    _answered: dict[tuple[str, torch.dtype], Answers] = field(default_factory=dict)

    def logits(self, pixels: Pixels, dtype: torch.dtype) -> Answers:
        """Logits (N, classes) computed in `dtype`; the network itself stays as it is."""
        asked = hashlib.sha256(pixels.tobytes()).hexdigest(), dtype
        if asked not in self._answered:
            self._answered[asked] = self._compute(pixels, dtype)
        return self._answered[asked].copy()

    def _compute(self, pixels: Pixels, dtype: torch.dtype) -> Answers:
        copied = copy.deepcopy(self.network).to(dtype)
        pixels_in = PixelsIn(copied, self.spec, dtype=dtype).eval()
        with torch.inference_mode():
            batches = torch.split(torch.from_numpy(pixels), _BATCH)
            logits = torch.cat([pixels_in(batch).double() for batch in batches])
        answers: Answers = logits.numpy()
        return answers
