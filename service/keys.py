"""Secrets that requests carry: API keys and tokens, kept as digests and compared in constant time.

Nothing here ever holds a secret in the clear, so no log line, error or traceback can show one.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from service.errors import UnauthorizedError

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="stride"'}
"""The header of every 401."""
_SCHEME = b"bearer "


def digest(secret: bytes) -> bytes:
    """SHA-256: of one length whatever the secret's, and of no use to whoever reads it."""
    return hashlib.sha256(secret).digest()


def presented(headers: Mapping[bytes, bytes]) -> bytes | None:
    """What a request shows: the token of `Authorization: Bearer`, else `X-API-Key`; the names of
    `headers` are in lower case. None where it shows neither."""
    authorization = headers.get(b"authorization", b"")
    if authorization[: len(_SCHEME)].lower() == _SCHEME:
        return authorization[len(_SCHEME) :].strip()
    return headers.get(b"x-api-key")


@dataclass(frozen=True)
class Token:
    """One secret that opens something; `purpose` stands in the error of who has not got it."""

    digest: bytes
    purpose: str

    @classmethod
    def of(cls, secret: str, purpose: str) -> "Token":
        return cls(digest(secret.encode()), purpose)

    def matches(self, headers: Mapping[bytes, bytes]) -> bool:
        """Whether the request shows this secret; takes as long for any wrong one."""
        secret = presented(headers)
        return secret is not None and hmac.compare_digest(digest(secret), self.digest)

    def require(self, headers: Mapping[bytes, bytes]) -> None:
        """Raises UnauthorizedError unless the request shows this secret."""
        if not self.matches(headers):
            raise UnauthorizedError(refusal(headers, self.purpose))


def refusal(headers: Mapping[bytes, bytes], purpose: str) -> str:
    """What to tell who is not let in; never what was received."""
    received = "none was sent" if presented(headers) is None else "the one sent is not known here"
    return (
        f"{purpose} needs a valid key: {received}; "
        "send it as Authorization: Bearer KEY, or as X-API-Key: KEY"
    )
