"""What `stride serve` can be told: the limits, and which model runs how."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from measuring.errors import InputError

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Limits:
    """The bounds of one service; every one of them is answered with a clear error."""

    body_bytes: int = 16 * MEBIBYTE
    """Bytes of one request body; more is 413."""
    held_bytes: int = 512 * MEBIBYTE
    """Bytes of all bodies held at once, from their arrival to their answer; more is 503."""
    pixels: int = 50_000_000
    """Pixels an image header may declare; more is 413."""
    queue_capacity: int = 256
    """Images that may wait per model; more is 503."""
    requests: int = 1024
    """Inference requests worked on at once, uploads not counted; more is 503."""
    timeout: float = 30.0
    """Seconds a request may take where it names no deadline, and the most it may name."""
    drain_delay: float = 0.5
    """Seconds of normal service after SIGTERM while /readyz already says no."""
    grace: float = 30.0
    """Seconds after that for admitted requests to finish."""


_KEYS = {"runtime": str, "device": str, "instances": int, "threads": int, "max_batch": int}
_EXPECTED = "[ALIAS=]ID[:runtime=..,device=..,instances=..,threads=..,max_batch=..]"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class ModelSpec:
    """One `--model`: which artifact, under which alias, run how. None means: decide from what
    the warm-up measures."""

    id: str
    alias: str | None = None
    runtime: str = "auto"
    device: str = "cpu"
    instances: int = 1
    threads: int | None = None
    max_batch: int | None = None


@dataclass(frozen=True)
class Settings:
    """Everything a service is started with."""

    repository: Path = Path("artifacts")
    profiles: Path = Path("profiles")
    models: tuple[ModelSpec, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    decode_threads: int | None = None
    limits: Limits = field(default_factory=Limits)


def is_name(text: str) -> bool:
    """Whether it could be the id, plain name or alias of a model."""
    return _NAME.fullmatch(text) is not None


def parse_model(text: str) -> ModelSpec:
    """`[ALIAS=]ID[:key=value,...]` -> ModelSpec; raises InputError that shows the form."""
    name, _, options = text.partition(":")
    alias, has_alias, identity = name.rpartition("=")
    if not _NAME.fullmatch(identity) or (has_alias and not _NAME.fullmatch(alias)):
        raise InputError(f"--model {text!r}: no model id there; expected {_EXPECTED}")
    values = dict(_option(text, part) for part in options.split(",") if part)
    return ModelSpec(identity, alias or None, **values)  # type: ignore[arg-type]


def _option(text: str, part: str) -> tuple[str, str | int]:
    key, _, value = part.partition("=")
    if key not in _KEYS or not value:
        raise InputError(f"--model {text!r}: cannot read {part!r}; expected {_EXPECTED}")
    if _KEYS[key] is str:
        return key, value
    if not value.isdecimal() or not 1 <= int(value) <= 4096:
        raise InputError(f"--model {text!r}: {key}={value} is no number from 1 to 4096")
    return key, int(value)
