"""What a benchmark will time: every way to run the artifacts, in every shape, at every size."""

import math
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.bench_messages import VisitRequest
from inference.artifact import Artifact, describe
from inference.choice import choose, fitting
from inference.errors import RuntimeMissingError
from inference.manifest import MANIFEST
from inference.runtimes import RUNTIMES, import_runtime, row_of
from measuring.cores import available_cores
from measuring.errors import InputError
from measuring.gpu import gpus
from measuring.machine import Machine
from measuring.percentiles import CLAIMS, least_count

AUTO = ("auto",)
QUICK_BATCHES = (1, 2, 4, 8)
BATCHES = (1, 2, 4, 8, 16)
LARGEST = 4096


@dataclass(frozen=True)
class Effort:
    """How long to measure. `seconds` and `blocks` are those of each point over all `rounds`, each
    of which opens every engine in a fresh process; `shapes`: whether one instance for each core is
    tried, too, where nobody says how many; `budget`: seconds of a run, for which blocks are left
    out, down to `fewest`."""

    blocks: int
    seconds: float
    rounds: int
    percentile: str
    shapes: bool = True
    budget: float | None = None
    fewest: int = 12


FULL = Effort(blocks=30, seconds=3.0, rounds=3, percentile="p90")
QUICK = Effort(blocks=20, seconds=0.8, rounds=1, percentile="p50", shapes=False, budget=110.0)


@dataclass(frozen=True)
class Candidate:
    """`instances` engines of an artifact, alike and busy at once, each with its `threads`."""

    artifact: str
    directory: str
    runtime: str
    device: str
    threads: int
    instances: int

    @property
    def key(self) -> str:
        """A name for it that no other has, for people too."""
        place = "" if self.device == "cpu" else f" {self.device}"
        return f"{self.artifact} {self.runtime}{place} {self.instances}x{self.threads}"


@dataclass(frozen=True)
class Sweep:
    """What was asked for; None means: as suits the machine."""

    batches: tuple[int, ...] = BATCHES
    runtimes: tuple[str, ...] = AUTO
    threads: tuple[int, ...] | None = None
    instances: tuple[int, ...] | None = None
    effort: Effort = FULL

    def __post_init__(self) -> None:
        for option, values in (
            ("--batch-sizes", self.batches),
            ("--threads", self.threads or ()),
            ("--instances", self.instances or ()),
        ):
            for value in values:
                if not 1 <= value <= LARGEST:
                    raise InputError(f"{option}: {value}, expected numbers from 1 to {LARGEST:,}")
        if self.effort.percentile not in CLAIMS:
            raise InputError(
                f"--percentile {self.effort.percentile!r}: expected one of {', '.join(CLAIMS)}"
            )
        for runtime in self.runtimes:
            if runtime != "auto":
                row_of(runtime)


@dataclass(frozen=True)
class Plan:
    """A benchmark run, before it begins, and the machine then; `manifests`: SHA-256 of each
    artifact's, by id."""

    run: str
    started: str
    machine: Machine
    candidates: tuple[Candidate, ...]
    batches: tuple[int, ...]
    effort: Effort
    manifests: dict[str, str]
    seed: int

    def visit(self, blocks: int) -> VisitRequest:
        """To a point in one of so many blocks; together enough calls for the percentile."""
        effort = self.effort
        runs = max(least_count(CLAIMS[effort.percentile]), blocks)
        return VisitRequest(1, math.ceil(runs / blocks), effort.seconds / blocks)


def make_plan(
    artifacts: Sequence[Artifact], sweep: Sweep, *, machine: Machine
) -> tuple[Plan, dict[str, str]]:
    """The plan, and why what was asked for is left out of it, by candidate.

    Raises InputError for a runtime named that opens none of the artifacts, and where nothing is
    left to time.
    """
    left_out: dict[str, str] = {}
    candidates = [
        candidate for artifact in artifacts for candidate in _candidates(artifact, sweep, left_out)
    ]
    if not candidates:
        reasons = "; ".join(f"{key}: {reason}" for key, reason in left_out.items())
        raise InputError(
            f"nothing to time: {reasons or 'no runtime opens these artifacts here'}; "
            "name other artifacts or runtimes"
        )
    now = datetime.now(UTC)
    plan = Plan(
        run=f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(2)}",
        started=now.isoformat(timespec="seconds"),
        machine=machine,
        candidates=tuple(dict.fromkeys(candidates)),
        batches=tuple(sorted(set(sweep.batches))),
        effort=sweep.effort,
        manifests={artifact.manifest.id: manifest_sha256(artifact) for artifact in artifacts},
        seed=secrets.randbelow(1 << 31),
    )
    return plan, left_out


def manifest_sha256(artifact: Artifact) -> str:
    """Of the manifest, which has the checksums of all other files."""
    return describe(artifact.directory / MANIFEST).sha256


def _candidates(artifact: Artifact, sweep: Sweep, left_out: dict[str, str]) -> Iterator[Candidate]:
    for runtime, device in _ways(artifact, sweep.runtimes, left_out):
        for instances, threads in _shapes(sweep, device):
            yield Candidate(
                artifact=artifact.manifest.id,
                directory=str(artifact.directory.absolute()),
                runtime=runtime,
                device=device,
                threads=threads,
                instances=instances,
            )


def _ways(
    artifact: Artifact, runtimes: tuple[str, ...], left_out: dict[str, str]
) -> list[tuple[str, str]]:
    """Runtime and device, of those asked for; one named that does not fit is left out, as another
    artifact may need it."""
    identity = artifact.manifest.id
    ways: dict[tuple[str, str], None] = {}
    for choice in fitting(artifact):
        row = RUNTIMES[choice.runtime]
        asked = choice.runtime in runtimes or (runtimes == AUTO and row.answers)
        if not asked or (choice.device != "cpu" and not gpus()):
            continue
        try:
            import_runtime(choice.runtime)
        except RuntimeMissingError as error:
            left_out[f"{identity} {choice.runtime}"] = str(error)
            continue
        ways[choice.runtime, choice.device] = None
    for runtime in runtimes:
        if runtime == "null":
            ways["null", "cpu"] = None
        elif runtime != "auto" and not any(runtime == named for named, _ in ways):
            try:
                choose(artifact, runtime=runtime)
            except InputError as error:
                left_out[f"{identity} {runtime}"] = str(error)
    return list(ways)


def _shapes(sweep: Sweep, device: str) -> list[tuple[int, int]]:
    """Instances and threads. Untold, one instance with all cores, and one for each core where
    there is time; a GPU takes one instance."""
    cores = available_cores()
    if sweep.threads is None and sweep.instances is None:
        most = cores if device == "cpu" and sweep.effort.shapes else 1
        return list(dict.fromkeys([(1, cores), (most, cores // most)]))
    instances = sweep.instances or (1,)
    return list(
        dict.fromkeys(
            (count, threads)
            for count in instances
            for threads in sweep.threads or (max(1, cores // count),)
        )
    )
