"""Reads a request's body into memory, never past its limits, and finds the image in it."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from service.errors import (
    BadRequestError,
    BodyTooLargeError,
    DeadlineError,
    DisconnectedError,
    RefusedError,
)
from service.settings import Limits


class BodyReader:
    """Shared by all requests: it also bounds the bytes that all of them hold at once."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = 0

    @asynccontextmanager
    async def body(self, request: Request, deadline: float) -> AsyncIterator[bytes]:
        """The whole body, counted as held until the context ends.

        Raises BodyTooLargeError, RefusedError when memory is short, DeadlineError when it comes
        too slowly, DisconnectedError when it stops.
        """
        self._check_declared(request)
        holding = _Holding()
        try:
            yield await self._read(request, deadline, holding)
        finally:
            self._held -= holding.bytes

    async def _read(self, request: Request, deadline: float, holding: "_Holding") -> bytes:
        chunks: list[bytes] = []
        try:
            async with asyncio.timeout(max(0.0, deadline - time.perf_counter())):
                async for chunk in request.stream():
                    self._hold(len(chunk), holding)
                    chunks.append(chunk)
        except TimeoutError as error:
            raise DeadlineError(
                f"the deadline passed after {holding.bytes} bytes of the body; "
                "send faster, a smaller image, or a larger X-Request-Timeout"
            ) from error
        except ClientDisconnect as error:
            raise DisconnectedError("the client closed the connection inside the body") from error
        return b"".join(chunks)

    def _check_declared(self, request: Request) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limits.body_bytes:
            raise self._too_large(declared)

    def _hold(self, size: int, holding: "_Holding") -> None:
        if self._held + size > self._limits.held_bytes:
            raise RefusedError(
                "the bodies being worked on fill the memory set aside for them; "
                "come again after Retry-After",
                retry_after=1.0,
            )
        self._held += size
        holding.bytes += size
        if holding.bytes > self._limits.body_bytes:
            raise self._too_large(f"more than {self._limits.body_bytes}")

    def _too_large(self, received: str) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"the body is too large: got {received} bytes, the limit is "
            f"{self._limits.body_bytes}; send a smaller image or raise --max-body-bytes"
        )


@dataclass
class _Holding:
    """What one request has taken of the memory for bodies."""

    bytes: int = 0


async def image_bytes(request: Request, body: bytes) -> bytes:
    """The image of a body: the body itself, or the one file of a multipart form."""
    if not body:
        raise BadRequestError(
            "the body is empty; send the image itself, e.g. curl --data-binary @photo.jpg"
        )
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _multipart_file(request, body)
    return body


async def _multipart_file(request: Request, body: bytes) -> bytes:
    parser = MultiPartParser(request.headers, _once(body), max_files=1, max_fields=8)
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
