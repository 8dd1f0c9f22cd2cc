"""What `stride serve` can be told: the limits, and which model runs how."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

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
    connections: int = 4096
    """Connections open at once, idle ones too; more is 503 and the end of the connection."""
    timeout: float = 30.0
    """Seconds a request may take where it names no deadline, and the most it may name."""
    drain_delay: float = 0.5
    """Seconds of normal service after SIGTERM while /readyz already says no."""
    grace: float = 30.0
    """Seconds after that for admitted requests to finish."""


PolicyName = Literal["none", "work-conserving", "delay", "slo"]


@dataclass(frozen=True)
class Batching:
    """How requests are put together: the policy's name, and in seconds how long it may hold a
    request (`delay`) or what it may take from arrival to answer (`slo`), where it has such."""

    policy: PolicyName = "work-conserving"
    delay: float | None = None
    slo: float | None = None


@dataclass(frozen=True)
class ModelSpec:
    """One `--model`: which artifact, under which alias, run how. None means: decide by the
    machine's profile or by what the warm-up measures."""

    id: str
    alias: str | None = None
    runtime: str = "auto"
    device: str = "cpu"
    instances: int | None = None
    threads: int | None = None
    max_batch: int | None = None
    batching: Batching = field(default_factory=Batching)


@dataclass(frozen=True)
class TraceSettings:
    """Where traces are sent, an OTLP endpoint with its path, and of how many requests that come
    without a trace of their own, from 0 to 1."""

    endpoint: str
    ratio: float = 1.0


@dataclass(frozen=True)
class Settings:
    """Everything a service is started with."""

    repository: Path = Path("artifacts")
    profiles: Path = Path("profiles")
    models: tuple[ModelSpec, ...] = ()
    repository_poll: float | None = None
    """Seconds between two looks at the repository; None: only when told, by SIGHUP or /v2."""
    host: str = "127.0.0.1"
    port: int = 8000
    frontends: int = 1
    """Processes that have HTTP and decoding; 1: the one that has the engines, too."""
    decode_threads: int | None = None
    exact_decoding: bool = False
    api_keys: Path | None = None
    """The file of the keys that let in; None: everybody may come."""
    model_control: bool = False
    """Whether models can be loaded and unloaded over HTTP, by who has the admin token."""
    admin_token_file: Path | None = None
    tracing: TraceSettings | None = None
    limits: Limits = field(default_factory=Limits)
