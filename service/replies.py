"""Answers that are the same wherever they come from: errors, as `{"error": ...}`."""

import math

import orjson
from starlette.responses import Response

from measuring.errors import StrideError
from service.cycle import Header
from service.errors import RefusedError, UnauthorizedError
from service.keys import CHALLENGE


class Encoded(Response):
    """200 with a body and headers that are bytes already, for the path that most requests take."""

    def __init__(self, body: bytes, media_type: bytes, *headers: Header) -> None:
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-length", b"%d" % len(body)),
            (b"content-type", media_type),
            *headers,
        ]


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps({"error": message}), status, headers, media_type="application/json"
    )


def error_reply(error: StrideError) -> Response:
    """With `Retry-After` where coming again makes sense, and what a 401 asks for."""
    headers = None
    if isinstance(error, UnauthorizedError):
        headers = CHALLENGE
    if isinstance(error, RefusedError):
        headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return error_response(error.status, str(error), headers)


UNEXPECTED = error_response(500, "an unexpected error in the service; its log has the details")
