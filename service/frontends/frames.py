"""What front ends and the engine process say to each other: a length, a kind, and a fixed record or
a JSON document. Pictures and logits lie in shared memory; frames say where.

Numbers are little-endian. Nothing here is ever executed or unpickled; what does not fit its record
is a FrameError, and whoever sent it is hung up on.
"""

import asyncio
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, cast

import orjson

from service.seam import Answer, Priority, Refusal

MOST = 1 << 28
"""Bytes of one frame."""
_HEAD = struct.Struct("<IB")
_SUBMIT = struct.Struct("<QdQIIIQIB")
_ANSWER = struct.Struct("<QIIddddI")
_NUMBER = struct.Struct("<Q")


class FrameError(Exception):
    """What came is no frame that is known here."""


class Kind(IntEnum):
    """Front ends ask with the first five, the engine process answers with the others. On the lines
    to the supervisor everything is SAY."""

    SUBMIT = 1
    CANCEL = 2
    ASK = 3
    KNOWN = 4
    SAY = 5
    ANSWER = 16
    REFUSAL = 17
    GONE = 18
    TOLD = 19
    STATE = 20


@dataclass(frozen=True, slots=True)
class Submission:
    """Pixels (images, height, width, 3) uint8 at `pixels`, in bytes from the start of the memory,
    and `room` bytes for the logits at `logits`. `deadline`: a reading of `time.perf_counter`."""

    number: int
    deadline: float
    pixels: int
    images: int
    height: int
    width: int
    logits: int
    room: int
    priority: Priority
    model: str


@dataclass(frozen=True, slots=True)
class Returned:
    """Logits (images, classes) float32 lie where the submission said; the rest as in `Answer`."""

    number: int
    images: int
    classes: int
    queue: float
    inference: float
    gathering: float
    arrived: float
    batch: int


def frame(kind: Kind, body: bytes) -> bytes:
    return _HEAD.pack(len(body), kind) + body


def submission(asked: Submission) -> bytes:
    record = _SUBMIT.pack(
        asked.number, asked.deadline, asked.pixels, asked.images, asked.height, asked.width,
        asked.logits, asked.room, asked.priority,
    )  # fmt: skip
    return frame(Kind.SUBMIT, record + asked.model.encode())


def read_submission(body: bytes) -> Submission:
    try:
        (
            number, deadline, pixels, images, height, width, logits, room, priority,
        ) = _SUBMIT.unpack_from(body)  # fmt: skip
        model = body[_SUBMIT.size :].decode()
        return Submission(
            number, deadline, pixels, images, height, width, logits, room, Priority(priority), model
        )
    except (struct.error, ValueError) as error:
        raise FrameError(f"a submission of {len(body)} bytes: {error}") from None


def numbered(kind: Kind, number: int, document: Any = None) -> bytes:
    """A number, and where something is said about it, JSON."""
    tail = b"" if document is None else orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS)
    return frame(kind, _NUMBER.pack(number) + tail)


def read_numbered(body: bytes) -> tuple[int, Any]:
    try:
        (number,) = _NUMBER.unpack_from(body)
        tail = body[_NUMBER.size :]
        return number, orjson.loads(tail) if tail else None
    except (struct.error, ValueError) as error:
        raise FrameError(f"a numbered frame of {len(body)} bytes: {error}") from None


def answer(number: int, given: Answer) -> bytes:
    images, classes = given.logits.shape
    record = _ANSWER.pack(
        number, images, classes, given.queue, given.inference, given.gathering, given.arrived,
        given.batch,
    )  # fmt: skip
    return frame(Kind.ANSWER, record)


def read_answer(body: bytes) -> Returned:
    try:
        return Returned(*_ANSWER.unpack(body))
    except struct.error as error:
        raise FrameError(f"an answer of {len(body)} bytes: {error}") from None


def refusal(number: int, given: Refusal) -> bytes:
    return numbered(Kind.REFUSAL, number, [given.kind, given.message, given.retry_after])


def read_refusal(body: bytes) -> tuple[int, Refusal]:
    number, told = read_numbered(body)
    return number, Refusal(*told)


def say(document: Any) -> bytes:
    return frame(Kind.SAY, orjson.dumps(document, option=orjson.OPT_NON_STR_KEYS))


class FrameProtocol(asyncio.Protocol, ABC):
    """Cuts a stream into frames, and sends some. What is made of them is said by who has one."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    @property
    def open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    @abstractmethod
    def heard(self, kind: Kind, body: bytes) -> None:
        """One has come. Raises FrameError or ValueError for what nobody understands."""

    @abstractmethod
    def lost(self, error: Exception | None) -> None:
        """Called once: the other side has gone, or was hung up on."""

    def send(self, data: bytes) -> None:
        """To nobody once the other side has gone."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        at = 0
        try:
            while len(data) - at >= _HEAD.size:
                length, kind = _HEAD.unpack_from(data, at)
                if length > MOST:
                    raise FrameError(f"a frame of {length} bytes, expected at most {MOST}")
                end = at + _HEAD.size + length
                if end > len(data):
                    break
                self.heard(Kind(kind), data[at + _HEAD.size : end])
                at = end
        except (FrameError, ValueError) as error:
            self._rest = b""
            self.misunderstood(error)
            self.hang_up()
            return
        self._rest = data[at:] if at else data

    def misunderstood(self, error: Exception) -> None:
        """Called before hanging up for it."""
