"""A front end's side of the engine process: what is under way, and who waits for it."""

import asyncio
import itertools
import logging
import time
from dataclasses import dataclass
from typing import Any, Protocol

from inference.engine import Logits, Pixels
from service.frontends import frames
from service.frontends.frames import FrameError, FrameProtocol, Kind
from service.seam import Answer, Refusal

log = logging.getLogger("stride.frontends")

OVERDUE = 1.0
"""Seconds after its deadline at which a request is given up that the engine process should have
ended."""
LOOK = 0.25
"""Seconds between two looks for such requests."""
RETRY_AFTER = 2.0
"""Seconds until a new engine process usually serves."""


@dataclass(eq=False, slots=True)
class Asked:
    """A request on its way; its arrays keep their room until the last word on it."""

    future: "asyncio.Future[Answer | Refusal]"
    deadline: float
    pixels: Pixels
    logits: Logits


class Listener(Protocol):
    """Who is told what the engine process says by itself."""

    def told(self, state: dict[str, Any]) -> None:
        """How the core is now."""

    def lost(self, link: "EngineLink") -> None:
        """It has gone; its requests are about to be refused."""


class EngineLink(FrameProtocol):
    """The other end of `service.frontends.link.FrontendLink`. Whatever is asked ends, with an
    answer, with a refusal or with the link."""

    def __init__(self, core: Listener) -> None:
        super().__init__()
        self._core = core
        self._asked: dict[int, Asked] = {}
        self._questions: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._looking: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    async def submit(self, submission: frames.Submission, asked: Asked) -> Answer | Refusal:
        if not self.open:
            return _ended()
        self._asked[submission.number] = asked
        self.send(frames.submission(submission))
        if self._looking is None:
            self._looking = self._loop.call_later(LOOK, self._look)
        try:
            return await asked.future
        except asyncio.CancelledError:
            if submission.number in self._asked:
                self.send(frames.numbered(Kind.CANCEL, submission.number))
            raise

    async def ask(self, what: str, argument: Any) -> Any:
        """None where it ends before it answers."""
        if not self.open:
            return None
        number = next(self._numbers)
        answer = self._questions[number] = self._loop.create_future()
        self.send(frames.numbered(Kind.ASK, number, [what, argument]))
        try:
            return await answer
        finally:
            self._questions.pop(number, None)

    def heard(self, kind: Kind, body: bytes) -> None:
        if kind == Kind.ANSWER:
            self._answered(frames.read_answer(body))
        elif kind == Kind.REFUSAL:
            number, refusal = frames.read_refusal(body)
            self._end(number, refusal)
        elif kind == Kind.GONE:
            number, _ = frames.read_numbered(body)
            self._asked.pop(number, None)
        elif kind == Kind.TOLD:
            number, told = frames.read_numbered(body)
            question = self._questions.get(number)
            if question is not None and not question.done():
                question.set_result(told)
        elif kind == Kind.STATE:
            number, state = frames.read_numbered(body)
            self._core.told(state)
            self.send(frames.numbered(Kind.KNOWN, number))
        else:
            raise FrameError(f"{kind.name} from the engine process")

    def misunderstood(self, error: Exception) -> None:
        log.error("hung up on the engine process: %s", error)

    def lost(self, error: Exception | None) -> None:  # noqa: ARG002  an end is an end
        if self._looking is not None:
            self._looking.cancel()
        self._core.lost(self)
        asked, self._asked = self._asked, {}
        for each in asked.values():
            if not each.future.done():
                each.future.set_result(_ended())
        for question in self._questions.values():
            if not question.done():
                question.set_result(None)

    def _answered(self, given: frames.Returned) -> None:
        asked = self._asked.pop(given.number, None)
        if asked is None or asked.future.done():
            return
        if asked.logits.shape != (given.images, given.classes):
            raise FrameError(f"logits {given.images, given.classes}, not {asked.logits.shape}")
        times = (given.queue, given.inference, given.gathering, given.arrived)
        asked.future.set_result(Answer(asked.logits, *times, given.batch))

    def _end(self, number: int, refusal: Refusal) -> None:
        asked = self._asked.pop(number, None)
        if asked is not None and not asked.future.done():
            asked.future.set_result(refusal)

    def _look(self) -> None:
        """Nobody waits for ever, even where the engine process hangs as a whole."""
        self._looking = None
        late = time.perf_counter() - OVERDUE
        for number, asked in self._asked.items():
            if asked.deadline < late and not asked.future.done():
                self.send(frames.numbered(Kind.CANCEL, number))
                text = "the deadline passed and the engine process did not answer"
                asked.future.set_result(Refusal("expired", text))
        if self._asked:
            self._looking = self._loop.call_later(LOOK, self._look)


def _ended() -> Refusal:
    return Refusal(
        "unavailable", "the engine process ended before it had answered; come again after "
        "Retry-After", RETRY_AFTER,
    )  # fmt: skip
