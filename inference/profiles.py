"""What was measured on this machine, from measuring to serving: `profiles/<machine key>.json`.

The key is made of the hardware alone; versions and checksums stand beside every comparison, and
one that no longer fits is left out with a reason.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from inference.artifact import Artifact
from measuring.bootstrap import Interval, Ratio
from measuring.errors import InputError
from measuring.machine import Machine

SCHEMA = 1
WORTH_IT = 1.05
"""More instances must bring this much more images per second."""
# Those whose version decides how fast an engine is.
_DECISIVE = ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "torch")


@dataclass(frozen=True)
class Way:
    """One way to answer: an artifact, by its id, on a runtime and a device."""

    artifact: str
    runtime: str
    device: str


@dataclass(frozen=True)
class Timing:
    """`seconds` of one call with `batch` pictures while all `instances` are busy, and how many
    times those of the `Winner` among all ways at this batch size; `sha256` of the `file` that ran,
    `threads` of the processor for each instance."""

    way: Way
    engine: str
    file: str
    sha256: str
    threads: int
    batch: int
    seconds: Interval
    ratio: Ratio
    instances: int = 1

    @property
    def images_per_second(self) -> Interval:
        """Of all instances, with the bounds in order: least time, most images."""
        seconds, images = self.seconds, self.batch * self.instances
        least, usual, most = (images / s for s in (seconds.high, seconds.estimate, seconds.low))
        return Interval(usual, least, most, seconds.confidence)


@dataclass(frozen=True)
class Winner:
    """The fastest way, the simpler one where two tie: among those of `artifact` on `device`, among
    all where they are None; at one `batch` size, over all of them where it is None."""

    artifact: str | None
    device: str | None
    batch: int | None
    way: Way


@dataclass(frozen=True)
class Comparison:
    """Every way to run one network with the same weights, timed against one another in one run;
    `measured` is an ISO 8601 time, `libraries` the versions it was measured with."""

    name: str
    weights: str
    measured: str
    libraries: dict[str, str]
    timings: tuple[Timing, ...]
    winners: tuple[Winner, ...]

    @property
    def artifacts(self) -> frozenset[str]:
        """The ids compared."""
        return frozenset(timing.way.artifact for timing in self.timings)


@dataclass(frozen=True)
class Profile:
    """All comparisons made on one machine, the latest last."""

    machine: str
    comparisons: tuple[Comparison, ...] = ()
    schema: int = SCHEMA


@dataclass(frozen=True)
class Preference:
    """The runtime that a profile prefers, or None; and why, in words."""

    runtime: str | None
    reason: str


_ADAPTER = TypeAdapter(Profile)


def read_profile(directory: Path, machine: Machine) -> Profile:
    """The machine's profile, empty where nothing was measured yet.

    Raises InputError for a file that cannot be read, is damaged or of another machine.
    """
    path = _path(directory, machine)
    advice = f"remove it and measure again: stride export NETWORK --runtime auto; it is {path}"
    try:
        profile = _ADAPTER.validate_json(path.read_bytes())
    except FileNotFoundError:
        return Profile(machine.key)
    except OSError as error:
        raise InputError(
            f"profile {path} cannot be read ({error.strerror}); choose another folder with "
            "--profiles"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the document"
        raise InputError(f"the profile is damaged: {where}: {first['msg']}; {advice}") from error
    if (profile.schema, profile.machine) != (SCHEMA, machine.key):
        raise InputError(
            f"the profile is of machine {profile.machine} in schema {profile.schema}, expected "
            f"{machine.key} in schema {SCHEMA}; {advice}"
        )
    return profile


def add_comparison(directory: Path, machine: Machine, comparison: Comparison) -> Path:
    """Puts the comparison into the machine's profile, written whole or not at all; it replaces
    older ones of the same weights that timed nothing besides.

    Raises InputError as `read_profile` does, and for a folder that cannot be written.
    """
    path = _path(directory, machine)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _alone(path):
            profile = read_profile(directory, machine)
            kept = tuple(c for c in profile.comparisons if not _replaces(comparison, c))
            profile = replace(profile, comparisons=(*kept, comparison))
            partial = path.with_suffix(".partial")
            partial.write_bytes(_ADAPTER.dump_json(profile, indent=1) + b"\n")
            partial.replace(path)
    except OSError as error:
        raise InputError(
            f"profile {path} cannot be written ({error.strerror}); choose another folder with "
            "--profiles"
        ) from error
    return path


def preferred_runtime(
    profile: Profile, artifact: Artifact, libraries: dict[str, str], *, device: str = "cpu"
) -> Preference:
    """What was found fastest for this artifact on the device, over all batch sizes, by the
    comparison of most runtimes that still fits, the latest of several; `libraries`: the versions
    installed here."""
    reason = "nothing was measured for it on this machine"
    found, most = Preference(None, reason), 0
    for comparison in reversed(profile.comparisons):
        if artifact.manifest.id not in comparison.artifacts:
            continue
        stale = _stale(comparison, artifact, libraries)
        if stale:
            reason = stale
            continue
        for winner in comparison.winners:
            scope = (winner.artifact, winner.device, winner.batch)
            rivals = _rivals(comparison, artifact.manifest.id, device)
            if scope == (artifact.manifest.id, device, None) and rivals > most:
                why = f"fastest as measured {comparison.measured}"
                found, most = Preference(winner.way.runtime, why), rivals
    return found if most else Preference(None, reason)


def preferred_shape(
    profile: Profile, artifact: Artifact, libraries: dict[str, str], *, runtime: str, device: str
) -> tuple[int, int] | None:
    """Instances, and processor threads of each, that answered the most, by the latest comparison
    of several that still fits; None where there is none."""
    way = Way(artifact.manifest.id, runtime, device)
    for comparison in reversed(profile.comparisons):
        timings = [timing for timing in comparison.timings if timing.way == way]
        shapes = {(timing.instances, timing.threads) for timing in timings}
        if len(shapes) > 1 and not _stale(comparison, artifact, libraries):
            return best_shape(timings)
    return None


def best_shape(timings: Sequence[Timing]) -> tuple[int, int]:
    """Instances and threads of the most images per second at any batch size; the fewest instances
    where that is nearly as good, since each costs memory and latency."""
    most: dict[tuple[int, int], float] = {}
    for timing in timings:
        shape, images = (timing.instances, timing.threads), timing.images_per_second.estimate
        most[shape] = max(images, most.get(shape, 0.0))
    return min(shape for shape in most if most[shape] * WORTH_IT >= max(most.values()))


def measured_seconds(
    profile: Profile, artifact: Artifact, libraries: dict[str, str], *, runtime: str, device: str
) -> dict[tuple[int, int], dict[int, float]]:
    """Seconds of one call by shape (instances, and threads of each) and by batch size: of each
    shape from the latest comparison that still fits; empty where there is none."""
    way = Way(artifact.manifest.id, runtime, device)
    found: dict[tuple[int, int], dict[int, float]] = {}
    for comparison in profile.comparisons:
        timings = [timing for timing in comparison.timings if timing.way == way]
        if timings and not _stale(comparison, artifact, libraries):
            latest: dict[tuple[int, int], dict[int, float]] = {}
            for timing in timings:
                shape = (timing.instances, timing.threads)
                latest.setdefault(shape, {})[timing.batch] = timing.seconds.estimate
            found |= latest
    return found


def _stale(comparison: Comparison, artifact: Artifact, libraries: dict[str, str]) -> str | None:
    """Why the comparison no longer fits; what only one side knows is no difference."""
    manifest, measured = artifact.manifest, f"measured {comparison.measured}"
    if comparison.weights != manifest.weights.sha256:
        return f"{measured} with other weights"
    changed = [
        f"{name} {comparison.libraries[name]}, now {libraries[name]}"
        for name in _DECISIVE
        if name in libraries and comparison.libraries.get(name, libraries[name]) != libraries[name]
    ]
    if changed:
        return f"{measured} with {', '.join(changed)}"
    for timing in comparison.timings:
        entry = manifest.files.get(timing.file)
        if timing.way.artifact == manifest.id and (not entry or entry.sha256 != timing.sha256):
            return f"{measured} with another {timing.file}"
    return None


def _replaces(new: Comparison, old: Comparison) -> bool:
    same = (new.name, new.weights) == (old.name, old.weights)
    return same and _points(old) <= _points(new)


def _points(comparison: Comparison) -> set[tuple[Way, int, int, int]]:
    return {(it.way, it.instances, it.threads, it.batch) for it in comparison.timings}


def _rivals(comparison: Comparison, identity: str, device: str) -> int:
    """How many ways to run the artifact on the device were compared."""
    ways = {timing.way for timing in comparison.timings}
    return sum((way.artifact, way.device) == (identity, device) for way in ways)


def _path(directory: Path, machine: Machine) -> Path:
    return directory / f"{machine.key}.json"


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time, so that none loses what another has just added."""
    with path.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
