"""Which runtime runs which variant of an artifact on this machine."""

from dataclasses import dataclass

from inference.artifact import Artifact, rebuild_command
from inference.errors import RuntimeMissingError
from inference.manifest import Variant
from inference.runtimes import RUNTIMES, import_runtime, opens, row_of
from measuring.errors import InputError
from measuring.processor import processor


@dataclass(frozen=True)
class Choice:
    """A runtime, the device it computes on and the variant that it runs."""

    runtime: str
    device: str
    variant: Variant


def choose(artifact: Artifact, *, runtime: str = "auto", device: str = "cpu") -> Choice:
    """The runtime, for `auto` the first installed one that fits, and the variant it runs: the
    first made for it, for the device and for this processor.

    Raises InputError for an unknown runtime and where nothing fits, naming what does;
    RuntimeMissingError for `auto` where nothing that fits is installed.
    """
    if runtime != "auto":
        return Choice(runtime, device, _variant(artifact, runtime, device))
    missing: list[RuntimeMissingError] = []
    for choice in fitting(artifact):
        if choice.device != device:
            continue
        try:
            import_runtime(choice.runtime)
        except RuntimeMissingError as error:
            missing.append(error)
        else:
            return choice
    if missing:
        raise missing[0]
    raise _nothing_fits(artifact, device)


def fitting(artifact: Artifact) -> tuple[Choice, ...]:
    """Every way to run the artifact with this processor, installed or not: all variants, by
    runtime in order of preference."""
    return tuple(
        Choice(name, device, variant)
        for name, row in RUNTIMES.items()
        for device in row.devices
        for variant in artifact.manifest.variants
        if opens(name, variant) and device in variant.devices and _fits(variant, device)
    )


def _variant(artifact: Artifact, name: str, device: str) -> Variant:
    row = row_of(name)
    if device not in row.devices:
        raise InputError(
            f"runtime {name} does not run on device {device!r}, only on {', '.join(row.devices)}; "
            "choose that device, or another runtime"
        )
    variants = artifact.manifest.variants
    if not row.answers:
        return variants[0]
    candidates = [v for v in variants if opens(name, v) and device in v.devices]
    if not candidates:
        raise _not_for(artifact, f"runtime {name} on {device}")
    for variant in candidates:
        if _fits(variant, device):
            return variant
    needed = " or ".join(feature for variant in candidates for feature in variant.features)
    features = ", ".join(processor().features) or "none of the features known here"
    raise InputError(
        f"{artifact.manifest.id} on {name} needs a processor with {needed}; this one has "
        f"{features}; rebuild it here with: {rebuild_command(artifact)}"
    )


def _fits(variant: Variant, device: str) -> bool:
    """Whether this processor has what the variant needs; on a GPU it does not matter."""
    if device != "cpu" or not variant.features:
        return True
    return not set(variant.features).isdisjoint(processor().features)


def _nothing_fits(artifact: Artifact, device: str) -> InputError:
    """The error of the first runtime that the artifact was made for, if it is known here."""
    variants = artifact.manifest.variants
    for name, row in RUNTIMES.items():
        if device in row.devices and any(opens(name, v) and device in v.devices for v in variants):
            try:
                _variant(artifact, name, device)
            except InputError as error:
                return error
    if any(opens(name, variant) for name in RUNTIMES for variant in variants):
        return _not_for(artifact, f"device {device!r}")
    return _made_for_unknown(artifact)


def _made_for_unknown(artifact: Artifact) -> InputError:
    variants = artifact.manifest.variants
    needed = ", ".join(runtime for variant in variants for runtime in variant.runtimes)
    return InputError(
        f"{artifact.manifest.id} is for the runtimes {needed}, of which this version of "
        f"stride knows none; it knows {', '.join(RUNTIMES)}"
    )


def _not_for(artifact: Artifact, wanted: str) -> InputError:
    manifest = artifact.manifest
    there = [
        f"{name} on {device}"
        for name, row in RUNTIMES.items()
        for device in row.devices
        if any(opens(name, v) and device in v.devices for v in manifest.variants)
    ]
    if not there:
        return _made_for_unknown(artifact)
    return InputError(
        f"{wanted} cannot open {manifest.id} (format {manifest.format}, precision "
        f"{manifest.precision}), expected one of {', '.join(there)}"
    )
