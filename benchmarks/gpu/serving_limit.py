"""Which part of a service is full, and so stops it from answering more."""

from dataclasses import dataclass, fields

FULL = 0.8  # of its time: a part that waits for others now and then cannot be fuller


@dataclass(frozen=True)
class Shares:
    """How full each part was, 0 to 1; None where it is not known or has no part in it.

    `generator`: the fullest of its processes; `http`: images per second as a share of what the same
    service answers without a network, which costs all but the network; `decode`: its threads;
    `engine`: the fuller of the instances, waiting for the GPU included; `gpu`: time in which it ran
    a kernel, by its driver.
    """

    generator: float | None = None
    http: float | None = None
    decode: float | None = None
    engine: float | None = None
    gpu: float | None = None

    def named(self) -> dict[str, float | None]:
        """By the name of the part."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def limit(shares: Shares) -> str:
    """The name of the fullest part, or `none` where no part is full.

    A generator that is full hides what the service could do; HTTP counts before the engine, which
    can only be as full as HTTP lets it be.
    """
    known = {name: share for name, share in shares.named().items() if share is not None}
    for name in ("generator", "decode"):
        if known.get(name, 0.0) >= FULL:
            return name
    rest = {name: known[name] for name in ("http", "engine", "gpu") if name in known}
    fullest = max(rest, key=lambda name: rest[name], default=None)
    if fullest is None or rest[fullest] < FULL:
        return "none"
    return fullest
