"""Checks an artifact where it is going to run: its files, and its answers on every runtime.

Needs neither the network nor PyTorch, only `reference.npz`.
"""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from inference.artifact import Artifact, read_artifact
from inference.errors import RuntimeMissingError
from inference.manifest import Parity
from inference.open_engine import RUNTIMES, choose_runtime, open_unverified
from inference.parity import replay
from inference.reference import read_reference
from measuring.errors import InputError


@dataclass(frozen=True)
class Replayed:
    """One runtime's answers to the golden pictures, or why it could not be asked."""

    runtime: str
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
    """Replays the golden pictures on `runtime`; `auto`: on every installed one it was made for.

    Figures outside the bound are reported, not raised. Raises ArtifactError for damaged files,
    RuntimeMissingError if nothing that could open it is installed, InputError for a runtime that
    cannot open it or has no answers to check.
    """
    artifact = read_artifact(directory)
    names = _runtimes(artifact, choose_runtime(artifact, runtime), every=runtime == "auto")
    replayed = tuple(_replay(artifact, name) for name in names)
    missing = [entry.missing for entry in replayed if entry.missing]
    if len(missing) == len(replayed):
        raise RuntimeMissingError("; ".join(missing))
    return ArtifactReport(artifact, replayed)


def _runtimes(artifact: Artifact, chosen: str, *, every: bool) -> tuple[str, ...]:
    if not RUNTIMES[chosen].answers:
        raise InputError(
            f"runtime {chosen} answers zeros, expected one whose answers can be checked; "
            "leave --runtime out to check all that are installed"
        )
    listed = {name for variant in artifact.manifest.variants for name in variant.runtimes}
    return tuple(name for name in RUNTIMES if name in listed) if every else (chosen,)


def _replay(artifact: Artifact, runtime: str) -> Replayed:
    try:
        engine, variant = open_unverified(artifact, runtime=runtime)
    except RuntimeMissingError as error:
        return Replayed(runtime, missing=str(error))
    with closing(engine):
        parities = replay(engine, read_reference(artifact), bound=variant.parity.bound)
    return Replayed(runtime, parities)
