"""One engine with the thread's own things around it: its batch buffer, its bell and its health."""

import logging
import threading
import time

import numpy as np

from inference.engine import Engine, Logits, Pixels
from service.busy import BusyTime
from service.errors import EngineFailedError
from service.fairness import Turn
from service.health import Health, Probe
from service.job import Batch, EngineCall, Slice

log = logging.getLogger("stride.health")

HANGS_AFTER = 10.0
"""Seconds of one call after which nothing is expected of it any more; more for a slow engine:"""
HANGS_TIMES = 50.0
"""times its slowest call measured. What other programs do on the machine slows it by less."""

Result = Logits | Exception


class Instance:
    """`bell`: released to wake the instance's thread; `busy_until`: when its call is expected to
    end, a reading of `time.perf_counter`; `turn`: asked for and not waited for yet; `slowest`:
    seconds of the longest call that is usual."""

    def __init__(
        self,
        engine: Engine,
        classes: int,
        probe: Probe | None,
        *,
        name: str = "model-0",
        slowest: float = 0.0,
    ) -> None:
        self.engine = engine
        self.name = name
        self.health = Health(probe)
        self.bell = threading.Lock()
        self.bell.acquire()
        self.busy_until = 0.0
        self.busy = BusyTime()
        self.turn: Turn | None = None
        self._classes = classes
        self._buffer: Pixels | None = None
        self._patience = max(HANGS_AFTER, HANGS_TIMES * slowest)
        self._batch: Batch | None = None
        self._since = 0.0
        self._told = 0.0

    @property
    def well(self) -> bool:
        """Whether its engine may be trusted with requests."""
        return self.health.reason is None

    @property
    def unready(self) -> str | None:
        """Why no request should be left to it now, as any thread may ask: its engine is broken, or
        hangs in a call."""
        if self._batch is None or self.health.reason is not None:
            return self.health.reason
        return self._hanging()

    def run(self, batch: Batch) -> None:
        """Fills in the batch's results and times: one result per slice. When a call of several
        fails, each runs once more alone, so that only the guilty one fails."""
        results = self._call(batch, batch.slices)
        batch.finished = time.perf_counter()
        if isinstance(results, Exception) and len(batch.slices) > 1:
            batch.results = [self._alone(batch, piece) for piece in batch.slices]
            batch.finished = time.perf_counter()
            return
        batch.results = [results] if isinstance(results, Exception) else results

    def _alone(self, batch: Batch, piece: Slice) -> Result:
        results = self._call(batch, [piece])
        return results if isinstance(results, Exception) else results[0]

    def _hanging(self) -> str | None:
        """Looked at when somebody asks. The first look that finds it hanging gives its turn back,
        so that other models go on."""
        batch, since = self._batch, self._since
        if batch is None or (seconds := time.perf_counter() - since) <= self._patience:
            return None
        reason = f"{self.engine.name} has not answered for {seconds:.0f} s"
        if self._told != since:
            self._told = since
            log.error("hangs instance=%s reason=%s", self.name, reason)
            if batch.turn is not None:
                batch.turn.end(seconds)
        return reason

    def _call(self, batch: Batch, slices: list[Slice]) -> list[Result] | Exception:
        """An engine that answers so late that it seemed to hang must answer the probe as well
        before it is trusted again."""
        asked = self._since = time.perf_counter()
        self._batch = batch
        try:
            results = self._results(batch, slices, asked)
            if self._hanging():
                log.info("answered late instance=%s", self.name)
                self.health.ask(self.engine)
        finally:
            self._batch = None
        return results

    def _results(self, batch: Batch, slices: list[Slice], asked: float) -> list[Result] | Exception:
        try:
            pixels = self._gather(slices)
            logits = self._infer(batch, pixels, asked)
            if logits.shape != (len(pixels), self._classes):
                raise EngineFailedError(
                    f"it answered shape {logits.shape}, expected {(len(pixels), self._classes)}"
                )
        except Exception as error:  # noqa: BLE001  an engine may raise anything
            self.health.failed(self.engine)
            return error
        self.health.succeeded()
        if len(slices) == 1:
            return [logits]
        results: list[Result] = []
        end = 0
        for piece in slices:
            start, end = end, end + piece.images
            results.append(logits[start:end])
        return results

    def _infer(self, batch: Batch, pixels: Pixels, asked: float) -> Logits:
        """Counted, whether it fails or not. Only the first call gathers for as long as since the
        batch was taken."""
        started = time.perf_counter()
        gathering = started - (asked if batch.started else batch.taken)
        batch.started = batch.started or started
        try:
            return self.engine.infer(pixels)
        finally:
            seconds = time.perf_counter() - started
            batch.calls.append(EngineCall(len(pixels), gathering, seconds))

    def _gather(self, slices: list[Slice]) -> Pixels:
        """The pictures one after the other: a single slice as it lies, several in the buffer."""
        first = slices[0].pixels
        if len(slices) == 1:
            return first
        images = sum(piece.images for piece in slices)
        buffer = self._buffer
        if buffer is None or len(buffer) < images or buffer.shape[1:] != first.shape[1:]:
            buffer = self._buffer = np.empty((images, *first.shape[1:]), np.uint8)
        end = 0
        for piece in slices:
            start, end = end, end + piece.images
            buffer[start:end] = piece.pixels
        return buffer[:images]
