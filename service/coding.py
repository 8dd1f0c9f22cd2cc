"""Content-Encoding of a request's body: gzip and deflate, inflated within a bound."""

import zlib
from collections.abc import Mapping

from service.errors import BadRequestError, BodyTooLargeError, CodingError

_WINDOWS = {
    b"gzip": 16 + zlib.MAX_WBITS,
    b"x-gzip": 16 + zlib.MAX_WBITS,
    b"deflate": zlib.MAX_WBITS,
}
_PIECE = 1 << 20


def coding_of(headers: Mapping[bytes, bytes]) -> bytes | None:
    """The one coding the body is in; None for a body as it is.

    Raises CodingError for a coding that is not read here, several at once among them.
    """
    declared = headers.get(b"content-encoding")
    if declared is None:
        return None
    coding = declared.strip().lower()
    if coding in {b"", b"identity"}:
        return None
    if coding not in _WINDOWS:
        told = declared[:40].decode("latin-1")
        raise CodingError(
            f"the body's Content-Encoding is {told!r}, expected gzip, deflate or none"
        )
    return coding


def inflate(body: bytes, coding: bytes, limit: int) -> bytes:
    """The body without its coding, never more than `limit` bytes and one piece of them.

    Raises BodyTooLargeError for more, BadRequestError for what is cut off, damaged or followed by
    something else.
    """
    name = coding.decode()
    inflater = zlib.decompressobj(_WINDOWS[coding])
    pieces: list[bytes] = []
    size = 0
    rest = body
    try:
        while rest and not inflater.eof:
            piece = inflater.decompress(rest, min(_PIECE, limit + 1 - size))
            size += len(piece)
            pieces.append(piece)
            if size > limit:
                raise BodyTooLargeError(
                    f"the body is too large: its {len(body)} bytes of {name} hold more than "
                    f"{limit}, which is the limit; send less or raise --max-body-bytes"
                )
            rest = inflater.unconsumed_tail
    except zlib.error as error:
        raise BadRequestError(f"the body cannot be inflated as {name}: {error}") from error
    if not inflater.eof:
        raise BadRequestError(f"the body's {name} is cut off; send the whole of it")
    if inflater.unused_data:
        raise BadRequestError(
            f"{len(inflater.unused_data)} bytes follow the end of the body's {name}; send one "
            "stream and nothing behind it"
        )
    return b"".join(pieces)
