"""The engines of one candidate in a process of their own: opened, proved, warm, then timed."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.bench_messages import (
    Classified,
    ClassifyRequest,
    Opened,
    OpenRequest,
    Visited,
    VisitRequest,
)
from benchmarks.loadgen_drive import drive
from benchmarks.loadgen_settings import LoadgenAnswer, LoadgenRequest
from inference.artifact import read_artifact
from inference.choice import choose
from inference.engine import Engine, Pixels
from inference.open_engine import open_choice, open_proved
from measuring.activity import activity
from measuring.caches import rotating
from measuring.energy import Counter, gpu_energy, processor_energy, used
from measuring.gpu import gpu_states
from measuring.memory import memory
from measuring.timing import Schedule, no_collection
from measuring.together import visit_together

WARM = 2
"""Calls at each batch size before any is timed; the last of them is the estimate."""
CLASSIFIED_AT_ONCE = 8


class Held:
    """Empty until the first request to open."""

    def __init__(self) -> None:
        self._engines: list[Engine] = []
        self._device = "cpu"
        self._pictures: Pixels = np.zeros((0, 0, 0, 3), np.uint8)
        self._inputs: list[dict[int, Callable[[], Pixels]]] = []

    def open(self, request: OpenRequest) -> Opened:
        """Raises what opening raises."""
        artifact = read_artifact(Path(request.directory))
        choice = choose(artifact, runtime=request.runtime, device=request.device)
        # Copied on write: shared with the other processes, and yet writable, as torch wants.
        pictures: Pixels = np.load(request.pictures, mmap_mode="c")
        free = _gpu_memory()
        first = open_choice(artifact, choice, threads=request.threads)
        try:
            first.infer(pictures[:1])
        finally:
            answered = time.perf_counter()
            first.close()
        self._device, self._pictures = request.device, pictures
        self._engines = [
            open_proved(artifact, choice, threads=request.threads) for _ in range(request.instances)
        ]
        batches = [size for size in request.batches if size <= self._engines[0].max_batch]
        self._inputs = [
            {batch: rotating(pictures, batch) for batch in batches}
            for _ in range(request.instances)
        ]
        seconds = {batch: self._warm(batch) for batch in batches}
        found, taken = memory(os.getpid()), _gpu_memory()
        return Opened(
            engine=self._engines[0].name,
            max_batch=self._engines[0].max_batch,
            file=choice.variant.file,
            sha256=artifact.manifest.files[choice.variant.file].sha256,
            file_size=artifact.manifest.files[choice.variant.file].size,
            cold_start=answered - request.spawned,
            seconds=seconds,
            rss=found.resident if found else None,
            peak_rss=found.peak if found else None,
            vram=taken - free if taken is not None and free is not None else None,
        )

    def visit(self, request: VisitRequest) -> Visited:
        """Raises what the engine raises."""
        schedule = Schedule(
            runs=request.runs, seconds=request.seconds, blocks=1, settle=request.settle
        )
        calls = [
            _call(engine, inputs[request.batch])
            for engine, inputs in zip(self._engines, self._inputs, strict=True)
        ]
        ours = (os.getpid(), os.getppid())
        energy, before, started = self._energy(), activity(ours), time.perf_counter()
        with no_collection():
            visit = visit_together(calls, schedule)
        elapsed, after, energy_after = time.perf_counter() - started, activity(ours), self._energy()
        return Visited(
            samples=visit.samples.tolist(),
            rate=visit.rate,
            elapsed=elapsed,
            before=before,
            after=after,
            joules=used(energy, energy_after),
            calls=len(visit.samples) + request.settle * len(calls),
        )

    def classify(self, request: ClassifyRequest) -> Classified:
        """Raises what the engine raises."""
        pictures: Pixels = np.load(request.pictures, mmap_mode="c")
        engine = self._engines[0]
        size = min(CLASSIFIED_AT_ONCE, engine.max_batch)
        parts = [pictures[start : start + size] for start in range(0, len(pictures), size)]
        top1 = [int(index) for part in parts for index in engine.infer(part).argmax(axis=1)]
        return Classified(top1)

    def drive(self, request: LoadgenRequest) -> LoadgenAnswer:
        """Raises what the engine raises, RuntimeMissingError where LoadGen is not installed."""
        return drive(self._engines, self._pictures, request)

    def close(self) -> None:
        """Free what the engines hold."""
        for engine in self._engines:
            engine.close()

    def _warm(self, batch: int) -> float:
        """Seconds of the last call of the slowest instance, all at once."""
        schedule = Schedule(runs=1, seconds=0.0, blocks=1, settle=WARM - 1)
        calls = [
            _call(engine, inputs[batch])
            for engine, inputs in zip(self._engines, self._inputs, strict=True)
        ]
        return float(visit_together(calls, schedule).samples.max())

    def _energy(self) -> dict[str, Counter]:
        return processor_energy() if self._device == "cpu" else gpu_energy()


def _call(engine: Engine, pictures: Callable[[], Pixels]) -> Callable[[], object]:
    return lambda: engine.infer(pictures())


def _gpu_memory() -> int | None:
    """Bytes in use on all GPUs, by anyone."""
    known = [it.memory_used for it in gpu_states() if it.memory_used is not None]
    return sum(known) if known else None
