"""The engine process's side of a front end: what it asks for is asked of the core, and answered."""

import asyncio
import logging
import mmap
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import numpy as np

from inference.engine import Pixels
from service.frontends import frames
from service.frontends.frames import FrameError, FrameProtocol, Kind, Submission
from service.seam import Answer, Core, Refusal

log = logging.getLogger("stride.frontends")

UNREAD = 1 << 26
"""Bytes that a front end may leave unread before it is taken for dead."""

UNEXPECTED = Refusal("failed", "an unexpected error in the core")

Ask = Callable[[str, Any], Awaitable[Any]]
"""Anything but a submission: what, and with what; the answer is JSON."""


class FrontendLink(FrameProtocol):
    """`memory`: shared with this front end alone. `ask`: answers its other questions. `on_lost` is
    called once when it has gone, after its requests were withdrawn: what of them has not reached
    an engine never will."""

    def __init__(
        self,
        core: Core,
        memory: mmap.mmap,
        ask: Ask,
        *,
        index: int,
        on_lost: Callable[["FrontendLink"], None],
    ) -> None:
        super().__init__()
        self.index = index
        self.known = 0
        """The latest state that it has taken in."""
        self._core = core
        self._memory = memory
        self._ask = ask
        self._on_lost = on_lost
        self._serving: dict[int, asyncio.Task[None]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self.heard_of_state: asyncio.Event = asyncio.Event()

    def tell_state(self, number: int, state: dict[str, Any]) -> None:
        """From now on this holds; `known` says when it has heard."""
        if self._transport is not None and self._transport.get_write_buffer_size() > UNREAD:
            log.error("frontend=%d does not read what it is told, hung up", self.index)
            self.hang_up()
            return
        self.send(frames.numbered(Kind.STATE, number, state))

    def heard(self, kind: Kind, body: bytes) -> None:
        if kind == Kind.SUBMIT:
            self._submit(frames.read_submission(body))
            return
        number, document = frames.read_numbered(body)
        if kind == Kind.CANCEL:
            if task := self._serving.get(number):
                task.cancel()
        elif kind == Kind.KNOWN:
            self.known = number
            self.heard_of_state.set()
        elif kind == Kind.ASK:
            task = asyncio.get_running_loop().create_task(self._tell(number, document))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)
        else:
            raise FrameError(f"{kind.name} from a front end")

    def misunderstood(self, error: Exception) -> None:
        log.error("frontend=%d hung up on: %s", self.index, error)

    def lost(self, error: Exception | None) -> None:  # noqa: ARG002  an end is an end
        for task in (*self._serving.values(), *self._asking):
            task.cancel()
        self.heard_of_state.set()
        self._on_lost(self)

    def _submit(self, asked: Submission) -> None:
        if asked.number in self._serving:
            raise FrameError(f"the number {asked.number} twice")
        pixels = self._array(asked)
        task = asyncio.get_running_loop().create_task(self._serve(asked, pixels))
        self._serving[asked.number] = task
        task.add_done_callback(partial(self._served, asked.number))

    async def _serve(self, asked: Submission, pixels: Pixels) -> None:
        outcome = await self._core.submit(
            asked.model, pixels, deadline=asked.deadline, priority=asked.priority
        )
        self.send(self._written(asked, outcome))

    def _served(self, number: int, task: "asyncio.Task[None]") -> None:
        """Also where it was cancelled before its first step: each number gets one last word, before
        which its memory is not used again."""
        del self._serving[number]
        if task.cancelled():
            self.send(frames.numbered(Kind.GONE, number))
        elif error := task.exception():
            log.error("unexpected error in a submission", exc_info=error)
            self.send(frames.refusal(number, UNEXPECTED))

    def _array(self, asked: Submission) -> Pixels:
        """The pixels where they lie. Nothing that a front end says leads outside of its memory."""
        size = asked.images * asked.height * asked.width * 3
        for start, length in ((asked.pixels, size), (asked.logits, asked.room)):
            if start + length > len(self._memory):
                raise FrameError(f"{length} bytes at {start} of {len(self._memory)}")
        shape = (asked.images, asked.height, asked.width, 3)
        return np.ndarray(shape, np.uint8, self._memory, asked.pixels)

    def _written(self, asked: Submission, outcome: Answer | Refusal) -> bytes:
        if isinstance(outcome, Refusal):
            return frames.refusal(asked.number, outcome)
        logits = outcome.logits
        if logits.nbytes > asked.room:
            return frames.refusal(asked.number, _changed(asked.model))
        place: np.ndarray[Any, np.dtype[np.float32]] = np.ndarray(
            logits.shape, np.float32, self._memory, asked.logits
        )
        place[...] = logits
        return frames.answer(asked.number, outcome)

    async def _tell(self, number: int, question: Any) -> None:
        if not (isinstance(question, list) and len(question) == 2):
            self.misunderstood(FrameError(f"the question {str(question)[:80]}"))
            self.hang_up()
            return
        told = await self._ask(*question)
        self.send(frames.numbered(Kind.TOLD, number, told))


def _changed(model: str) -> Refusal:
    return Refusal(
        "unavailable", f"model {model!r} was switched over to another number of classes just now; "
        "come again", retry_after=1.0,
    )  # fmt: skip


async def all_know(links: list[FrontendLink], number: int, within: float) -> None:
    """Returns once every front end has taken in the state of this number, or has gone, or after so
    many seconds."""
    try:
        async with asyncio.timeout(within):
            for link in links:
                while link.open and link.known < number:
                    link.heard_of_state.clear()
                    await link.heard_of_state.wait()
    except TimeoutError:
        log.warning("a front end has not heard of the latest change within %g seconds", within)
