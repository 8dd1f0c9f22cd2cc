"""From a model's spec to engines that are open, checked against their reference and warm."""

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from inference.artifact import Artifact, find_artifacts, named_artifact
from inference.engine import Engine
from inference.reference import read_reference
from measuring.errors import InputError, MissingError
from service.floor import as_served
from service.health import Probe, make_probe
from service.opening import close, open_instances
from service.seam import ModelInfo
from service.settings import ModelSpec
from service.shape import Shape
from service.warmup import CANDIDATES, choose_max_batch, measure, smallest_that_pays, warm

log = logging.getLogger("stride.load")

LARGEST_ALONE = 32
"""Images of one request that one call takes where requests are not merged and nothing was told."""


@dataclass(frozen=True)
class Chosen:
    """An artifact that will be served, the way it will run, and the names it answers to.

    `measured`: seconds of a call by instances and threads, and by batch size, as the machine's
    profile has them.
    """

    artifact: Artifact
    spec: ModelSpec
    aliases: tuple[str, ...]
    measured: Mapping[tuple[int, int], Mapping[int, float]] = field(default_factory=dict)

    @classmethod
    def of(cls, artifact: Artifact, spec: ModelSpec) -> "Chosen":
        """Without the plain name, which depends on what else is served."""
        artifact = as_served(artifact, spec)
        aliases = (spec.alias,) if spec.alias else ()
        return cls(artifact, replace(spec, id=artifact.manifest.id), aliases)


@dataclass(frozen=True)
class Loaded:
    """Warm engines, one per instance; `alias`: the one given by `--model`; `probe`: tells whether
    an engine that failed still answers; `seconds`: what it took until they were proved and warm."""

    info: ModelInfo
    engines: tuple[Engine, ...]
    alias: str | None = None
    probe: Probe | None = None
    seconds: float = 0.0


def choose(repository: Path, specs: Sequence[ModelSpec]) -> tuple[Chosen, ...]:
    """Reads and checks the artifacts to serve: those named, or all of the repository.

    A broken artifact that nobody named is logged and left out. Raises InputError for a name that
    is not there, MissingError for a repository with nothing to serve, ArtifactError for a named
    artifact that is damaged.
    """
    if specs:
        named = ((spec, as_served(named_artifact(repository, spec.id), spec)) for spec in specs)
        found = [(replace(spec, id=artifact.manifest.id), artifact) for spec, artifact in named]
    else:
        found = [(ModelSpec(artifact.manifest.id), artifact) for artifact in _all(repository)]
    _refuse_duplicates(spec.id for spec, _ in found)
    aliases = names([Named(spec.id, a.manifest.name, spec.alias) for spec, a in found])
    return tuple(
        Chosen(artifact, spec, tuple(name for name, id_ in aliases.items() if id_ == spec.id))
        for spec, artifact in found
    )


def load(chosen: Chosen, queue_capacity: int) -> Loaded:
    """Opens one engine per instance and warms each at every batch size it will see. What was not
    told is taken from the machine's profile or measured."""
    started = time.perf_counter()
    spec, manifest = chosen.spec, chosen.artifact.manifest
    shape, engines = open_instances(chosen.artifact, spec)
    try:
        max_batch, seconds = _batching(engines[0], chosen, shape)
        for engine in engines:
            warm(engine, manifest.input.size, max_batch, device=spec.device)
        probe = make_probe(read_reference(chosen.artifact).pixels[:1], len(manifest.labels))
    except BaseException:
        close(engines)
        raise
    runtime, seconds_taken = engines[0].name.split()[0], time.perf_counter() - started
    log.info(
        "loaded model=%s runtime=%s instances=%d threads=%d max_batch=%d policy=%s seconds=%.2f",
        manifest.id, runtime, shape.instances, shape.threads, max_batch, spec.batching.policy,
        seconds_taken,
    )  # fmt: skip
    info = ModelInfo(
        manifest=manifest,
        engine=engines[0].name,
        runtime=runtime,
        device=spec.device,
        instances=shape.instances,
        threads=shape.threads,
        max_batch=max_batch,
        queue_capacity=max(queue_capacity, max_batch),
        seconds_by_batch=seconds,
        aliases=chosen.aliases,
        batching=spec.batching,
    )
    return Loaded(info, engines, spec.alias, probe, seconds_taken)


def _batching(engine: Engine, chosen: Chosen, shape: Shape) -> tuple[int, dict[int, float]]:
    """The largest batch and T(b): what was told, what the profile has for this shape, or what a
    measurement says."""
    spec, size = chosen.spec, chosen.artifact.manifest.input.size
    if (most := spec.max_batch) is not None and most > engine.max_batch:
        raise InputError(f"max_batch={most}, but {engine.name} takes at most {engine.max_batch}")
    if most is None and spec.batching.policy == "none":
        most = min(LARGEST_ALONE, engine.max_batch)
    if most is None and len(known := chosen.measured.get((shape.instances, shape.threads), {})) > 1:
        most = min(smallest_that_pays(known), engine.max_batch)
        log.info("batching model=%s max_batch=%d reason=the machine's profile", spec.id, most)
    if most is None:
        return choose_max_batch(engine, size)
    sizes = {1, most, *(batch for batch in CANDIDATES if batch < most)}
    return most, measure(engine, size, sorted(sizes))


def _all(repository: Path) -> list[Artifact]:
    artifacts: list[Artifact] = []
    for found in find_artifacts(repository):
        if isinstance(found.artifact, Artifact):
            artifacts.append(found.artifact)
        else:
            log.warning("left out artifact=%s reason=%s", found.id, found.artifact)
    if artifacts:
        return artifacts
    raise MissingError(
        f"no artifact to serve in {repository.absolute()}; "
        "make one with `stride export NETWORK`, or name its folder with --repository"
    )


def _refuse_duplicates(ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for identity in ids:
        if identity in seen:
            raise InputError(
                f"--model names {identity} twice; give each artifact once, and beside it at most "
                "one with runtime=null"
            )
        seen.add(identity)


@dataclass(frozen=True)
class Named:
    """A model's id, the plain name of its artifact, and the alias that it was given, if any."""

    id: str
    name: str
    alias: str | None


def names(models: Sequence[Named]) -> dict[str, str]:
    """Alias -> id: those given, then each artifact's own name where only one has it. Raises
    InputError for an alias that is taken."""
    ids = {model.id for model in models}
    aliases: dict[str, str] = {}
    for model in models:
        if model.alias is None:
            continue
        if model.alias in aliases or model.alias in ids - {model.id}:
            raise InputError(f"--model: the alias {model.alias!r} is taken; choose another")
        aliases[model.alias] = model.id
    plain = [model.name for model in models]
    for model in models:
        if plain.count(model.name) == 1 and model.name not in aliases and model.name not in ids:
            aliases[model.name] = model.id
    return aliases
