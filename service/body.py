"""Reads a request's body into memory, never past its limits, and finds the image in it."""

import asyncio
import time
from collections.abc import AsyncGenerator

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

    async def read(self, request: Request, deadline: float) -> bytes:
        """The whole body; raises BodyTooLargeError, RefusedError when memory is short,
        DeadlineError when it comes too slowly, DisconnectedError when it stops."""
        self._check_declared(request)
        chunks = bytearray()
        try:
            async with asyncio.timeout(max(0.0, deadline - time.perf_counter())):
                async for chunk in request.stream():
                    self._hold(len(chunk))
                    chunks += chunk
                    if len(chunks) > self._limits.body_bytes:
                        raise self._too_large(f"more than {self._limits.body_bytes}")
        except TimeoutError as error:
            raise DeadlineError(
                f"the deadline passed after {len(chunks)} bytes of the body; "
                "send faster, a smaller image, or a larger X-Request-Timeout"
            ) from error
        except ClientDisconnect as error:
            raise DisconnectedError("the client closed the connection inside the body") from error
        finally:
            self._held -= len(chunks)
        return bytes(chunks)

    def _check_declared(self, request: Request) -> None:
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._limits.body_bytes:
            raise self._too_large(declared)

    def _hold(self, size: int) -> None:
        if self._held + size > self._limits.held_bytes:
            raise RefusedError(
                "the bodies being received fill the memory set aside for them; "
                "come again after Retry-After",
                retry_after=1.0,
            )
        self._held += size

    def _too_large(self, received: str) -> BodyTooLargeError:
        return BodyTooLargeError(
            f"the body is too large: got {received} bytes, the limit is "
            f"{self._limits.body_bytes}; send a smaller image or raise --max-body-bytes"
        )


async def image_bytes(request: Request, body: bytes) -> bytes:
    """The image of a body: the body itself, or the one file of a multipart form."""
    if not body:
        raise BadRequestError(
            "the body is empty; send the image itself, e.g. curl --data-binary @photo.jpg"
        )
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
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
