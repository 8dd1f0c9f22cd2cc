"""/v1/classify and /v1/compare: the addresses, their parameters and their OpenAPI description."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from service.answers import ClassifyAnswer, CompareAnswer, ErrorAnswer
from service.classify import Question, check_k, classify_image, compare_image
from service.exchange import Exchange, exchange_of
from service.front import Front, unless_disconnected
from service.seam import ModelInfo

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

    @router.post(
        "/v1/classify", response_model=ClassifyAnswer, responses=_ERRORS, openapi_extra=_BODY
    )
    async def classify(request: Request, model: ModelQuery = None, k: KQuery = None) -> Response:
        """Classify one image with one model."""
        exchange = _inference(request)
        with front.admission.request():
            chosen = front.resolve(model)
            exchange.model = chosen.id
            check_k(k, chosen)
            deadline = front.deadline(request, exchange)
            data = await front.receive(request, exchange, deadline)
            question = Question(exchange, deadline, k)
            body = await unless_disconnected(request, classify_image(front, data, chosen, question))
        return Response(body, media_type="application/json")

    @router.post(
        "/v1/compare", response_model=CompareAnswer, responses=_ERRORS, openapi_extra=_BODY
    )
    async def compare(request: Request, models: ModelsQuery = None, k: KQuery = None) -> Response:
        """Classify one image with several models, one after the other, so that they do not
        compete for the cores while they are timed."""
        exchange = _inference(request)
        with front.admission.request():
            chosen = _several(front, models)
            for model in chosen:
                check_k(k, model)
            deadline = front.deadline(request, exchange)
            data = await front.receive(request, exchange, deadline)
            question = Question(exchange, deadline, k)
            body = await unless_disconnected(request, compare_image(front, data, chosen, question))
        return Response(body, media_type="application/json")

    return router


def _inference(request: Request) -> Exchange:
    exchange = exchange_of(request)
    exchange.protocol = "v1"
    return exchange


def _several(front: Front, names: str | None) -> tuple[ModelInfo, ...]:
    if names is None:
        return front.core.models() or (front.resolve(None),)
    chosen = (front.resolve(name.strip()) for name in names.split(","))
    return tuple({model.id: model for model in chosen}.values())
