"""What a service says of itself: which models it has, and which of them is the floor."""

from collections.abc import Sequence
from dataclasses import dataclass

NULL = "null"


@dataclass(frozen=True)
class Model:
    """As /v1/models tells; of a service that has only /v2, what its metadata tell, the rest None.

    `size`: sides of the input; `classes`: length of the logits.
    """

    id: str
    size: int
    classes: int
    aliases: tuple[str, ...] = ()
    runtime: str | None = None
    engine: str | None = None
    network: str | None = None
    precision: str | None = None
    device: str | None = None
    instances: int | None = None
    threads: int | None = None
    max_batch: int | None = None
    trained: bool | None = None

    @property
    def is_floor(self) -> bool:
        """Answers zeros: what its requests take is everything around the engine."""
        return self.runtime == NULL


def read_models(
    url: str, *, api_key: str | None = None, timeout: float = 10.0
) -> tuple[Model, ...]:
    """All that are loaded, in the order they were named.

    Raises MissingError where nobody answers there, InputError for an answer that is no list of
    models.
    """
    raise NotImplementedError


def read_model(url: str, name: str, *, api_key: str | None = None, timeout: float = 10.0) -> Model:
    """The one with this id or alias, of any service that speaks /v1 or /v2. Raises as
    `read_models` does, and InputError, with what is loaded, where it is not."""
    raise NotImplementedError


def floor_of(models: Sequence[Model], model: Model) -> Model | None:
    """A model of the same service on the `null` runtime, with the same input and answer."""
    return next(
        (
            other
            for other in models
            if other.is_floor and (other.size, other.classes) == (model.size, model.classes)
        ),
        None,
    )
