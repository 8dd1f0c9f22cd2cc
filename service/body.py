"""Reads a request's body into memory, never past its limits, and finds the image in it."""

import asyncio
import time
from collections.abc import AsyncGenerator
from types import TracebackType

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from service.coding import coding_of, inflate
from service.errors import (
    BadRequestError,
    BodyTooLargeError,
    DeadlineError,
    DisconnectedError,
    RefusedError,
)
from service.exchange import exchange_of
from service.settings import Limits


class BodyReader:
    """Shared by all requests: it also bounds the bytes that all of them hold at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    def body(self, request: Request, deadline: float) -> "Reading":
        """A context with the whole body, inflated where it came compressed, counted as held until
        it ends.

        Raises BodyTooLargeError, RefusedError when memory is short, DeadlineError when it comes
        too slowly, DisconnectedError when it stops, CodingError and BadRequestError for what
        cannot be inflated.
        """
        return Reading(self, request, deadline)

    async def read(self, reading: "Reading") -> bytes:
        exchange = exchange_of(reading.request)
        declared = exchange.headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > self._limits.body_bytes:
            raise self._too_large(declared.decode())
        coding = coding_of(exchange.headers)
        body = None if exchange.cycle is None else exchange.cycle.whole()
        if body is None:
            body = await self._receive(reading)
        else:
            self._hold(len(body), reading)
        return body if coding is None else await self._inflate(body, coding, reading)

    def copied(self, size: int, reading: "Reading") -> None:
        """See `Reading.copied`."""
        self._set_aside(size, reading)

    def let_go(self, reading: "Reading") -> None:
        self._held -= reading.held
        reading.held = 0

    async def _receive(self, reading: "Reading") -> bytes:
        try:
            async with asyncio.timeout(max(0.0, reading.deadline - time.perf_counter())):
                return await self._gather(reading)
        except TimeoutError as error:
            raise DeadlineError(
                "the deadline passed before the whole body had come; "
                "send faster, a smaller image, or a larger X-Request-Timeout"
            ) from error

    async def _gather(self, reading: "Reading") -> bytes:
        chunks: list[bytes] = []
        while (message := await reading.request.receive())["type"] == "http.request":
            chunk: bytes = message.get("body", b"")
            self._hold(len(chunk), reading)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)
        raise DisconnectedError("the client closed the connection inside the body")

    async def _inflate(self, body: bytes, coding: bytes, reading: "Reading") -> bytes:
        """Off the event loop. The most that it may take is set aside first, since the bytes are
        there before they can be counted: in pieces, and put together."""
        self._set_aside(2 * self._limits.body_bytes, reading)
        inflated = await asyncio.to_thread(inflate, body, coding, self._limits.body_bytes)
        self._set_aside(len(inflated) - reading.held, reading)
        return inflated

    def _hold(self, size: int, reading: "Reading") -> None:
        self._set_aside(size, reading)
        if reading.held > self._limits.body_bytes:
            raise self._too_large(f"more than {self._limits.body_bytes}")

    def _set_aside(self, size: int, reading: "Reading") -> None:
        if self._held + size > self._limits.held_bytes:
            raise RefusedError(
                "the bodies being worked on fill the memory set aside for them; "
                "come again after Retry-After",
                retry_after=1.0,
            )
        self._held += size
        reading.held += size

    def _too_large(self, received: str) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"the body is too large: got {received} bytes, the limit is "
            f"{self._limits.body_bytes}; send a smaller image or raise --max-body-bytes"
        )


class Reading:
    """The context that `BodyReader.body` gives; `held`: bytes of memory for bodies it has taken."""

    def __init__(self, reader: BodyReader, request: Request, deadline: float) -> None:
        self.request = request
        self.deadline = deadline
        self.held = 0
        self._reader = reader

    def copied(self, size: int) -> None:
        """So many bytes were copied out of the body, and stay beside it until the context ends.

        Raises RefusedError when memory is short.
        """
        self._reader.copied(size, self)

    async def __aenter__(self) -> bytes:
        try:
            return await self._reader.read(self)
        except BaseException:
            self._reader.let_go(self)
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._reader.let_go(self)


async def image_bytes(reading: Reading, body: bytes) -> bytes:
    """The image of a body: the body itself, or a copy of the one file of a multipart form, which
    is counted as held, too. Raises RefusedError when memory is short."""
    if not body:
        raise BadRequestError(
            "the body is empty; send the image itself, e.g. curl --data-binary @photo.jpg"
        )
    declared = exchange_of(reading.request).headers.get(b"content-type", b"")
    if not declared.lower().startswith(b"multipart/form-data"):
        return body
    data = await _multipart_file(reading.request, body)
    reading.copied(len(data))
    return data


class _FormParser(MultiPartParser):
    """Keeps its files in memory, where the body is already and has its bound: Starlette writes
    those over 1 MiB to a disk, which may be slow, full or read-only, and remembers pictures."""

    spool_max_size = 1 << 40


async def _multipart_file(request: Request, body: bytes) -> bytes:
    parser = _FormParser(request.headers, _once(body), max_files=1, max_fields=8)
    try:
        form = await parser.parse()
    except (MultiPartException, KeyError) as error:
        raise BadRequestError(f"the multipart body cannot be read: {error}") from error
    try:
        files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
        data = await files[0].read() if files else b""
    finally:
        await form.close()
    if not data:
        raise BadRequestError(
            f"the multipart body has {len(files)} files and {len(form)} fields, expected one file "
            "that is not empty; e.g. curl -F image=@photo.jpg"
        )
    return data


async def _once(body: bytes) -> AsyncGenerator[bytes, None]:
    yield body
