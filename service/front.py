"""What every inference route shares: who is meant, reading, decoding, asking the core."""

from collections.abc import Sequence
from dataclasses import dataclass

from inference.engine import Pixels
from inference.errors import BrokenImageError
from service.admission import Admission
from service.body import BodyReader
from service.decoding import Decoder, Prepared
from service.errors import (
    BadRequestError,
    DeadlineError,
    EngineFailedError,
    RefusedError,
    UnknownModelError,
)
from service.exchange import Exchange, Preparing, timeout
from service.seam import Answer, Core, ModelInfo, Refusal
from service.settings import Limits


@dataclass(frozen=True)
class Front:
    """The parts a route needs; made once by `create_app`."""

    core: Core
    limits: Limits
    admission: Admission
    bodies: BodyReader
    decoder: Decoder

    def resolve(self, name: str | None) -> ModelInfo:
        """The model of this id or alias; the only one where no name is given."""
        models = self.core.models()
        if name is None and len(models) == 1:
            return models[0]
        for model in models:
            if name == model.id or name in model.aliases:
                return model
        if (reason := self.core.unready()) and not self.core.draining():
            raise RefusedError(f"not ready: {reason}", retry_after=1.0)
        if name is None:
            raise BadRequestError(
                f"{len(models)} models are loaded, say which with ?model=; {_loaded(models)}"
            )
        if same := [model.id for model in models if model.manifest.name == name]:
            raise UnknownModelError(
                f"{name!r} is the name of several models: {', '.join(same)}; give the id of one"
            )
        raise UnknownModelError(f"no model {name[:128]!r} is loaded; {_loaded(models)}")

    def deadline(self, exchange: Exchange) -> float:
        """When the answer must be there, as a reading of `time.perf_counter`."""
        header, longest = exchange.headers.get(b"x-request-timeout"), self.limits.timeout
        return exchange.started + (longest if header is None else timeout(header, longest))

    async def prepare(
        self, data: bytes, models: Sequence[ModelInfo], exchange: Exchange, deadline: float
    ) -> Prepared:
        """Decoded once, resized once per input spec."""
        try:
            specs = [model.manifest.input for model in models]
            prepared = await self.decoder.prepare(data, specs, deadline=deadline)
        except BrokenImageError as error:
            if b"\n" in data:
                raise
            # `curl -d` leaves out line ends, and hardly any image has none.
            raise BrokenImageError(
                f"{error}; if it went out with curl -d, use --data-binary: -d drops bytes"
            ) from error
        exchange.stages["decode"] = prepared.decode
        if exchange.trace is not None:
            exchange.preparing = Preparing(started=prepared.started)
        return prepared

    async def ask(self, model: ModelInfo, pixels: Pixels, deadline: float) -> Answer:
        """One picture (size, size, 3) to the core; a refusal becomes the error it stands for."""
        outcome = await self.core.submit(model.id, pixels[None], deadline=deadline)
        if isinstance(outcome, Answer):
            return outcome
        raise error_of(outcome)


def error_of(refusal: Refusal) -> Exception:
    """The error a client sees for a refusal of the core."""
    if refusal.kind in {"full", "late", "draining", "unavailable"}:
        return RefusedError(refusal.message, refusal.retry_after or 1.0)
    if refusal.kind == "invalid":
        return BadRequestError(refusal.message)
    if refusal.kind == "expired":
        return DeadlineError(refusal.message)
    if refusal.kind == "unknown":
        return UnknownModelError(refusal.message)
    return EngineFailedError(refusal.message)


def _loaded(models: tuple[ModelInfo, ...]) -> str:
    names = (" = ".join((model.id, *model.aliases)) for model in models)
    return f"loaded: {', '.join(names) or 'none'}"
