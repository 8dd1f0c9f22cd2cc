"""The seam everything meets at: an engine turns pixels into logits."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]  # (N, H, W, 3) RGB
Logits = NDArray[np.float32]  # (N, classes)


class Engine(Protocol):
    """An artifact opened by a runtime.

    `infer` is called from one thread at a time and releases the GIL while it computes.
    `name` says what runs where, e.g. `onnxruntime cpu fp32`. `max_batch` is the largest N.
    """

    name: str
    max_batch: int

    def infer(self, pixels: Pixels) -> Logits:
        """Pixels (N, H, W, 3) uint8 RGB with 1 <= N <= max_batch -> logits (N, classes)."""
        ...

    def close(self) -> None:
        """Free what the runtime holds; the engine cannot be used afterwards."""
        ...
