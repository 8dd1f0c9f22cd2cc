"""Engines made for the tests of batching. They are fakes, named as such: a real engine cannot be
held in the middle of a call or told to fail on one picture."""

import asyncio
import threading

import numpy as np

from inference.engine import Logits, Pixels
from inference.manifest import CostSummary, Manifest, Parity, Variant, WeightsSource
from measuring.input_spec import InputSpec

POISON = 255


class FakeEngine:
    """Answers each picture with its first value, at once or when `release`d.

    Raises on a picture whose first value is POISON. `calls` holds the batch sizes it saw.
    """

    name = "fake cpu fp32"
    max_batch = 64

    def __init__(self, *, held: bool = False) -> None:
        self.calls: list[int] = []
        self.seen: list[int] = []
        self.closed = False
        self.entered = threading.Semaphore(0)
        self._gate = threading.Semaphore(0) if held else None

    def infer(self, pixels: Pixels) -> Logits:
        self.calls.append(len(pixels))
        self.entered.release()
        if self._gate is not None:
            self._gate.acquire()
        values = pixels[:, 0, 0, 0]
        if POISON in values:
            raise ValueError("poisoned picture")
        self.seen += values.tolist()
        return np.stack([values, -values.astype(np.float32)], axis=1).astype(np.float32)

    def release(self, calls: int = 1) -> None:
        assert self._gate is not None
        self._gate.release(calls)

    def let_go(self) -> None:
        """Never hold again: for the end of a test."""
        if self._gate is not None:
            self._gate.release(1000)

    async def running(self) -> None:
        """Returns once a call has entered the engine."""
        await asyncio.to_thread(self.entered.acquire)

    def close(self) -> None:
        self.closed = True


def picture(*values: int) -> Pixels:
    """(N, 2, 2, 3), one picture per value."""
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)


def manifest() -> Manifest:
    """What an artifact for the fake engine would say of itself."""
    parity = Parity("golden", 16, 0.0, 1e-4, 1.0)
    return Manifest(
        id="tiny-onnx-fp32", name="tiny", network="tiny", format="onnx", precision="fp32",
        input=InputSpec(size=2, resize=2), labels=("up", "down"),
        weights=WeightsSource("untrained", "0" * 64, trained=False),
        cost=CostSummary(1, 1, 1), variants=(Variant("model.onnx", ("fake",), parity),),
        parity=(parity,), files={}, tools={}, created="2026-01-01T00:00:00+00:00",
    )  # fmt: skip
