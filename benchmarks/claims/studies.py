"""What has to be measured for the claims, in pieces that are kept: an interrupted run goes on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import peaks
from benchmarks.claims import fit, network_contests, stages, trained, training_memory
from benchmarks.claims.table import Claim
from benchmarks.network_graphs import settled
from benchmarks.operators import Run, measure_operators, runtimes
from benchmarks.pieces import measured_piece
from benchmarks.run_graph import available
from measuring.machine import Machine
from measuring.record import Measurement
from models import Loaded, create, load

Report = Callable[[str], None]


@dataclass(frozen=True)
class Study:
    """`path` keeps the records, but for those that `stride operators` and `stride roofline` keep
    beside it; `weights`: checkpoints by network, for claims 12, 13 and 17;
    `images`: a folder of pictures for claim 17."""

    machine: Machine
    path: Path
    report: Report
    threads: int = 1
    device: str = "cpu"
    quick: bool = False
    fresh: bool = False
    weights: Mapping[str, Path] = field(default_factory=dict)
    images: Path | None = None

    @property
    def runtimes(self) -> tuple[str, ...]:
        """Fewer in a quick run: making graphs takes longer than timing them."""
        return runtimes(self.device)[: 2 if self.quick else None]

    def piece(self, name: str, measure: Callable[[], list[Measurement]]) -> list[Measurement]:
        """Measured now, or kept from before."""
        length = "quick" if self.quick else "full"
        self.report(name)
        return measured_piece(
            self.path,
            f"{name}, {self.device}, {self.threads} threads, {length}",
            measure,
            self.machine,
            fresh=self.fresh,
        )


def measure(study: Study, claims: Sequence[Claim]) -> list[Measurement]:
    """Every record that `claims` are judged by."""
    names = dict.fromkeys(name for claim in claims for name in claim.studies)
    return [record for name in names for record in STUDIES[name](study)]


def _operators(study: Study, tables: tuple[str, ...] = ("operator",)) -> Iterator[Measurement]:
    run = Run(study.machine, study.threads, study.device, study.quick)
    path = study.path.with_name("operators.jsonl")
    for piece, records in measure_operators(run, path, fresh=study.fresh, tables=tables):
        study.report(piece)
        yield from records


def _guidelines(study: Study) -> Iterator[Measurement]:
    return _operators(study, ("G1", "G2", "G3", "G4"))


def _on_gpu(study: Study) -> Iterator[Measurement]:
    """Nothing where the study is not of a GPU."""
    return _operators(study) if study.device == "cuda" else iter(())


def _peaks(study: Study) -> list[Measurement]:
    study.report("peaks")
    return peaks.kept_peaks(
        study.path.with_name("roofline.jsonl"),
        study.threads,
        study.machine,
        device=study.device,
        quick=study.quick,
        fresh=study.fresh,
    )


def _contest(name: str) -> "Callable[[Study], Iterator[Measurement]]":
    def measured(study: Study) -> Iterator[Measurement]:
        for contest in network_contests.contests(quick=study.quick):
            for runtime in study.runtimes if contest.name == name else ():
                yield from study.piece(
                    f"{name} networks, {runtime}",
                    lambda contest=contest, runtime=runtime: network_contests.measure_contest(  # type: ignore[misc]
                        contest, runtime, study.machine, threads=study.threads, device=study.device
                    ),
                )

    return measured


def _memory(study: Study) -> list[Measurement]:
    return study.piece(
        "memory of training steps",
        lambda: training_memory.measure_memory(study.machine, quick=study.quick),
    )


def _fits(study: Study) -> list[Measurement]:
    """On random weights, and on trained ones of ResNet-50 where they are given."""
    name = "resnet50"
    found = study.piece(
        "fits of pairs to a random convolution",
        lambda: fit.measure_fits(
            settled(lambda: create(name), fit.SIZE), study.machine, trained=False, quick=study.quick
        ),
    )
    if name in study.weights:
        loaded = load(name, study.weights[name])
        found += study.piece(
            f"fits of pairs to {loaded.sha256[:12]}",
            lambda: fit.measure_fits(
                loaded.network, study.machine, trained=_imagenet(loaded), quick=study.quick
            ),
        )
    return found


def _imagenet(loaded: Loaded) -> bool:
    return loaded.trained and len(loaded.labels) == 1000


def _weights(study: Study) -> Iterator[Measurement]:
    for name, path in study.weights.items():
        loaded = load(name, path)
        yield from study.piece(
            f"filters and maps of {name} {loaded.sha256[:12]}",
            lambda name=name, loaded=loaded: trained.measure_trained(  # type: ignore[misc]
                name, loaded, study.images, study.machine
            ),
        )


def _stages(study: Study) -> Iterator[Measurement]:
    for runtime in available() if study.device == "cpu" else ():
        yield from study.piece(
            f"stages of {stages.NETWORK}, {runtime}",
            lambda runtime=runtime: stages.measure_stages(  # type: ignore[misc]
                runtime, study.machine, threads=study.threads, quick=study.quick
            ),
        )


STUDIES: "Mapping[str, Callable[[Study], Iterator[Measurement] | list[Measurement]]]" = {
    "operators": _operators,
    "guidelines": _guidelines,
    "operators on a GPU": _on_gpu,
    "peaks": _peaks,
    "networks": _contest("light"),
    "heavy networks": _contest("heavy"),
    "variants": _contest("variants"),
    "memory": _memory,
    "fits": _fits,
    "weights": _weights,
    "stages": _stages,
}
