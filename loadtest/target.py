"""What is asked of a service: which address, which model, and what a request carries."""

from dataclasses import dataclass, field
from typing import Literal, get_args
from urllib.parse import urlsplit

from measuring.errors import InputError

Protocol = Literal["v1", "compare", "v2"]
"""`/v1/classify`, `/v1/compare` and `/v2/models/.../infer`."""
BodyKind = Literal["jpeg", "png", "pixels"]
LARGEST_BATCH = 4096
SIDES = (16, 8192)


@dataclass(frozen=True)
class Target:
    """`model`: an id or alias; of `compare` several, separated by commas. `batch`: pictures of one
    request, of /v2 alone more than 1. `side`: pixels of the shorter side of encoded pictures;
    `pixels` have the sides of the network's input. `timeout`: seconds to wait for an answer.
    `headers`: sent with every request besides those of the protocol.

    Raises InputError for what does not go together.
    """

    url: str
    model: str
    protocol: Protocol = "v2"
    body: BodyKind = "pixels"
    batch: int = 1
    side: int = 375
    timeout: float = 10.0
    api_key: str | None = field(default=None, repr=False)
    headers: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        self._check_url()
        if self.protocol not in get_args(Protocol) or self.body not in get_args(BodyKind):
            raise InputError(
                f"protocol {self.protocol!r} with body {self.body!r}, expected one of "
                f"{', '.join(get_args(Protocol))} with one of {', '.join(get_args(BodyKind))}"
            )
        if self.protocol != "v2" and self.body == "pixels":
            raise InputError("/v1 takes pictures, not pixels: choose jpeg or png, or /v2")
        if not 1 <= self.batch <= LARGEST_BATCH:
            raise InputError(f"batch size is {self.batch}, expected 1 to {LARGEST_BATCH:,}")
        if self.protocol != "v2" and self.batch != 1:
            raise InputError(f"/v1 takes one picture per request, not {self.batch}; choose /v2")
        if not SIDES[0] <= self.side <= SIDES[1]:
            raise InputError(f"picture side is {self.side}, expected {SIDES[0]} to {SIDES[1]:,}")
        if not 0.0 < self.timeout <= 3600.0:
            raise InputError(f"timeout is {self.timeout} s, expected above 0 and up to 3,600")

    def _check_url(self) -> None:
        """It is in the first line of every request and in every record."""
        try:
            parts = urlsplit(self.url)
            named = bool(parts.hostname) and parts.port != 0
        except ValueError as error:
            raise self._no_address() from error
        if "@" in parts.netloc:
            raise InputError(
                "the address of the service has a name or a password in it, which would stand in "
                "every record; leave it out: a key is given by file or by STRIDE_API_KEY"
            )
        if parts.scheme == "https":
            raise InputError(
                f"{self.url!r} asks for TLS, which is not measured here; expected http://HOST:PORT "
                "of the service itself, not of the proxy before it"
            )
        plain = self.url.isascii() and self.url.isprintable() and " " not in self.url
        if parts.scheme != "http" or not named or not plain or parts.query or parts.fragment:
            raise self._no_address()

    def _no_address(self) -> InputError:
        return InputError(
            f"{self.url!r} is no address of a service: expected http://HOST:PORT, as "
            "`stride serve` tells when it listens"
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 80

    @property
    def base(self) -> str:
        """The path that the service's addresses stand under; mostly nothing."""
        return urlsplit(self.url).path.rstrip("/")
