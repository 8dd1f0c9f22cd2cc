"""Artifacts that run only where they were built: what a machine has against what they ask for.

A requirement in a manifest's `bound_to` is a value that must be the same, or bounds on a dotted
number such as `>=10.16.1,<12`.
"""

import platform
import re
from collections.abc import Mapping

from inference.artifact import Artifact, rebuild_command
from inference.errors import ArtifactError
from measuring.gpu import Gpu

_BOUND = re.compile(r"(>=|<)(\d+(?:\.\d+)*)")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")


def machine_facts(gpu: Gpu | None, **versions: str) -> dict[str, str]:
    """What this machine offers: its platform, the GPU that will compute, versions of libraries."""
    facts = {"platform": f"{platform.system()} {platform.machine()}", **versions}
    if gpu is not None:
        facts |= {"gpu": gpu.name, "compute_capability": gpu.capability, "driver": gpu.driver}
    return facts


def require_bound_here(artifact: Artifact, facts: Mapping[str, str]) -> None:
    """Asked before a machine-bound file is opened: what a foreign one does is undefined.

    Raises ArtifactError naming every difference and the command that rebuilds the artifact.
    """
    manifest = artifact.manifest
    rebuild = f"rebuild it here with: {rebuild_command(artifact)}"
    if not manifest.bound_to:
        raise ArtifactError(
            f"{manifest.id} does not say which machine it was built for, expected its platform and "
            f"versions in bound_to; {rebuild}"
        )
    if different := differences(manifest.bound_to, facts):
        raise ArtifactError(f"{manifest.id} was built for {'; '.join(different)}; {rebuild}")


def differences(bound_to: Mapping[str, str], facts: Mapping[str, str]) -> tuple[str, ...]:
    """`KEY REQUIRED, but here it is RECEIVED` for every requirement that is not met."""
    return tuple(
        f"{key.replace('_', ' ')} {required}, but here it is {facts.get(key, 'unknown')}"
        for key, required in bound_to.items()
        if not _meets(facts.get(key), required)
    )


def _meets(received: str | None, required: str) -> bool:
    if received is None:
        return False
    clauses = [_BOUND.fullmatch(clause.strip()) for clause in required.split(",")]
    bounds = [clause.groups() for clause in clauses if clause]
    if len(bounds) < len(clauses):
        return received == required
    if not _NUMBER.fullmatch(received):
        return False
    number = _dotted(received)
    return all(
        number >= _dotted(value) if sign == ">=" else number < _dotted(value)
        for sign, value in bounds
    )


def _dotted(text: str) -> tuple[int, ...]:
    """Without trailing zeros, so that 12 and 12.0 are the same."""
    numbers = [int(part) for part in text.split(".")]
    while numbers and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
