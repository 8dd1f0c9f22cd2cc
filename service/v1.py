"""/v1/classify and /v1/compare: the addresses, their parameters and their OpenAPI description."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.answers import ClassifyAnswer, CompareAnswer, ErrorAnswer
from service.classify import Question, check_k, classify_image, compare_image
from service.exchange import exchange_of
from service.front import Front, unless_disconnected
from service.seam import ModelInfo

CLASSIFY, COMPARE = "/v1/classify", "/v1/compare"
INFERENCE = {CLASSIFY: "v1", COMPARE: "v1"}
"""Addresses of inference, and the protocol they count under."""

ModelQuery = Annotated[
    str | None,
    Query(description="Id or alias of a loaded model; may be left out when there is only one."),
]
ModelsQuery = Annotated[
    str | None, Query(description="Ids or aliases separated by commas; all models if left out.")
]
KQuery = Annotated[
    int | None, Query(description="How many classes to answer with, best first; 5 if left out.")
]

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
    "parameters": [
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
    ],
}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "Malformed request",
        404: "Unknown model",
        413: "Too many bytes or pixels",
        415: "Not an image type that is read",
        422: "A broken image",
        500: "The engine failed on this image",
        503: "Queue full, draining or loading; see Retry-After",
        504: "The deadline passed",
    }.items()
}


def routes(front: Front) -> APIRouter:
    """The two routes, bound to one front."""
    router = APIRouter(tags=["v1"])

    @router.post(CLASSIFY, response_model=ClassifyAnswer, responses=_ERRORS, openapi_extra=_BODY)
    async def classify(request: Request, model: ModelQuery = None, k: KQuery = None) -> Response:
        """Classify one image with one model."""
        exchange = exchange_of(request)
        with front.admission.visit():
            chosen = front.resolve(model)
            exchange.models = [chosen.id]
            check_k(k, chosen)
            question = Question(exchange, front.deadline(request, exchange), k)
            async with front.image(request, exchange, question.deadline) as data:
                work = classify_image(front, data, chosen, question)
                body = await unless_disconnected(request, work)
        return Response(body, media_type="application/json")

    @router.post(COMPARE, response_model=CompareAnswer, responses=_ERRORS, openapi_extra=_BODY)
    async def compare(request: Request, models: ModelsQuery = None, k: KQuery = None) -> Response:
        """Classify one image with several models, one after the other, so that they do not
        compete for the cores while they are timed."""
        exchange = exchange_of(request)
        with front.admission.visit():
            chosen = _several(front, models)
            exchange.models = [model.id for model in chosen]
            for model in chosen:
                check_k(k, model)
            question = Question(exchange, front.deadline(request, exchange), k)
            async with front.image(request, exchange, question.deadline) as data:
                work = compare_image(front, data, chosen, question)
                body = await unless_disconnected(request, work)
        return Response(body, media_type="application/json")

    return router


def _several(front: Front, names: str | None) -> tuple[ModelInfo, ...]:
    if names is None:
        return front.core.models() or (front.resolve(None),)
    chosen = (front.resolve(name.strip()) for name in names.split(","))
    return tuple({model.id: model for model in chosen}.values())
