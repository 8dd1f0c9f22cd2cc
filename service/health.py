"""When an engine that keeps failing is at fault, and when it may be trusted again."""

import logging
from collections.abc import Callable
from threading import current_thread

import numpy as np

from inference.engine import Engine, Pixels
from service.errors import EngineFailedError

log = logging.getLogger("stride.health")

PATIENCE = 3
"""Failed calls in a row after which the engine, and not what it was given, is in doubt."""
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 30.0

Probe = Callable[[Engine], None]
"""Raises unless the engine answers what it certainly can."""


def make_probe(picture: Pixels, classes: int) -> Probe:
    """One picture (1, H, W, 3) that the engine answered when it was opened."""

    def probe(engine: Engine) -> None:
        logits = engine.infer(picture)
        if logits.shape != (1, classes) or not np.isfinite(logits).all():
            raise EngineFailedError(
                f"it answered shape {logits.shape} to a picture that it knows, expected finite "
                f"(1, {classes})"
            )

    return probe


class Health:
    """Of one instance; used by its thread, `reason` read by any.

    A request that no engine can answer must not take a model down: after `PATIENCE` failures in a
    row the engine is shown a picture that it has answered before, and only if it fails on that one
    too is it taken for broken. It is asked again with pauses that double.
    """

    def __init__(self, probe: Probe | None) -> None:
        self.reason: str | None = None
        self.pause = FIRST_PAUSE
        self._probe = probe
        self._failures = 0

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self, engine: Engine) -> None:
        """One more call failed; may run the probe and set `reason`."""
        self._failures += 1
        if self._failures >= PATIENCE and self._probe is not None:
            self.ask(engine)

    def ask(self, engine: Engine) -> None:
        """Show it the picture: well again, or broken for a longer pause than before."""
        if self._probe is None:
            return
        try:
            self._probe(engine)
        except Exception as error:  # noqa: BLE001  an engine may raise anything
            self.pause = min(2 * self.pause, LONGEST_PAUSE) if self.reason else FIRST_PAUSE
            broke = self.reason is None
            self.reason = f"{engine.name} fails on a picture that it knows: {error}"
            if broke:
                log.error("broken instance=%s reason=%s", current_thread().name, self.reason)
            return
        if self.reason is not None:
            log.info("answers again instance=%s", current_thread().name)
        self.reason = None
        self._failures = 0
