"""Whether a service answers rightly: pictures whose labels are known, asked before any load."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import orjson

from loadtest.service import Client, Reply
from loadtest.target import Target
from measuring.errors import CheckError, InputError


@dataclass(frozen=True)
class Content:
    """The first answer of `model` to `image` has to have this label or index, and at least this
    probability."""

    image: Path
    model: str
    label: str | None = None
    index: int | None = None
    probability: float = 0.0

    @property
    def expected(self) -> str:
        """In words."""
        parts = [] if self.label is None else [repr(self.label)]
        parts += [] if self.index is None else [f"index {self.index}"]
        parts += [f"probability {self.probability:g} or more"] if self.probability else []
        return ", ".join(parts)


def check_contents(contents: Sequence[Content], where: Target) -> None:
    """Raises CheckError with all that are wrong, received and expected, MissingError where nobody
    answers."""
    client = Client(where.url, api_key=where.api_key, timeout=where.timeout)
    try:
        wrong = [words for content in contents if (words := _wrong(content, client))]
    finally:
        client.close()
    if wrong:
        raise CheckError(
            f"{len(wrong)} of {len(contents)} answers are wrong, so nothing was measured: "
            + "; ".join(wrong)
        )


def _wrong(content: Content, client: Client) -> str:
    """What is wrong with the answer, in words."""
    about = f"{content.image.name} to {content.model}"
    reply = _ask(content, client)
    if reply.status != 200:
        return f"{about}: received HTTP {reply.status} ({reply.error}), expected {content.expected}"
    try:
        first = orjson.loads(reply.data)["predictions"][0]
        label, index, probability = first["label"], first["index"], float(first["probability"])
    except (ValueError, KeyError, IndexError, TypeError):
        return f"{about}: received {reply.data[:60]!r}, expected predictions"
    fits = (
        content.label in (None, label)
        and content.index in (None, index)
        and probability >= content.probability
    )
    received = f"{label!r}, index {index}, probability {probability:.3g}"
    return "" if fits else f"{about}: received {received}, expected {content.expected}"


def _ask(content: Content, client: Client) -> Reply:
    try:
        data = content.image.read_bytes()
    except OSError as error:
        raise InputError(f"picture {content.image} cannot be read: {error.strerror}") from error
    return client.ask(f"/v1/classify?{urlencode({'model': content.model, 'k': 1})}", data)
