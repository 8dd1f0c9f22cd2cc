"""Opens an artifact with a runtime; what comes back has proved that it answers as it should."""

from inference.artifact import Artifact
from inference.choice import Choice, choose
from inference.engine import Engine
from inference.errors import ParityError
from inference.manifest import Variant
from inference.parity import replay, require
from inference.placement import Placement
from inference.reference import read_reference
from inference.runtimes import RUNTIMES, import_runtime
from measuring.cores import available_cores
from measuring.errors import InputError, StrideError


def open_engine(
    artifact: Artifact, *, runtime: str = "auto", device: str = "cpu", threads: int | None = None
) -> Engine:
    """An engine that has replayed the artifact's golden pictures within its bound.

    `threads` is for one picture or batch; by default all cores this process may use. The `null`
    runtime opens anything, answers zeros and replays nothing.
    Raises InputError for a runtime, device or thread count that does not fit the artifact,
    RuntimeMissingError for a runtime that is not installed and ParityError for wrong answers.
    """
    return open_proved(artifact, choose(artifact, runtime=runtime, device=device), threads=threads)


def open_proved(artifact: Artifact, choice: Choice, *, threads: int | None = None) -> Engine:
    """This variant on this runtime and device, after the replay. Raises as `open_engine` does."""
    engine = open_choice(artifact, choice, threads=threads)
    if not RUNTIMES[choice.runtime].answers:
        return engine
    try:
        parities = replay(
            engine,
            read_reference(artifact),
            bound=choice.variant.parity.bound,
            precision=artifact.manifest.precision,
        )
        require(parities, what=f"{artifact.manifest.id} on {engine.name}")
    except StrideError:
        engine.close()
        raise
    except Exception as error:
        engine.close()
        raise ParityError(
            f"{artifact.manifest.id} on {engine.name} fails on its golden pictures: {error}; "
            "choose another runtime, or export the artifact again"
        ) from error
    return engine


def open_unverified(
    artifact: Artifact, *, runtime: str = "auto", device: str = "cpu", threads: int | None = None
) -> tuple[Engine, Variant]:
    """The engine and the variant it runs, before any replay: for those who report the figures.

    Raises as `open_engine` does, except ParityError.
    """
    choice = choose(artifact, runtime=runtime, device=device)
    return open_choice(artifact, choice, threads=threads), choice.variant


def open_choice(artifact: Artifact, choice: Choice, *, threads: int | None = None) -> Engine:
    """This variant on this runtime and device, before any replay.

    Raises as `open_engine` does, except ParityError.
    """
    if threads is not None and threads < 1:
        raise InputError(f"threads is {threads}, expected 1 or more")
    placement = Placement(choice.device, threads or available_cores())
    return import_runtime(choice.runtime)(artifact, choice.variant, placement)
