"""Runs a session on memory of its device that stays where it is: one input and one output for each
batch size, allocated when it first comes."""

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]

from inference.engine import Logits, Pixels

# Sizes whose memory is kept; a service warms up at most a few.
KEPT = 16


@dataclass(frozen=True)
class _Bound:
    binding: ort.IOBinding
    pixels: ort.OrtValue
    logits: ort.OrtValue


class BoundSession:
    """A session from pixels to logits, `device` as ONNX Runtime calls it: `cuda` or `cpu`."""

    def __init__(self, session: ort.InferenceSession, *, device: str, classes: int) -> None:
        self._session = session
        self._device = device
        self._classes = classes
        self._bound: dict[tuple[int, ...], _Bound] = {}

    def run(self, pixels: Pixels) -> Logits:
        """Copies the pixels to the device and the logits (N, classes) back."""
        bound = self._bound.pop(pixels.shape, None) or self._bind(pixels.shape)
        self._bound[pixels.shape] = bound  # the latest is the last
        if len(self._bound) > KEPT:
            del self._bound[next(iter(self._bound))]
        bound.pixels.update_inplace(np.ascontiguousarray(pixels))
        self._session.run_with_iobinding(bound.binding)
        logits: Logits = np.array(bound.logits.numpy())
        return logits

    def _bind(self, shape: tuple[int, ...]) -> _Bound:
        pixels, logits = (
            ort.OrtValue.ortvalue_from_shape_and_type(list(dimensions), dtype, self._device, 0)
            for dimensions, dtype in ((shape, np.uint8), ((shape[0], self._classes), np.float32))
        )
        binding = self._session.io_binding()
        binding.bind_ortvalue_input("pixels", pixels)
        binding.bind_ortvalue_output("logits", logits)
        return _Bound(binding, pixels, logits)
