"""A target made ready: the bytes of its requests, and what right answers to them are."""

from dataclasses import dataclass

from loadtest.service import Model
from loadtest.target import Target


@dataclass(frozen=True, eq=False)
class Prepared:
    """`messages`: whole HTTP requests, each another body; `references`: the body of a right answer
    to each. `notes`: what a reader should know of the bodies."""

    target: Target
    model: Model
    messages: tuple[bytes, ...]
    references: tuple[bytes, ...]
    notes: tuple[str, ...] = ()


def prepare(target: Target, *, seed: int = 0, golden: tuple[bytes, ...] | None = None) -> Prepared:
    """Ask the service about the model, make the bodies, and let each be answered once: the first
    answers are the references, unless `golden` ones are given.

    Raises MissingError where nobody answers, InputError for a model that is not loaded or a body
    that is refused, CheckError for a first answer that is no right one.
    """
    raise NotImplementedError
