"""MLCommons LoadGen's Server scenario over HTTP: it says when queries come and judges the run, our
generator carries them to the service and checks the answers."""

import math
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from loadtest.generator import Generator
from loadtest.load import Load, Open
from loadtest.outcome import Outcome
from loadtest.prepared import Prepared
from loadtest.processes import end_with, ignore_interrupts, receive
from loadtest.run import outcome_of
from loadtest.tally import Tally
from loadtest.traffic import Due
from measuring.errors import InputError, StrideError
from measuring.loadgen_log import PREFIX, SUMMARY, Summary, load_loadgen, read_summary
from measuring.percentiles import least_count
from measuring.record import now

LATENCY_BOUND = 0.015
"""Seconds that 99 of 100 queries may take: MLPerf's bound of ResNet-50."""
_MILLISECONDS, _NANOSECONDS = 1e3, 1e9
_OVERTIME = 3600.0


@dataclass(frozen=True)
class ServerScenario:
    """`rate`: queries per second, each one request; `latency_bound`: seconds that the 99th
    percentile may take; `min_queries`: by default what LoadGen's early stopping needs."""

    rate: float
    latency_bound: float = LATENCY_BOUND
    seconds: float = 10.0
    min_queries: int = least_count(99.0)
    max_connections: int = 1_000
    seed: int = 0

    def __post_init__(self) -> None:
        Load(self._traffic, self.seconds, seed=self.seed)  # which looks at the numbers
        if not 0.0 < self.latency_bound <= 3600.0 or self.min_queries < 1:
            raise InputError(
                f"latency bound {self.latency_bound} s with {self.min_queries} queries, expected "
                "more than 0 of both"
            )

    @property
    def _traffic(self) -> Open:
        return Open(self.rate, "poisson", self.max_connections)

    def load(self, seconds: float) -> Load:
        """As it was, for so many seconds."""
        return Load(self._traffic, seconds, warm_up=0.0, seed=self.seed)


@dataclass(frozen=True, eq=False)
class LoadgenOutcome:
    """`outcome`: by our own clock, from when LoadGen handed each query over; `summary`: LoadGen's
    verdict, reasons and 99th percentile, from when it had scheduled them. LoadGen knows no failed
    queries: `valid` is its verdict, and that there were none."""

    outcome: Outcome
    summary: Summary
    version: str

    @property
    def valid(self) -> bool:
        return self.summary.valid and not self.outcome.failed and not self.outcome.dropped


def run_loadgen(prepared: Prepared, scenario: ServerScenario) -> LoadgenOutcome:
    """One run, in a process of its own. Raises MissingError where LoadGen is not installed or
    nobody listens any more."""
    load_loadgen()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, prepared, scenario), daemon=True)
    started = now()
    process.start()
    theirs.close()
    try:
        tally, text = _found(receive(ours, scenario.seconds + _OVERTIME))
    finally:
        ours.close()
        process.join(5)
        if process.is_alive():
            process.kill()
            process.join()
    load = scenario.load(tally.end - tally.begin)
    outcome = outcome_of(prepared, load, tally, started=started)
    return LoadgenOutcome(outcome, read_summary(text), version("mlcommons-loadgen"))


def _found(received: object) -> tuple[Tally, str]:
    assert isinstance(received, tuple)  # noqa: S101  what `_work` sends
    tally, text = received
    return tally, text


def _work(pipe: Pipe, prepared: Prepared, scenario: ServerScenario) -> None:
    ignore_interrupts()
    threading.Thread(target=end_with, args=(pipe,), daemon=True).start()
    try:
        pipe.send(_drive(prepared, scenario, pipe))
    except (EOFError, BrokenPipeError):
        return  # nobody wants to know
    except Exception as error:  # noqa: BLE001  raised where it was asked for
        pipe.send(error if isinstance(error, StrideError) else StrideError(repr(error)))


def _drive(prepared: Prepared, scenario: ServerScenario, pipe: Pipe) -> tuple[Tally, str]:
    """What was counted, and LoadGen's summary."""

    def carry() -> None:
        try:
            generator.run(queries, tally)
        except Exception as error:  # noqa: BLE001  LoadGen would wait for answers for ever
            pipe.send(StrideError(repr(error)))
            os._exit(1)

    loadgen = load_loadgen()
    first = prepared.connections(scenario.rate, scenario.max_connections)
    generator = Generator(prepared, connections=scenario.max_connections, first=first)
    queries = _Queries(loadgen)
    generator.wake_on(queries.bell)
    tally = Tally(time.perf_counter(), math.inf)
    thread = threading.Thread(target=carry)
    count = len(prepared.messages)
    sut = loadgen.ConstructSUT(queries.put, lambda: None)
    library = loadgen.ConstructQSL(count, count, lambda _: None, lambda _: None)
    with tempfile.TemporaryDirectory() as folder:
        log = loadgen.LogSettings()
        log.enable_trace = False
        log.log_output.outdir, log.log_output.prefix = folder, PREFIX
        thread.start()
        try:
            loadgen.StartTestWithLogSettings(sut, library, _settings(loadgen, scenario), log)
        finally:
            tally.end = time.perf_counter()
            queries.end()
            thread.join()
            loadgen.DestroyQSL(library)
            loadgen.DestroySUT(sut)
        return tally, Path(folder, SUMMARY).read_text("utf-8")


class _Queries:
    """Traffic that LoadGen makes, from a thread of its own; `bell` can be read when some came."""

    def __init__(self, loadgen: Any) -> None:
        self.bell, self._rope = socket.socketpair()
        self._loadgen = loadgen
        self._waiting: deque[Due] = deque()
        self._ended = False
        self._answer = array("B", bytes(4))  # what is answered is not looked at

    def put(self, queries: Sequence[Any]) -> None:
        """Called by LoadGen."""
        moment = time.perf_counter()
        self._waiting.extend(Due(moment, query.index, query.id) for query in queries)
        self._rope.send(b"!")

    def end(self) -> None:
        """Nothing more comes."""
        self._ended = True
        self._rope.send(b"!")

    def next_due(self) -> float:
        return self._waiting[0].moment if self._waiting else math.inf

    def take(self) -> Due:
        return self._waiting.popleft()

    def answered(self, due: Due, now: float, *, ok: bool) -> None:  # noqa: ARG002
        address, size = self._answer.buffer_info()
        response = self._loadgen.QuerySampleResponse(due.query, address, size)
        self._loadgen.QuerySamplesComplete([response])

    def over(self, now: float) -> bool:  # noqa: ARG002
        return self._ended and not self._waiting


def _settings(loadgen: Any, scenario: ServerScenario) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.Server
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = round(scenario.seconds * _MILLISECONDS)
    settings.min_query_count = scenario.min_queries
    settings.server_target_qps = scenario.rate
    settings.server_target_latency_ns = round(scenario.latency_bound * _NANOSECONDS)
    settings.qsl_rng_seed = settings.sample_index_rng_seed = scenario.seed + 1
    settings.schedule_rng_seed = scenario.seed + 1
    return settings
