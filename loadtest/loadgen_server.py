"""MLCommons LoadGen's Server scenario over HTTP: it says when queries come and judges the run, our
generator carries them to the service and checks the answers."""

import math
import os
import socket
import tempfile
import threading
import time
from array import array
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import Any

from loadtest.account import outcome_of
from loadtest.generator import Generator
from loadtest.load import SHORTEST, Load, Open
from loadtest.outcome import LoadgenVerdict, Outcome
from loadtest.prepared import Prepared
from loadtest.processes import Job, drive, end_with, give, receive, started
from loadtest.tally import Tally
from loadtest.traffic import Due
from measuring.errors import InputError, StrideError
from measuring.loadgen_log import PREFIX, SUMMARY, load_loadgen, read_summary
from measuring.percentiles import least_count
from measuring.record import now

_MILLISECONDS, _NANOSECONDS = 1e3, 1e9
_OVERTIME = 3600.0


def run_loadgen(prepared: Prepared, load: Load) -> Outcome:
    """A load whose arrivals are LoadGen's, in a process of its own, after a warm-up of random ones;
    with LoadGen's verdict, also as a note. It lasts until LoadGen has sent what its early stopping
    needs. Raises MissingError where LoadGen is not installed or nobody listens any more."""
    load_loadgen()
    traffic = load.traffic
    if not isinstance(traffic, Open):
        raise InputError("LoadGen's Server scenario has a rate, not clients that wait")
    seconds = max(load.seconds, least_count(99.0) / traffic.rate)
    load = replace(load, seconds=seconds)
    if load.warm_up >= SHORTEST:
        before = replace(load, traffic=replace(traffic, arrivals="poisson"), seconds=load.warm_up)
        drive(prepared, replace(before, warm_up=0.0))
    started = now()
    tally, text = _in_a_process(prepared, load)
    outcome = outcome_of(prepared, load, tally, started=started)
    summary = read_summary(text)
    valid = summary.valid and not outcome.failed and not outcome.dropped
    release = version("mlcommons-loadgen")
    verdict = LoadgenVerdict(summary, valid, release, traffic.latency_bound)
    note = f"{prepared.model.id}, {traffic.rate:g} requests/s: {verdict.words}"
    return replace(outcome, loadgen=verdict, notes=(*outcome.notes, note))


def _in_a_process(prepared: Prepared, load: Load) -> tuple[Tally, str]:
    with started(_drive) as pipe:
        give(pipe, Job(prepared, load))
        return _found(receive(pipe, load.seconds + _OVERTIME))


def _found(received: object) -> tuple[Tally, str]:
    assert isinstance(received, tuple)  # noqa: S101  what `_drive` returns
    tally, text = received
    return tally, text


def _drive(pipe: Pipe, job: Job) -> tuple[Tally, str]:
    """What was counted, and LoadGen's summary."""
    threading.Thread(target=end_with, args=(pipe,), daemon=True).start()
    prepared, load = job.prepared, job.load

    def carry() -> None:
        try:
            generator.run(queries, tally)
        except Exception as error:  # noqa: BLE001  LoadGen would wait for answers for ever
            pipe.send(StrideError(repr(error)))
            os._exit(1)

    loadgen = load_loadgen()
    traffic = load.traffic
    assert isinstance(traffic, Open)  # noqa: S101  see run_loadgen
    first = prepared.connections(traffic.rate, traffic.max_connections)
    generator = Generator(prepared, connections=traffic.max_connections, first=first)
    queries = _Queries(loadgen)
    generator.wake_on(queries.bell)
    begin = time.perf_counter()
    tally = Tally(begin, begin + load.seconds)
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
            loadgen.StartTestWithLogSettings(sut, library, _settings(loadgen, load, traffic), log)
        finally:
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


def _settings(loadgen: Any, load: Load, traffic: Open) -> Any:
    settings = loadgen.TestSettings()
    settings.scenario = loadgen.TestScenario.Server
    settings.mode = loadgen.TestMode.PerformanceOnly
    settings.min_duration_ms = round(load.seconds * _MILLISECONDS)
    settings.min_query_count = least_count(99.0)
    settings.server_target_qps = traffic.rate
    settings.server_target_latency_ns = round(traffic.latency_bound * _NANOSECONDS)
    settings.qsl_rng_seed = settings.sample_index_rng_seed = load.seed + 1
    settings.schedule_rng_seed = load.seed + 1
    return settings
