"""What a service says of itself: which models it has, and which of them is the floor."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

import orjson
import urllib3

from loadtest.api_key import VARIABLE
from measuring.errors import InputError, MissingError

NULL = "null"


@dataclass(frozen=True)
class Model:
    """As /v1/models tells; of a service that has only /v2, what its metadata tell, the rest None.

    `size`: sides of the input; `classes`: length of the logits; `input` and `output`: their names.
    """

    id: str
    size: int
    classes: int
    aliases: tuple[str, ...] = ()
    runtime: str | None = None
    engine: str | None = None
    network: str | None = None
    precision: str | None = None
    device: str | None = None
    instances: int | None = None
    threads: int | None = None
    max_batch: int | None = None
    trained: bool | None = None
    input: str = "pixels"
    output: str = "logits"

    @property
    def is_floor(self) -> bool:
        """Answers zeros: what its requests take is everything around the engine."""
        return self.runtime == NULL


@dataclass(frozen=True)
class Reply:
    """`headers`: by their names in lower case."""

    status: int
    headers: dict[str, str]
    data: bytes

    @property
    def error(self) -> str:
        """What it says went wrong, or the beginning of what it says instead, on one line; and
        where a key is taken from, if that is it."""
        try:
            found = orjson.loads(self.data)["error"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            found = " ".join(self.data[:200].decode("utf-8", "replace").split()) or "nothing"
        where = f"; here it is taken from --api-key-file or {VARIABLE}"
        return f"{found}{where if self.status == HTTPStatus.UNAUTHORIZED else ''}"


class Client:
    """Asks a service things beside the load; to be closed."""

    def __init__(self, url: str, *, api_key: str | None = None, timeout: float = 10.0) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._pool = urllib3.PoolManager(retries=False, timeout=timeout)

    def ask(
        self,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """GET, or POST where there is a body. Raises MissingError where nobody answers."""
        method = "GET" if body is None else "POST"
        try:
            reply = self._pool.request(
                method, self._url + path, body=body, headers=self._headers | (headers or {})
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise MissingError(
                f"no answer from {self._url}{path.partition('?')[0]}: {_cause(error)}; is the "
                "service running there? start it with `stride serve`, or give another --url"
            ) from error
        found = {name.lower(): value for name, value in reply.headers.items()}
        return Reply(reply.status, found, reply.data)

    def close(self) -> None:
        self._pool.clear()


def _cause(error: Exception) -> str:
    """Without the object's address that urllib3 puts before it."""
    return str(error).rpartition(": ")[2] or type(error).__name__


def read_models(
    url: str, *, api_key: str | None = None, timeout: float = 10.0
) -> tuple[Model, ...]:
    """All that are loaded, in the order they were named.

    Raises MissingError where nobody answers there, InputError for an answer that is no list of
    models.
    """
    with closing(Client(url, api_key=api_key, timeout=timeout)) as client:
        return _models(url, client.ask("/v1/models"))


def read_model(url: str, name: str, *, api_key: str | None = None, timeout: float = 10.0) -> Model:
    """The one with this id or alias, of any service that speaks /v1 or /v2. Raises as
    `read_models` does, and InputError, with what is loaded, where it is not."""
    with closing(Client(url, api_key=api_key, timeout=timeout)) as client:
        metadata = client.ask(f"/v2/models/{quote(name, safe='')}")
        listed = client.ask("/v1/models")
    models = _models(url, listed) if listed.status == 200 else ()
    found = next((model for model in models if name == model.id or name in model.aliases), None)
    if metadata.status == 200:
        ports = _ports(url, name, metadata.data)
        return ports if found is None else _with_ports(found, ports)
    if found is not None and metadata.status == 404:  # /v1 alone
        return found
    loaded = ", ".join(" = ".join((model.id, *model.aliases)) for model in models)
    raise InputError(
        f"model {name!r} is not to be had at {url}: {metadata.error}"
        + (f"; loaded: {loaded}" if loaded and loaded not in metadata.error else "")
    )


def floor_of(models: Sequence[Model], model: Model) -> Model | None:
    """A model of the same service on the `null` runtime, with the same input and answer."""
    return next(
        (
            other
            for other in models
            if other.is_floor and (other.size, other.classes) == (model.size, model.classes)
        ),
        None,
    )


def _models(url: str, reply: Reply) -> tuple[Model, ...]:
    if reply.status != 200:
        raise InputError(
            f"{url}/v1/models answered {reply.status}: {reply.error}; expected the list of models "
            "of a `stride serve`"
        )
    try:
        return tuple(_described(entry) for entry in orjson.loads(reply.data)["models"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{url}/v1/models is no list of models as Stride gives it ({error!r}); is another "
            "service running there?"
        ) from error


def _described(entry: dict[str, Any]) -> Model:
    manifest = entry["manifest"]
    return Model(
        id=str(entry["id"]),
        size=int(manifest["input"]["size"]),
        classes=int(entry["classes"]),
        aliases=tuple(map(str, entry["aliases"])),
        runtime=entry["runtime"],
        engine=entry["engine"],
        network=manifest["network"],
        precision=manifest["precision"],
        device=entry["device"],
        instances=entry["instances"],
        threads=entry["threads"],
        max_batch=entry["max_batch"],
        trained=manifest["weights"]["trained"],
    )


def _with_ports(model: Model, ports: Model) -> Model:
    return replace(
        model, size=ports.size, classes=ports.classes, input=ports.input, output=ports.output
    )


def _ports(url: str, name: str, data: bytes) -> Model:
    """From the metadata of /v2. Raises InputError for a model that does not take pixels."""
    try:
        document = orjson.loads(data)
        (takes,), (gives, *_) = document["inputs"], document["outputs"]
        _, height, width, channels = takes["shape"]
        if takes["datatype"] != "UINT8" or height != width or height < 1 or channels != 3:
            raise ValueError(f"{takes['datatype']} {takes['shape']}")
        return Model(
            id=str(document["name"]),
            size=int(height),
            classes=int(gives["shape"][-1]),
            input=str(takes["name"]),
            output=str(gives["name"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"model {name!r} at {url} takes no pixels ({error}); expected one input UINT8 "
            "[-1, size, size, 3] and logits [-1, classes] in its metadata"
        ) from error
