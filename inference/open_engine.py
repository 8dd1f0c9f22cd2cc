"""Opens an artifact with a runtime; what comes back has proved that it answers as it should.

A runtime is a row of `RUNTIMES` and a module with an `open_variant`, imported only when asked for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import import_module

from inference.artifact import Artifact, rebuild_command
from inference.engine import Engine
from inference.errors import RuntimeMissingError
from inference.manifest import Variant
from inference.parity import replay, require
from inference.reference import read_reference
from measuring.cores import available_cores
from measuring.errors import InputError
from measuring.processor import processor

OpenVariant = Callable[[Artifact, Variant, int], Engine]


@dataclass(frozen=True)
class Runtime:
    """`module`: where its `open_variant` is; `install`: what to run when an import fails;
    `devices`: where it computes; `answers`: whether the logits are the network's."""

    module: str
    install: str
    devices: tuple[str, ...] = ("cpu",)
    answers: bool = True


# In order of preference where an artifact leaves a choice.
RUNTIMES: dict[str, Runtime] = {
    "onnxruntime": Runtime("inference.onnxruntime_engine", "pip install onnxruntime"),
    "torch": Runtime("inference.torch_engine", 'pip install "stride[export]"'),
    "null": Runtime("inference.null_engine", "pip install stride", answers=False),
}


def open_engine(
    artifact: Artifact, *, runtime: str = "auto", device: str = "cpu", threads: int | None = None
) -> Engine:
    """An engine that has replayed the artifact's golden pictures within its bound.

    `threads` is for one picture or batch; by default all cores this process may use. The `null`
    runtime opens anything, answers zeros and replays nothing.
    Raises InputError for a runtime, device or thread count that does not fit the artifact,
    RuntimeMissingError for a runtime that is not installed and ParityError for wrong answers.
    """
    engine, variant = open_unverified(artifact, runtime=runtime, device=device, threads=threads)
    if not RUNTIMES[choose_runtime(artifact, runtime)].answers:
        return engine
    try:
        parities = replay(engine, read_reference(artifact), bound=variant.parity.bound)
        require(parities, what=f"{artifact.manifest.id} on {engine.name}")
    except BaseException:
        engine.close()
        raise
    return engine


def open_unverified(
    artifact: Artifact, *, runtime: str = "auto", device: str = "cpu", threads: int | None = None
) -> tuple[Engine, Variant]:
    """The engine and the variant it runs, before any replay: for those who report the figures.

    Raises as `open_engine` does, except ParityError.
    """
    name = choose_runtime(artifact, runtime)
    variant = _choose_variant(artifact, name)
    row = RUNTIMES[name]
    if device not in row.devices:
        raise InputError(
            f"runtime {name} on device {device!r}: expected one of {', '.join(row.devices)}"
        )
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}, expected 1 or more")
    open_variant = _import_runtime(name, row)
    return open_variant(artifact, variant, threads or available_cores()), variant


def choose_runtime(artifact: Artifact, runtime: str) -> str:
    """The row of `RUNTIMES` that opens the artifact; `auto` takes the first that can.

    Raises InputError for an unknown runtime and for an artifact that none of them opens.
    """
    if runtime in RUNTIMES:
        return runtime
    if runtime != "auto":
        near = get_close_matches(runtime, RUNTIMES, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise InputError(
            f"unknown runtime {runtime!r}: {hint}expected one of auto, {', '.join(RUNTIMES)}"
        )
    able = _able(artifact)
    if not able:
        needed = ", ".join(r for v in artifact.manifest.variants for r in v.runtimes)
        raise InputError(
            f"{artifact.manifest.id} is for the runtimes {needed}, of which this version of "
            f"stride knows none; it knows {', '.join(RUNTIMES)}"
        )
    return able[0]


def _choose_variant(artifact: Artifact, runtime: str) -> Variant:
    """The first variant made for the runtime that this processor has the features for: a
    manifest lists them in order of preference."""
    variants = artifact.manifest.variants
    if not RUNTIMES[runtime].answers:
        return variants[0]
    candidates = [variant for variant in variants if runtime in variant.runtimes]
    if not candidates:
        raise InputError(
            f"runtime {runtime} cannot open {artifact.manifest.id} (format "
            f"{artifact.manifest.format}), expected one of {', '.join((*_able(artifact), 'null'))}"
        )
    features = set(processor().features)
    for variant in candidates:
        if features.issuperset(variant.features):
            return variant
    needed = " or ".join("+".join(variant.features) for variant in candidates)
    raise InputError(
        f"{artifact.manifest.id} on {runtime} needs a processor with {needed}; this one has "
        f"{', '.join(sorted(features)) or 'none of the features known here'}; "
        f"rebuild it here with: {rebuild_command(artifact)}"
    )


def _able(artifact: Artifact) -> list[str]:
    listed = {runtime for variant in artifact.manifest.variants for runtime in variant.runtimes}
    return [name for name in RUNTIMES if name in listed]


def _import_runtime(name: str, row: Runtime) -> OpenVariant:
    try:
        module = import_module(row.module)
    except ImportError as error:
        raise RuntimeMissingError(
            f"runtime {name} cannot be used: {error}; install it with: {row.install}"
        ) from error
    open_variant: OpenVariant = module.open_variant
    return open_variant
