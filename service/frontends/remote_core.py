"""The core as a front end sees it: in another process, over a socket and shared memory."""

import asyncio
import itertools
import logging
from dataclasses import replace
from typing import Any

import numpy as np

from inference.engine import Pixels
from service.frontends import frames
from service.frontends.arena import Arena
from service.frontends.engine_link import RETRY_AFTER, Asked, EngineLink
from service.frontends.snapshot import Counts, State, read_counts, read_state, read_statistics
from service.seam import Answer, Entry, ModelInfo, Priority, Refusal
from service.statistics import Statistics

log = logging.getLogger("stride.frontends")

COPIED_AT_ONCE = 1 << 21
"""Bytes of pixels that are copied on the event loop; more are in a thread."""
PATIENCE = 2.0
"""Seconds to wait for counts before those that are known are told."""
STARTING = "the engine process is being started"
ENDED = "the engine process has ended and is being started again"


_UINT8: "np.dtype[Any]" = np.dtype(np.uint8)
_FLOAT32: "np.dtype[Any]" = np.dtype(np.float32)


class RemoteCore:
    """Implements `service.seam.Core`. What it says between two `refresh`es is what it was told
    last: what is loaded and ready at once when it changes, counts when they were asked for."""

    def __init__(self, arena: Arena) -> None:
        self.counts = Counts()
        self._arena = arena
        self._link: EngineLink | None = None
        self._state = State(unready=STARTING)
        self._silent: str | None = None
        self._draining = False
        self._numbers = itertools.count(1)

    def connected(self, link: "EngineLink") -> None:
        """From now on this is the engine process; it tells its state by itself."""
        old, self._link = self._link, link
        if old is not None:
            old.hang_up()

    def told(self, state: dict[str, Any]) -> None:
        self._state = read_state(state, self._state)

    def lost(self, link: "EngineLink") -> None:
        """Its requests have been refused; whatever comes next is."""
        if link is self._link:
            self._link = self._silent = None
            models = self._state.models if self.draining() else ()  # known: else 404, not 503
            self._state = State(models, ENDED, draining=self._state.draining)
            self.counts = replace(self.counts, pending={}, index=())

    async def submit(
        self, model: str, pixels: Pixels, *, deadline: float, priority: Priority = Priority.NORMAL
    ) -> Answer | Refusal:
        start = self._arena.offset(pixels)
        if start is None:
            placed = self._arena.place(pixels.shape, _UINT8)
            if placed is None:
                return self._no_room(pixels.nbytes)
            await _copy(pixels, placed[0])
            pixels, start = placed
        info = next((each for each in self._state.models if each.id == model), None)
        link = self._link
        if link is None or info is None:
            return self._nobody(model)
        answer = self._arena.place((len(pixels), len(info.manifest.labels)), _FLOAT32)
        if answer is None:
            return self._no_room(pixels.nbytes)
        logits, room = answer
        asked = Asked(asyncio.get_running_loop().create_future(), deadline, pixels, logits)
        images, height, width, _ = pixels.shape
        submission = frames.Submission(
            next(self._numbers), deadline, start, images, height, width, room, logits.nbytes,
            priority, model,
        )  # fmt: skip
        return await link.submit(submission, asked)

    async def refresh(self) -> None:
        """Ask for the counts; where nobody answers, they stay, and `unready` says so."""
        if self._link is None:
            return
        told = await self._ask("counts", None)
        if told is not None and self._link is not None:
            self.counts = read_counts(told)

    def take_counts(self, statistics: dict[str, Any], pending: dict[str, int]) -> None:
        """Those that came another way."""
        self.counts = replace(
            self.counts, statistics=read_statistics(statistics), pending=dict(pending)
        )

    def models(self) -> tuple[ModelInfo, ...]:
        return self._state.models

    def statistics(self) -> dict[str, Statistics]:
        return self.counts.statistics

    def pending(self) -> dict[str, int]:
        return self.counts.pending

    def index(self) -> tuple[Entry, ...]:
        return self.counts.index

    def unready(self) -> str | None:
        return self._silent or self._state.unready

    def unready_model(self, model: str) -> str | None:
        if all(known.id != model for known in self._state.models):
            return f"model {model!r} is not loaded"
        return self._state.unready_models.get(model)

    def draining(self) -> bool:
        return self._draining or self._state.draining

    def announce_drain(self) -> None:
        """Be unready from now on, and go on serving."""
        self._draining = True

    async def load(self, name: str) -> Refusal | None:
        return await self._change("load", name)

    async def unload(self, name: str) -> Refusal | None:
        return await self._change("unload", name)

    async def reload(self) -> None:
        await self._change("reload", None)

    async def _change(self, what: str, name: str | None) -> Refusal | None:
        link = self._link
        if link is None:
            return Refusal("draining", self.unready() or ENDED, RETRY_AFTER)
        told = await link.ask(what, name)
        if told is None:
            return Refusal("draining", f"{ENDED}; whether the change was made is not known", 1.0)
        return Refusal(*told["refusal"]) if told["refusal"] else None

    async def _ask(self, what: str, argument: Any) -> Any:
        """None where the engine process has gone or does not answer."""
        link = self._link
        if link is None:
            return None
        try:
            async with asyncio.timeout(PATIENCE):
                told = await link.ask(what, argument)
        except TimeoutError:
            if link is self._link:
                self._silent = f"the engine process does not answer within {PATIENCE:g} seconds"
            return None
        self._silent = None
        return told

    def _nobody(self, model: str) -> Refusal:
        if self._link is None:
            return Refusal("unavailable", f"not ready: {self.unready()}", RETRY_AFTER)
        return Refusal("unknown", f"model {model!r} is not loaded")

    def _no_room(self, size: int) -> Refusal:
        if size > self._arena.size // 2:
            return Refusal(
                "invalid",
                f"the request's pixels take {size} bytes, and this front end hands at most "
                f"{self._arena.size // 2} to the engine process; send fewer images at once",
            )
        return Refusal(
            "full",
            "the pixels of the requests being worked on fill the memory set aside for them; "
            "come again after Retry-After",
            retry_after=1.0,
        )


async def _copy(pixels: Pixels, place: Pixels) -> None:
    if pixels.nbytes <= COPIED_AT_ONCE:
        place[...] = pixels
    else:
        await asyncio.to_thread(np.copyto, place, pixels)
