"""What this machine's profile knows better than the order of the runtimes; a flag beats it."""

import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from inference.choice import fitting
from inference.errors import RuntimeMissingError
from inference.profiles import (
    Profile,
    measured_seconds,
    preferred_runtime,
    preferred_shape,
    read_profile,
)
from inference.runtimes import import_runtime
from measuring.machine import fingerprint
from service.loading import Chosen

log = logging.getLogger("stride.load")

AUTO = "auto"


def prefer(chosen: Iterable[Chosen], profiles: Path) -> tuple[Chosen, ...]:
    """Each model for which no runtime was named gets the one that was measured fastest for it, and
    every model what was measured of its runtime, and the shape that answered the most where none
    was told.

    Where nothing was measured, it does not fit any more or is not installed, `auto` stays and the
    log says why. Raises InputError for a profile that is damaged.
    """
    machine = fingerprint()
    profile = read_profile(profiles, machine)
    preferred = (_prefer(entry, profile, machine.libraries) for entry in chosen)
    return tuple(_inform(entry, profile, machine.libraries) for entry in preferred)


def _prefer(chosen: Chosen, profile: Profile, libraries: dict[str, str]) -> Chosen:
    if chosen.spec.runtime != AUTO:
        return chosen
    preference = preferred_runtime(profile, chosen.artifact, libraries, device=chosen.spec.device)
    runtime, reason = preference.runtime, preference.reason
    if runtime is not None and (hindrance := _hindrance(chosen, runtime)):
        runtime, reason = None, f"{runtime} was {reason}, but {hindrance}"
    identity = chosen.artifact.manifest.id
    log.info("profile model=%s runtime=%s reason=%s", identity, runtime or AUTO, reason)
    return replace(chosen, spec=replace(chosen.spec, runtime=runtime)) if runtime else chosen


def _inform(chosen: Chosen, profile: Profile, libraries: dict[str, str]) -> Chosen:
    spec = chosen.spec
    measured = measured_seconds(
        profile, chosen.artifact, libraries, runtime=spec.runtime, device=spec.device
    )
    if spec.instances is not None or spec.threads is not None:
        return replace(chosen, measured=measured)
    shape = preferred_shape(
        profile, chosen.artifact, libraries, runtime=spec.runtime, device=spec.device
    )
    if shape is None:
        return replace(chosen, measured=measured)
    instances, threads = shape
    log.info(
        "profile model=%s instances=%d threads=%d reason=most images per second as measured",
        chosen.artifact.manifest.id, instances, threads,
    )  # fmt: skip
    spec = replace(spec, instances=instances, threads=threads)
    return replace(chosen, spec=spec, measured=measured)


def _hindrance(chosen: Chosen, runtime: str) -> str | None:
    """Why a runtime that was measured cannot be used now."""
    ways = {(choice.runtime, choice.device) for choice in fitting(chosen.artifact)}
    if (runtime, chosen.spec.device) not in ways:
        return "the artifact is not made for it any more"
    try:
        import_runtime(runtime)
    except RuntimeMissingError as error:
        return str(error)
    return None
