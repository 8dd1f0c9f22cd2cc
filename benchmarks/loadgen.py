"""Artifacts under MLCommons LoadGen, with its scenarios, its settings and its rules of validity."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from benchmarks.bench_messages import Opened, Request
from benchmarks.bench_plan import Candidate, Plan, Sweep, make_plan
from benchmarks.bench_process import CandidateError, EngineProcess
from benchmarks.bench_run import Watcher, write_pictures
from benchmarks.loadgen_settings import (
    LATENCY_BOUND,
    MULTI_STREAM_SAMPLES,
    SCALED,
    SCENARIOS,
    Duration,
    LoadgenAnswer,
    LoadgenRequest,
    Scenario,
)
from inference.artifact import Artifact
from inference.manifest import Manifest
from measuring.fit import fit_batch_cost
from measuring.latencies import latencies
from measuring.loadgen_log import SUMMARY, Summary, load_loadgen, read_summary
from measuring.machine import fingerprint
from measuring.record import SUFFIX, Measurement, Scalar, now, write_measurements

LOADGEN = "loadgen"
BATCHES = (1, 2, 4, 8)
TRIED: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {"Server": (0.8, 0.6, 0.4, 0.2), "Offline": (1.3, 2.6)}
)
"""Shares of what T(b) promises, tried until one is valid: of Offline the rate says how many
pictures come at once, and those have to last for the duration."""
OVERTIME = 3600.0
"""Seconds that a run may take besides its duration."""


@dataclass(frozen=True)
class LoadgenOrder:
    """`rate`: queries per second of the Server scenario; None: found from T(b)."""

    scenarios: tuple[Scenario, ...] = SCENARIOS
    duration: Duration = SCALED
    rate: float | None = None
    latency_bound: float = LATENCY_BOUND


@dataclass(frozen=True)
class LoadgenResult:
    """`records` are in `path`, LoadGen's own files in `logs`."""

    run: str
    records: tuple[Measurement, ...]
    left_out: dict[str, str]
    path: Path
    logs: Path


def run_loadgen(
    artifacts: Sequence[Artifact],
    sweep: Sweep,
    order: LoadgenOrder,
    output: Path,
    watcher: Watcher,
) -> LoadgenResult:
    """Every candidate in every scenario, one after the other, each in a process of its own.

    Raises MissingError where LoadGen is not installed, InputError where nothing is left to drive.
    """
    load_loadgen()
    plan, left_out = make_plan(artifacts, sweep, machine=fingerprint())
    manifests = {artifact.manifest.id: artifact.manifest for artifact in artifacts}
    logs, path = output / f"{plan.run}.loadgen", output / f"{plan.run}{SUFFIX}"
    records: list[Measurement] = []
    with tempfile.TemporaryDirectory() as folder:
        pictures = write_pictures(plan, Path(folder))
        for candidate in plan.candidates:
            watcher.step(f"open: {candidate.key}")
            run = _Run(plan, candidate, order, manifests[candidate.artifact], logs)
            try:
                with EngineProcess(candidate, BATCHES, pictures[candidate.artifact]) as process:
                    records += run.all_scenarios(process, watcher)
            except CandidateError as error:
                left_out[candidate.key] = str(error)
            if records:
                write_measurements(path, records)
    return LoadgenResult(plan.run, tuple(records), left_out, path, logs)


@dataclass(frozen=True)
class _Run:
    plan: Plan
    candidate: Candidate
    order: LoadgenOrder
    manifest: Manifest
    logs: Path

    def all_scenarios(self, process: EngineProcess, watcher: Watcher) -> list[Measurement]:
        facts = process.ask(Request(open=process.request)).opened
        if facts is None:
            raise CandidateError("it did not open")
        return [
            self._scenario(scenario, facts, process, watcher) for scenario in self.order.scenarios
        ]

    def _scenario(
        self, scenario: Scenario, facts: Opened, process: EngineProcess, watcher: Watcher
    ) -> Measurement:
        """The first rate that is valid, of Server the highest; else the last one tried."""
        for rate in self._rates(scenario, facts):
            watcher.step(f"loadgen: {self.candidate.key}: {scenario}{_at(scenario, rate)}")
            record, summary = self._once(scenario, rate, facts, process)
            if summary.valid:
                return record
        return record

    def _rates(self, scenario: Scenario, facts: Opened) -> list[float]:
        if scenario == "Server" and self.order.rate is not None:
            return [self.order.rate]
        images = capacity(facts, self.candidate.instances)
        return [images * share for share in TRIED.get(scenario, (1.0,))]

    def _once(
        self, scenario: Scenario, rate: float, facts: Opened, process: EngineProcess
    ) -> tuple[Measurement, Summary]:
        duration, started = self.order.duration, now()
        name = f"{self.candidate.key} {scenario}{_at(scenario, rate)}".replace(" ", "_")
        request = LoadgenRequest(
            scenario=scenario,
            min_duration=duration.seconds,
            min_queries=duration.min_queries(scenario),
            max_batch=min(largest_batch(scenario), facts.max_batch),
            rate=rate,
            latency_bound=self.order.latency_bound,
            logs=str((self.logs / name.replace("/", "_")).absolute()),
        )
        longest = duration.seconds + OVERTIME
        answer = process.ask(Request(loadgen=request), longest=longest).loadgen
        if answer is None or not answer.samples:
            raise CandidateError(f"LoadGen answered nothing in scenario {scenario}")
        summary = read_summary(Path(request.logs, SUMMARY).read_text("utf-8"))
        settings = {
            **self._identity(facts),
            **_outcome(request, summary, answer, scaled=duration.scaled),
        }
        found = latencies(answer.samples)
        return Measurement(
            LOADGEN, settings, found, self.plan.machine, started, summary.reasons
        ), summary

    def _identity(self, facts: Opened) -> dict[str, Scalar]:
        return {
            "run": self.plan.run,
            "artifact": self.candidate.artifact,
            "network": self.manifest.network,
            "precision": self.manifest.precision,
            "runtime": self.candidate.runtime,
            "device": self.candidate.device,
            "engine": facts.engine,
            "threads": self.candidate.threads,
            "instances": self.candidate.instances,
        }


def capacity(facts: Opened, instances: int) -> float:
    """Images per second that T(b) of an engine promises at the largest batch, of all instances;
    of an engine for one batch size, those of its one time."""
    if len(facts.seconds) == 1:
        ((batch, seconds),) = facts.seconds.items()
        return instances * batch / seconds
    cost = fit_batch_cost(list(facts.seconds), list(facts.seconds.values()))
    return instances * cost.throughput(max(facts.seconds))


def largest_batch(scenario: Scenario) -> int:
    """A query of MultiStream is one batch; elsewhere, what waits together."""
    return MULTI_STREAM_SAMPLES if scenario == "MultiStream" else max(BATCHES)


def _at(scenario: Scenario, rate: float) -> str:
    return f" at {rate:.1f} per second" if scenario == "Server" else ""


def _outcome(
    request: LoadgenRequest, summary: Summary, answer: LoadgenAnswer, *, scaled: bool
) -> dict[str, Scalar]:
    server: dict[str, Scalar] = {
        "target_rate": request.rate,
        "latency_bound": request.latency_bound,
    }
    return {
        "scenario": request.scenario,
        "batch": request.max_batch,
        "metric": summary.metric,
        "value": summary.value,
        "p99": summary.p99,
        **(server if request.scenario == "Server" else {}),
        "min_duration": request.min_duration,
        "min_queries": request.min_queries,
        "scaled": scaled,
        "valid": summary.valid,
        "reasons": "; ".join(summary.reasons),
        "version": answer.version,
    }
