"""Marks a load test in Grafana: a region from its start to its end on every dashboard that shows
annotations with the tag `stride-loadtest`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import orjson
import urllib3

from measuring.errors import InputError

TAG = "stride-loadtest"
TOKEN = "STRIDE_GRAFANA_TOKEN"  # noqa: S105  the name of the variable that holds it
_TIMEOUT = 5.0


@dataclass(frozen=True)
class Grafana:
    """`url` without a path beyond Grafana's own; `token` of a service account that may write
    annotations. Raises InputError for what is no address or no token."""

    url: str
    token: str

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError(
                f"--grafana {self.url!r} is no address, expected one such as http://localhost:3000"
            )
        if not (self.token.isascii() and self.token.isprintable()):
            raise InputError(f"{TOKEN} has characters that no token has; expected printable ASCII")


class Annotation:
    """One load test. Whatever goes wrong in Grafana is a warning: the load test is not about it."""

    def __init__(self, grafana: Grafana, warn: Callable[[str], None]) -> None:
        self._grafana = grafana
        self._warn = warn
        self._id: int | None = None

    def begin(self, text: str, models: Sequence[str], *, seconds: float) -> None:
        """`seconds`: of the clock (since 1970), when it began."""
        answer = self._send(
            "POST",
            "/api/annotations",
            {"time": round(seconds * 1e3), "tags": [TAG, *models], "text": text},
        )
        if answer is not None:
            found = answer.get("id")
            self._id = found if isinstance(found, int) else None

    def end(self, text: str, *, seconds: float) -> None:
        """With what came out of it."""
        if self._id is not None:
            body = {"timeEnd": round(seconds * 1e3), "text": text}
            self._send("PATCH", f"/api/annotations/{self._id}", body)

    def _send(self, method: str, path: str, body: Mapping[str, object]) -> dict[str, object] | None:
        grafana = self._grafana
        headers = {"Content-Type": "application/json"}
        if grafana.token:
            headers["Authorization"] = f"Bearer {grafana.token}"
        try:
            with urllib3.PoolManager(timeout=_TIMEOUT, retries=False) as pool:
                answer = pool.request(
                    method, grafana.url.rstrip("/") + path, body=orjson.dumps(body), headers=headers
                )
        except urllib3.exceptions.HTTPError as error:
            self._warn(f"Grafana at {grafana.url} was not told of this load test: {error}")
            return None
        if answer.status != 200:
            self._warn(
                f"Grafana at {grafana.url} did not take the annotation: HTTP {answer.status}, "
                f"{answer.data[:100].decode(errors='replace')!r}; its token is taken from {TOKEN}"
            )
            return None
        try:
            found = orjson.loads(answer.data)
        except ValueError:
            found = None
        return found if isinstance(found, dict) else {}
