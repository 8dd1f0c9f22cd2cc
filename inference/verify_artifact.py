"""Checks an artifact where it is going to run: its files, and its answers on every runtime.

Needs neither the network nor PyTorch, only `reference.npz`.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from inference.artifact import Artifact, read_artifact
from inference.choice import Choice, choose, fitting
from inference.errors import RuntimeMissingError
from inference.manifest import Parity
from inference.open_engine import open_choice
from inference.parity import replay
from inference.reference import read_reference
from inference.runtimes import row_of
from measuring.errors import InputError
from measuring.gpu import gpus


@dataclass(frozen=True)
class Replayed:
    """One runtime's answers to the golden pictures with one file, or why it could not be asked."""

    runtime: str
    device: str
    file: str
    parities: tuple[Parity, ...] = ()
    missing: str | None = None


@dataclass(frozen=True)
class ArtifactReport:
    """What was found, runtime by runtime."""

    artifact: Artifact
    replayed: tuple[Replayed, ...]

    @property
    def holds(self) -> bool:
        """At least one runtime answered, and all that did are within their bounds."""
        parities = [parity for entry in self.replayed for parity in entry.parities]
        return bool(parities) and all(parity.holds for parity in parities)


def verify_artifact(directory: Path, *, runtime: str = "auto") -> ArtifactReport:
    """Replays the golden pictures on `runtime`; `auto`: on every installed one that its manifest
    names, with each file that this machine can run.

    Figures outside the bound are reported, not raised. Raises ArtifactError for damaged files,
    RuntimeMissingError if nothing that could open it is installed, InputError for a runtime that
    cannot open it or has no answers to check.
    """
    artifact = read_artifact(directory)
    replayed = tuple(_replay(artifact, choice) for choice in choices(artifact, runtime))
    missing = [entry.missing for entry in replayed if entry.missing]
    if len(missing) == len(replayed):
        raise RuntimeMissingError("; ".join(missing))
    return ArtifactReport(artifact, replayed)


def choices(artifact: Artifact, runtime: str) -> tuple[Choice, ...]:
    """Each file once per runtime and device; GPUs only where there is one, or nothing else.

    Other ways of running the same files, which compile for minutes, only where one is named."""
    if runtime != "auto" and not row_of(runtime).answers:
        raise InputError(
            f"runtime {runtime} answers zeros, expected one whose answers can be checked; "
            "leave --runtime out to check all that are installed"
        )
    able = [
        choice
        for choice in fitting(artifact)
        if runtime == choice.runtime or (runtime == "auto" and not row_of(choice.runtime).listed_as)
    ]
    on_cpu = [choice for choice in able if choice.device == "cpu"]
    if on_cpu and not gpus():
        able = on_cpu
    if not able:
        device = "cpu" if runtime == "auto" else row_of(runtime).devices[0]
        able = [choose(artifact, runtime=runtime, device=device)]
    files = {(choice.runtime, choice.device, choice.variant.file): choice for choice in able[::-1]}
    return tuple(files.values())[::-1]


def _replay(artifact: Artifact, choice: Choice) -> Replayed:
    place = (choice.runtime, choice.device, choice.variant.file)
    try:
        engine = open_choice(artifact, choice)
    except RuntimeMissingError as error:
        return Replayed(*place, missing=str(error))
    with closing(engine):
        parities = replay(
            engine,
            read_reference(artifact),
            bound=choice.variant.parity.bound,
            precision=artifact.manifest.precision,
        )
        return Replayed(*place, parities)
