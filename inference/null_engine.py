"""Answers zeros: what remains of a measured time is everything around the engine."""

import numpy as np

from inference.artifact import Artifact
from inference.check_pixels import MAX_BATCH, check_pixels
from inference.engine import Logits, Pixels
from inference.manifest import Variant
from inference.placement import Placement


class NullEngine:
    """Checks its input as every engine does, and computes nothing."""

    def __init__(self, *, size: int, classes: int) -> None:
        self.name = "null (answers zeros)"
        self.max_batch = MAX_BATCH
        self._size = size
        self._classes = classes

    def infer(self, pixels: Pixels) -> Logits:
        check_pixels(pixels, size=self._size, max_batch=self.max_batch)
        return np.zeros((len(pixels), self._classes), np.float32)

    def close(self) -> None:
        """Nothing is held."""


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> NullEngine:  # noqa: ARG001
    """Fits any artifact; no file of it is read."""
    manifest = artifact.manifest
    return NullEngine(size=manifest.input.size, classes=len(manifest.labels))
