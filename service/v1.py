"""/v1/classify and /v1/compare: the addresses, their parameters and their OpenAPI description."""

import re
from typing import Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response

from service.answers import ClassifyAnswer, CompareAnswer, ErrorAnswer
from service.body import image_bytes
from service.classify import Question, check_k, classify_image, compare_image
from service.errors import BadRequestError
from service.exchange import exchange_of
from service.front import Front
from service.replies import Encoded
from service.seam import ModelInfo

CLASSIFY, COMPARE = "/v1/classify", "/v1/compare"
INFERENCE = {CLASSIFY: "v1", COMPARE: "v1"}
"""Addresses of inference, and the protocol they count under."""

_IMAGE = {"schema": {"type": "string", "format": "binary"}}
_FORM = {
    "schema": {
        "type": "object",
        "required": ["image"],
        "properties": {"image": {"type": "string", "format": "binary"}},
    }
}
_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "One image: the bytes of a JPEG, PNG or WebP file, or a form with one file.",
        "content": {
            "image/jpeg": _IMAGE,
            "image/png": _IMAGE,
            "image/webp": _IMAGE,
            "application/octet-stream": _IMAGE,
            "multipart/form-data": _FORM,
        },
    },
}
CODING: dict[str, Any] = {
    "name": "Content-Encoding",
    "in": "header",
    "description": "How the body is compressed.",
    "schema": {"type": "string", "enum": ["gzip", "deflate"]},
}
HEADERS: list[dict[str, Any]] = [
    {
        "name": "X-Request-Timeout",
        "in": "header",
        "description": "Deadline in seconds from the arrival of the request.",
        "schema": {"type": "number", "exclusiveMinimum": 0},
    },
    {
        "name": "X-Request-Id",
        "in": "header",
        "description": "Echoed and logged; made up where it is missing.",
        "schema": {"type": "string", "maxLength": 128},
    },
]


def _query(name: str, description: str, kind: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": {"type": kind}}


def _extra(models: dict[str, Any]) -> dict[str, Any]:
    return {**_BODY, "parameters": [models, _K, CODING, *HEADERS]}


_K = _query("k", "How many classes to answer with, best first; 5 if left out.", "integer")
_MODEL = _query(
    "model", "Id or alias of a loaded model; may be left out when there is only one.", "string"
)
_MODELS = _query("models", "Ids or aliases separated by commas; all models if left out.", "string")
_WHOLE = re.compile(r"[+-]?[0-9]{1,9}")
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "Malformed request",
        404: "Unknown model",
        413: "Too many bytes or pixels",
        415: "Not an image type or a Content-Encoding that is read",
        422: "A broken image",
        500: "The engine failed on this image",
        503: "Queue full, draining or loading; see Retry-After",
        504: "The deadline passed",
    }.items()
}


def routes(front: Front) -> APIRouter:
    """The two routes, bound to one front."""
    router = APIRouter(tags=["v1"])

    @router.post(
        CLASSIFY, response_model=ClassifyAnswer, responses=_ERRORS, openapi_extra=_extra(_MODEL)
    )
    async def classify(request: Request) -> Response:
        """Classify one image with one model."""
        exchange, parameters = exchange_of(request), _parameters(request)
        with front.admission.visit(exchange.task):
            chosen = front.resolve(parameters.get("model"))
            exchange.models = [chosen.id]
            k = _whole_number("k", parameters.get("k"))
            check_k(k, chosen)
            question = Question(exchange, front.deadline(exchange), k)
            reading = front.bodies.body(request, question.deadline)
            async with reading as body:
                data = await image_bytes(reading, body)
                exchange.received()
                with front.admission.slot:
                    answer = await classify_image(front, data, chosen, question)
        return Encoded(answer, b"application/json")

    @router.post(
        COMPARE, response_model=CompareAnswer, responses=_ERRORS, openapi_extra=_extra(_MODELS)
    )
    async def compare(request: Request) -> Response:
        """Classify one image with several models, one after the other, so that they do not
        compete for the cores while they are timed."""
        exchange, parameters = exchange_of(request), _parameters(request)
        with front.admission.visit(exchange.task):
            chosen = _several(front, parameters.get("models"))
            exchange.models = [model.id for model in chosen]
            k = _whole_number("k", parameters.get("k"))
            for model in chosen:
                check_k(k, model)
            question = Question(exchange, front.deadline(exchange), k)
            reading = front.bodies.body(request, question.deadline)
            async with reading as body:
                data = await image_bytes(reading, body)
                exchange.received()
                with front.admission.slot:
                    answer = await compare_image(front, data, chosen, question)
        return Encoded(answer, b"application/json")

    return router


def _parameters(request: Request) -> dict[str, str]:
    """Of the query; the last one where a name comes twice."""
    query: bytes = request.scope["query_string"]
    if not query:
        return {}
    try:
        return dict(parse_qsl(query.decode("ascii"), keep_blank_values=True, max_num_fields=16))
    except ValueError as error:
        raise BadRequestError(f"the query cannot be read: {error}") from error


def _whole_number(name: str, value: str | None) -> int | None:
    if value is None or _WHOLE.fullmatch(value):
        return None if value is None else int(value)
    raise BadRequestError(f"{name} is {value[:40]!r}, expected a whole number")


def _several(front: Front, names: str | None) -> tuple[ModelInfo, ...]:
    if names is None:
        return front.core.models() or (front.resolve(None),)
    chosen = (front.resolve(name.strip()) for name in names.split(","))
    return tuple({model.id: model for model in chosen}.values())
