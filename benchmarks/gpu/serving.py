"""A service with a network on the GPU under load by batch size, over HTTP on this machine: what it
answers, how full each part of it is, and so what stops it from answering more."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from benchmarks.gpu.engines import open_artifact
from benchmarks.gpu.prepare import COMPILED
from benchmarks.gpu.scale import Scale
from benchmarks.gpu.service_reading import Passed, Watch, between, read_service
from benchmarks.gpu.serving_limit import Shares, limit
from benchmarks.gpu.step import Context, OutOfTimeError, Step, StepError
from benchmarks.gpu.ways import FUSED, RECORDED
from benchmarks.pages import number
from benchmarks.serving_processes import Server
from inference.errors import RuntimeMissingError
from loadtest.load import Closed, Load, Open
from loadtest.outcome import Outcome
from loadtest.prepared import prepare
from loadtest.run import run_load
from loadtest.target import BodyKind, Target
from measuring.cores import available_cores
from measuring.errors import MissingError
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now

NAME = "gpu-http"
NEEDS = ("fastapi", "uvicorn", "httptools", "orjson", "multipart")
MODEL, FLOOR = "network", "floor"
_MOST_BATCH = 128  # a service on a GPU records every size up to it before it is ready
_PATIENCE = 120.0
_STEADY = 0.7  # of the closed loop's rate: what a service is asked for that is not at its limit


@dataclass(frozen=True)
class Case:
    """What is sent: `batch` pictures each, by so many clients that wait, or at a rate."""

    model: str
    body: BodyKind
    batch: int
    connections: int

    @property
    def name(self) -> str:
        return f"{self.model} {self.body} x {self.batch}"


@dataclass(frozen=True)
class Served:
    """A service that runs: what it was asked for, and where it listens."""

    url: str
    network: str
    precision: str
    runtime: str
    frontends: int
    decoders: int


def steps(context: Context) -> list[Step]:
    """Each default network by itself, and the first one with several processes for HTTP, too."""
    first, *others = context.scale.networks
    wanted = [(first, 1), *((network, 1) for network in others), (first, context.scale.frontends)]
    return [
        Step(
            "http", network if count == 1 else f"{network} with {count} front ends",
            partial(_serve, network, count), needs=NEEDS,
        )
        for network, count in dict.fromkeys(wanted)
    ]  # fmt: skip


def _serve(network: str, frontends: int, context: Context) -> Iterator[list[Measurement]]:
    """Raises StepSkippedError without the artifact."""
    scale = context.scale
    server, served = serve(network, frontends, context)
    thorough = network == scale.networks[0] and frontends == 1
    with server:
        for case in _cases(scale, thorough=thorough):
            if context.late():
                raise OutOfTimeError(f"before {case.name}")
            if case.model == FLOOR and _floor(case, frontends, context) is not None:
                continue
            measured = _measure(served, case, Closed(case.connections), context)
            yield [measured]
            if thorough and case.model == MODEL and case.batch == 1:
                rate = _STEADY * number(measured, "images_per_second")
                steady = Open(max(1.0, rate), max_connections=scale.connections * 4)
                yield [_measure(served, case, steady, context)]


def serve(network: str, frontends: int, context: Context) -> tuple[Server, Served]:
    """The service, which whoever asks for it ends. Raises StepSkippedError without the artifact."""
    precisions = context.scale.precisions
    precision = COMPILED if COMPILED in precisions else precisions[0]
    artifact = open_artifact(context, network, precision)
    runtimes = (FUSED, RECORDED) if context.device == "cuda" else ("torch",)
    server, runtime = _start(artifact.manifest.id, runtimes, frontends, context)
    return server, Served(server.url, network, precision, runtime, frontends, available_cores())


def _cases(scale: Scale, *, thorough: bool) -> list[Case]:
    """The floor first, since what it answers is part of what is said of the network."""
    batches = scale.requested if thorough else scale.requested[::2]
    sent: list[tuple[BodyKind, int]] = [("pixels", batch) for batch in batches]
    sent += [("jpeg", 1), ("jpeg", scale.requested[len(scale.requested) // 2])]
    cases = []
    for body, batch in dict.fromkeys(sent):
        connections = max(4, scale.connections // batch)
        cases += [Case(model, body, batch, connections) for model in (FLOOR, MODEL)]
    return cases


def _floor(case: Case, frontends: int, context: Context) -> float | None:
    """Images per second that a service with so many front ends answers without a network, whichever
    network stands beside."""
    found = context.journal.find(
        NAME, model=FLOOR, body=case.body, batch=case.batch, frontends=frontends
    )
    return None if found is None else number(found, "images_per_second")


def _start(
    artifact: str, runtimes: tuple[str, ...], frontends: int, context: Context
) -> tuple[Server, str]:
    """The service on the first runtime that opens the artifact, and that runtime."""
    failed: MissingError | None = None
    for runtime in runtimes:
        options = f"runtime={runtime},device={context.device},max_batch={_MOST_BATCH}"
        command = [
            sys.executable, "-c", "import cli; cli.main()", "serve",
            "--repository", str(context.repository), "--port", "0",
            "--model", f"{MODEL}={artifact}:{options},instances=2",
            "--model", f"{FLOOR}={artifact}:runtime=null,max_batch={_MOST_BATCH}",
            "--queue-capacity", "4096", "--max-requests", "4096",
            "--max-body-bytes", str(1 << 26), "--profiles", str(context.journal.folder),
        ]  # fmt: skip
        command += ["--frontends", str(frontends)] if frontends > 1 else []
        left = context.left()
        try:
            return Server(command, ready="/readyz", patience=min(_PATIENCE, left)), runtime
        except MissingError as error:
            if left < _PATIENCE:
                raise OutOfTimeError("before the service was ready") from error
            context.journal.log(str(error))
            failed = error
    raise RuntimeMissingError(str(failed))


def _measure(served: Served, case: Case, traffic: Closed | Open, context: Context) -> Measurement:
    """Raises StepError where no answer was right."""
    scale = context.scale
    target = Target(served.url, case.model, "v2", case.body, case.batch)
    processes = min(scale.senders, case.connections)
    load = Load(traffic, seconds=scale.loaded, warm_up=scale.loaded / 4, processes=processes)
    prepared = prepare(target)
    before = read_service(served.url)
    with Watch(served.url) as watch:
        outcome = run_load(target, load, prepared=prepared)
    after = read_service(served.url)
    passed = between(before, after, load.seconds + load.warm_up)
    floor = None if case.model == FLOOR else _floor(case, served.frontends, context)
    shares = _shares(served, outcome, floor, passed, watch.most)
    settings: dict[str, Scalar] = {
        "network": served.network, "precision": served.precision, "way": served.runtime,
        "device": context.device, "model": case.model, "frontends": served.frontends,
        "body": case.body, "batch": case.batch, "connections": case.connections,
        "traffic": "closed" if isinstance(traffic, Closed) else "open",
        "rate": traffic.rate if isinstance(traffic, Open) else None,
        "images_per_second": outcome.images_per_second, "requests": outcome.sent,
        "errors": outcome.failed + outcome.dropped, "limit": limit(shares),
        **{f"share_{name}": share for name, share in shares.named().items()},
        "service_cores": passed.cpu / passed.seconds,
        "generator_cores": sum(outcome.generator.cpu),
        **{f"stage_{name}": taken.percentile(50.0) for name, taken in outcome.stages.items()},
        **watch.most,
    }  # fmt: skip
    if outcome.latency is None:
        told = "; ".join(outcome.examples.values()) or "all were sent during the warm-up"
        raise StepError(f"{case.name}: no right answer to {outcome.sent} requests: {told}")
    machine, reasons = fingerprint(), outcome.invalid
    return Measurement(NAME, settings, outcome.latency, machine, now(), reasons=reasons)


def _shares(
    served: Served,
    outcome: Outcome,
    floor: float | None,
    passed: Passed,
    gpu: Mapping[str, float],
) -> Shares:
    """How full each part was; `floor`: None for the floor itself."""
    # The last answers may come after the seconds of the load.
    decode = min(1.0, passed.decoding / (passed.seconds * served.decoders))
    return Shares(
        generator=max(outcome.generator.cpu, default=0.0),
        http=outcome.images_per_second / floor if floor else None,
        decode=decode,
        engine=min(1.0, passed.busiest / passed.seconds) if floor else None,
        gpu=gpu.get("nv_gpu_utilization"),
    )
