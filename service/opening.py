"""Opens the engines of a model: as many as told, or in the shape that answers the most."""

import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from inference.artifact import Artifact
from inference.engine import Engine
from inference.open_engine import open_engine
from inference.runtimes import RUNTIMES
from measuring.cores import available_cores
from service.settings import ModelSpec
from service.shape import Shape, best, candidates, saturate
from service.warmup import pictures, warm

log = logging.getLogger("stride.load")


def open_instances(artifact: Artifact, spec: ModelSpec) -> tuple[Shape, tuple[Engine, ...]]:
    """One engine per instance, each proved by its golden pictures. Raises what opening raises."""
    manifest, cores = artifact.manifest, available_cores()
    largest = max(manifest.files[variant.file].size for variant in manifest.variants)
    answers = spec.runtime not in RUNTIMES or RUNTIMES[spec.runtime].answers
    shapes = candidates(spec, cores, size=max(1, largest), answers=answers)
    opened: dict[Shape, tuple[Engine, ...]] = {}
    try:
        for shape in shapes:
            opened[shape] = _open(artifact, spec, shape)
        chosen = shapes[0] if len(shapes) == 1 else _measured_best(artifact, opened)
    except BaseException:
        for engines in opened.values():
            close(engines)
        raise
    for shape, engines in opened.items():
        if shape != chosen:
            close(engines)
    return chosen, opened[chosen]


def close(engines: Iterable[Engine]) -> None:
    """Free what they hold."""
    for engine in engines:
        engine.close()


def _measured_best(artifact: Artifact, opened: dict[Shape, tuple[Engine, ...]]) -> Shape:
    size = artifact.manifest.input.size
    for engines in opened.values():
        for engine in engines:
            warm(engine, size, 1)
    throughput = saturate(opened, pictures(1, size))
    chosen = best(throughput)
    told = ", ".join(f"{shape}: {found:.0f}" for shape, found in throughput.items())
    log.info(
        "shape model=%s instances=%d threads=%d reason=images per second at saturation %s",
        artifact.manifest.id, chosen.instances, chosen.threads, told,
    )  # fmt: skip
    return chosen


def _open(artifact: Artifact, spec: ModelSpec, shape: Shape) -> tuple[Engine, ...]:
    """Side by side: each is proved on its own, which takes as many calls as there are pictures."""
    with ThreadPoolExecutor(shape.instances) as pool:
        futures = [
            pool.submit(
                open_engine,
                artifact, runtime=spec.runtime, device=spec.device, threads=shape.threads,
            )
            for _ in range(shape.instances)
        ]  # fmt: skip
    if failed := next((e for future in futures if (e := future.exception())), None):
        close(future.result() for future in futures if future.exception() is None)
        raise failed
    return tuple(future.result() for future in futures)
