"""Engines under MLCommons LoadGen: it decides when queries come and whether the run is valid.

Queries wait in one line; each engine has a thread that takes what is there, up to the largest
batch, as the service's default policy does.
"""

import threading
import time
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.loadgen_settings import MULTI_STREAM_SAMPLES, LoadgenAnswer, LoadgenRequest
from inference.engine import Engine, Pixels
from measuring.loadgen_log import PREFIX, load_loadgen

_MILLISECONDS, _NANOSECONDS = 1e3, 1e9


def drive(engines: Sequence[Engine], pictures: Pixels, request: LoadgenRequest) -> LoadgenAnswer:
    """One run; its logs are in `request.logs`. Raises what an engine raises."""
    loadgen = load_loadgen()
    Path(request.logs).mkdir(parents=True, exist_ok=True)
    line = _Line(loadgen, pictures, request.max_batch)
    log = loadgen.LogSettings()
    log.enable_trace = False
    log.log_output.outdir, log.log_output.prefix = request.logs, PREFIX
    with line.served_by(engines), _constructed(loadgen, line, len(pictures)) as (sut, library):
        loadgen.StartTestWithLogSettings(sut, library, _settings(loadgen, request), log)
    if line.errors:
        raise line.errors[0]
    return LoadgenAnswer(line.seconds, version("mlcommons-loadgen"))


class _Line:
    """The queries that wait, and the threads that answer them."""

    def __init__(self, loadgen: Any, pictures: Pixels, max_batch: int) -> None:
        self.seconds: list[float] = []
        self.errors: list[Exception] = []
        self._loadgen, self._pictures, self._max_batch = loadgen, pictures, max_batch
        self._waiting: deque[tuple[Any, int, float]] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._answer = array("B", bytes(4))  # what is answered is not looked at

    def put(self, queries: Sequence[Any]) -> None:
        """Called by LoadGen."""
        now = time.perf_counter()
        with self._changed:
            self._waiting.extend((query.id, query.index, now) for query in queries)
            self._changed.notify_all()

    def flush(self) -> None:
        """Called by LoadGen; nothing is held back."""

    @contextmanager
    def served_by(self, engines: Sequence[Engine]) -> Iterator[None]:
        """Until the end of the block, and until all is answered."""
        threads = [threading.Thread(target=self._serve, args=(engine,)) for engine in engines]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()
            for thread in threads:
                thread.join()

    def _serve(self, engine: Engine) -> None:
        while batch := self._next():
            try:
                if not self.errors:  # after one, what is left is answered without an engine
                    engine.infer(self._pictures[[index for _, index, _ in batch]])
            except Exception as error:  # noqa: BLE001  raised by `drive`; LoadGen waits for answers
                self.errors.append(error)
            self._complete(batch)

    def _next(self) -> list[tuple[Any, int, float]]:
        """What waits, up to the largest batch; empty when nothing will come."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._ended)
            count = min(len(self._waiting), self._max_batch)
            return [self._waiting.popleft() for _ in range(count)]

    def _complete(self, batch: Sequence[tuple[Any, int, float]]) -> None:
        address, size = self._answer.buffer_info()
        responses = [self._loadgen.QuerySampleResponse(id_, address, size) for id_, _, _ in batch]
        now = time.perf_counter()
        self.seconds.extend(now - arrived for _, _, arrived in batch)
        self._loadgen.QuerySamplesComplete(responses)


@contextmanager
def _constructed(loadgen: Any, line: _Line, count: int) -> Iterator[tuple[int, int]]:
    """LoadGen's handles; the pictures are in memory all the time."""
    sut = loadgen.ConstructSUT(line.put, line.flush)
    library = loadgen.ConstructQSL(count, count, lambda _: None, lambda _: None)
    try:
        yield sut, library
    finally:
        loadgen.DestroyQSL(library)
        loadgen.DestroySUT(sut)


def _settings(loadgen: Any, request: LoadgenRequest) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = getattr(loadgen.TestScenario, request.scenario)
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = round(request.min_duration * _MILLISECONDS)
    settings.min_query_count = request.min_queries
    settings.server_target_qps = request.rate
    settings.server_target_latency_ns = round(request.latency_bound * _NANOSECONDS)
    settings.offline_expected_qps = request.rate
    settings.multi_stream_samples_per_query = MULTI_STREAM_SAMPLES
    return settings
