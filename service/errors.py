"""What a client can meet, and the status each one answers with.

InputError
├── BadRequestError     400   malformed: empty body, bad k, bad header, no model named
├── BodyTooLargeError   413   more bytes than the limit
├── UnknownModelError   404   no such id, alias or version
├── CodingError         415   a Content-Encoding that is not read here
├── UnauthorizedError   401   the token is missing or wrong
├── ForbiddenError      403   switched off
└── NotOfferedError     501   a part of the protocol that is not here
RefusedError            503   with Retry-After: the queue is full, or the service drains
└── RateLimitedError    429   this key came too often
DeadlineError           504   the request's deadline passed
EngineFailedError       500   the engine raised on this very request
DisconnectedError       499   the client went away; nobody reads the answer
"""

from measuring.errors import InputError, StrideError


class BadRequestError(InputError):
    """The request is malformed."""

    status = 400


class BodyTooLargeError(InputError):
    """The body has more bytes than the limit."""

    status = 413


class UnknownModelError(InputError):
    """No model of that id, alias or version is loaded."""

    status = 404


class CodingError(InputError):
    """The body is in a Content-Encoding that is not read here."""

    status = 415


class UnauthorizedError(InputError):
    """The Authorization header is missing or wrong."""

    status = 401


class ForbiddenError(InputError):
    """The service was started without what this needs."""

    status = 403


class NotOfferedError(InputError):
    """A part of the protocol that this service leaves out."""

    status = 501


class RefusedError(StrideError):
    """Not admitted; `retry_after` in seconds says when to come again."""

    status = 503

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimitedError(RefusedError):
    """The request's key comes more often than it may."""

    status = 429


class DeadlineError(StrideError):
    """The deadline passed before the answer was there."""

    status = 504


class EngineFailedError(StrideError):
    """The engine raised on this request, also when it ran alone."""

    status = 500


class DisconnectedError(StrideError):
    """The client closed the connection before the answer."""

    status = 499
