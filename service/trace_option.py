"""`--trace-endpoint` and `--trace-ratio`: from text to `TraceSettings`."""

from importlib.util import find_spec
from urllib.parse import urlsplit, urlunsplit

from measuring.errors import InputError, MissingError
from service.settings import TraceSettings

PATH = "/v1/traces"
"""Where collectors take traces over HTTP, by OTLP's specification."""


def parse_endpoint(text: str) -> str:
    """The URL with its path. Raises InputError for one that traces cannot be sent to."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise InputError(f"--trace-endpoint {text!r} is no URL: {error}; {_EXPECTED}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise InputError(f"--trace-endpoint {text!r} is no URL to send to; {_EXPECTED}")
    if parts.query or parts.fragment:
        raise InputError(f"--trace-endpoint {text!r} has more than an address; {_EXPECTED}")
    path = PATH if parts.path in {"", "/"} else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def trace_settings(endpoint: str | None, ratio: float | None) -> TraceSettings | None:
    """Raises InputError for a share of requests to be sent nowhere, MissingError where what sends
    them is not installed."""
    if endpoint is not None:
        if not _is_there(_NEEDED):
            raise not_installed(f"no {_NEEDED}")
        return TraceSettings(endpoint, 1.0 if ratio is None else ratio)
    if ratio is not None:
        raise InputError(
            f"--trace-ratio {ratio:g} without --trace-endpoint sends traces nowhere; "
            "give both, or neither"
        )
    return None


def not_installed(reason: object) -> MissingError:
    """The error that names the extra."""
    return MissingError(
        f"--trace-endpoint needs OpenTelemetry, which is not installed ({reason}); "
        "pip install 'stride[tracing]'"
    )


def _is_there(module: str) -> bool:
    """Without importing it, only the namespaces above it."""
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


_NEEDED = "opentelemetry.exporter.otlp.proto.http"
_EXPECTED = "expected that of a collector, such as http://localhost:4318"
