"""The API keys of a service: who may come in, and how often. `service.keys` compares them."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from service.errors import RateLimitedError, UnauthorizedError
from service.keys import Token, digest, presented, refusal
from service.page.files import ADDRESSES
from service.rate import Bucket, MakeBucket, Rate, Turns

OPEN = ADDRESSES | {
    "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/metrics",
    "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json",
}  # fmt: skip
"""Addresses that ask for no key: probes and scrapers have none, and the rest is the same for
every service. Whatever is not listed here asks for one."""


@dataclass(frozen=True)
class ApiKey:
    """Only the digest of the key itself is kept."""

    name: str
    digest: bytes
    rate: Rate | None = None


class Keyring:
    """Shared by all requests; `replace` puts other keys in the place of these."""

    def __init__(
        self, keys: Iterable[ApiKey], *tokens: Token, bucket: MakeBucket = Bucket.of_one
    ) -> None:
        """`tokens`: what opens everything, besides, as often as it comes; `bucket`: makes one for a
        key's name and rate."""
        self._tokens = tokens
        self._bucket = bucket
        self._keys: tuple[tuple[ApiKey, Turns | None], ...] = ()
        self.replace(keys)

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """A key whose name and rate stay keeps what it has left of its rate."""
        buckets = {key.name: bucket for key, bucket in self._keys}
        self._keys = tuple((key, self._bucket_of(key, buckets.get(key.name))) for key in keys)

    def admit(self, headers: Mapping[bytes, bytes]) -> str:
        """The name of the request's key, one of whose turns is taken.

        Raises UnauthorizedError for none or an unknown one, after comparing with every key, and
        RateLimitedError for one that comes too often.
        """
        secret = presented(headers)
        if secret is None:
            raise UnauthorizedError(refusal(headers, "this address"))
        received = digest(secret)
        found = [each for each in self._keys if hmac.compare_digest(received, each[0].digest)]
        tokens = [token for token in self._tokens if token.matches(headers)]
        if found:
            return _take(*found[0])
        if tokens:
            return tokens[0].purpose
        raise UnauthorizedError(refusal(headers, "this address"))

    def _bucket_of(self, key: ApiKey, known: Turns | None) -> Turns | None:
        if key.rate is None:
            return None
        same = known is not None and known.rate == key.rate
        return known if same else self._bucket(key.name, key.rate)


def _take(key: ApiKey, bucket: Turns | None) -> str:
    if bucket is not None and (seconds := bucket.take()):
        raise RateLimitedError(
            f"the key {key.name!r} may come {bucket.rate.per_second:g} times a second, "
            f"{bucket.rate.burst} at once, and came more often; come again after Retry-After",
            retry_after=seconds,
        )
    return key.name
