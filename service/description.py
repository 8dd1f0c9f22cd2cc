"""The OpenAPI document: what the routes say of themselves, and what holds for each of them."""

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from service.keyring import OPEN

_BEARER, _OWN_HEADER = "bearer", "x-api-key"
_SCHEMES = {
    _BEARER: {"type": "http", "scheme": "bearer"},
    _OWN_HEADER: {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
_ERROR = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorAnswer"}}}
_SECONDS = {"schema": {"type": "integer"}, "description": "Seconds."}
_WITHOUT_KEY = {
    "description": "No key was sent, or an unknown one",
    "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
    "content": _ERROR,
}
_TOO_OFTEN = {
    "description": "The key comes more often than it may",
    "headers": {"Retry-After": _SECONDS},
    "content": _ERROR,
}
_EVERYWHERE = {"X-Request-Id": {"schema": {"type": "string"}}}
_TIMING = {
    "Server-Timing": {"schema": {"type": "string"}, "description": "Milliseconds by stage."},
}
_OTHERWISE = {
    "description": "Any other error, in the same form: 405 (method), 408 and 431 (a head that "
    "comes too slowly or is too long), 500, 503",
    "content": _ERROR,
}


def describe(app: FastAPI, *, keys: bool) -> None:
    """Let the application describe itself so. `keys`: whether it asks for them."""
    app.openapi = _once(lambda: _document(app, keys=keys))  # type: ignore[method-assign]


def _once(make: Callable[[], dict[str, Any]]) -> Callable[[], dict[str, Any]]:
    made: list[dict[str, Any]] = []

    def get() -> dict[str, Any]:
        if not made:
            made.append(make())
        return made[0]

    return get


def _document(app: FastAPI, *, keys: bool) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        license_info=app.license_info,
        routes=app.routes,
    )
    document["components"]["securitySchemes"] = _SCHEMES
    for path, operation in _operations(document):
        answers = operation["responses"]
        # FastAPI expects its own errors, which this service words otherwise.
        if "HTTPValidationError" in str(answers.get("422")):
            del answers["422"]
        if path not in OPEN:
            answers.setdefault("401", _WITHOUT_KEY)
            answers.setdefault("429", _TOO_OFTEN)
            operation["security"] = [{_BEARER: []}, {_OWN_HEADER: []}, *([] if keys else [{}])]
        for status in ("429", "503"):
            if status in answers:
                answers[status] = {"headers": {"Retry-After": _SECONDS}} | answers[status]
        headers = _EVERYWHERE | (_TIMING if "504" in answers or "/infer" in path else {})
        answers["200"]["headers"] = headers | answers["200"].get("headers", {})
        answers.setdefault("default", _OTHERWISE)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for operation in item.values():
            yield path, operation
