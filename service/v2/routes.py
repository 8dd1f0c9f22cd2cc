"""/v2: the Open Inference Protocol, with Triton's extensions of it."""

from typing import Any

from fastapi import APIRouter, Request, Response

from service.answers import ErrorAnswer
from service.errors import BadRequestError, NotOfferedError
from service.front import Front
from service.statistics import Statistics
from service.v2 import openapi
from service.v2.addressing import MODEL, ROOT, VERSION, named_model
from service.v2.answers import (
    AllStatistics,
    InferResponse,
    Live,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
)
from service.v2.descriptions import model_config, model_metadata, server_metadata
from service.v2.infer import infer
from service.v2.model_statistics import model_statistics
from service.v2.signature import Signatures, signature

_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "Unknown model or version"},
    503: {"model": ErrorAnswer, "description": "Still loading; see Retry-After"},
}
_UNREADY: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "Not ready, and why"}
}
_NOT_OFFERED = (
    "systemsharedmemory", "cudasharedmemory", "trace", "logging", "models/{model}/trace",
)  # fmt: skip


def routes(front: Front, version: str) -> APIRouter:
    """Every address of /v2 but the repository's, bound to one front."""
    router = APIRouter(tags=["v2"])
    _add_server(router, front, version)
    _add_statistics(router, front)  # before the models: one could be called `stats`
    _add_models(router, front)
    _add_inference(router, front)
    _add_not_offered(router)
    return router


def _add_server(router: APIRouter, front: Front, version: str) -> None:
    @router.get(ROOT)
    @router.get(f"{ROOT}/", include_in_schema=False)
    async def metadata() -> ServerMetadata:
        """The service's name and version, and the extensions of the protocol that it has."""
        return server_metadata(version)

    @router.get(f"{ROOT}/health/live")
    @router.head(f"{ROOT}/health/live", include_in_schema=False)
    async def live() -> Live:
        """The process answers."""
        return Live()

    @router.get(f"{ROOT}/health/ready", responses=_UNREADY)
    @router.head(f"{ROOT}/health/ready", include_in_schema=False)
    async def ready() -> Ready:
        """At least one model serves, and no end has been announced; else 400 with the reason."""
        if reason := front.core.unready():
            raise BadRequestError(f"not ready: {reason}")
        return Ready()


def _add_statistics(router: APIRouter, front: Front) -> None:
    @router.get(f"{ROOT}/models/stats")
    async def all_statistics() -> AllStatistics:
        """Totals of every loaded model since the service started."""
        totals = front.core.statistics()
        models = (model.id for model in front.core.models())
        return AllStatistics(
            model_stats=[model_statistics(model, totals[model]) for model in models]
        )

    @router.get(f"{MODEL}/stats", responses=_UNKNOWN, openapi_extra=openapi.MODEL)
    @router.get(f"{VERSION}/stats", responses=_UNKNOWN, openapi_extra=openapi.VERSION)
    async def statistics(request: Request) -> AllStatistics:
        """Totals of one model since the service started; reloading does not reset them."""
        model = named_model(front, request).id
        totals = front.core.statistics().get(model, Statistics())
        return AllStatistics(model_stats=[model_statistics(model, totals)])


def _add_models(router: APIRouter, front: Front) -> None:
    @router.get(MODEL, responses=_UNKNOWN, openapi_extra=openapi.MODEL)
    @router.get(VERSION, responses=_UNKNOWN, openapi_extra=openapi.VERSION)
    async def metadata(request: Request) -> ModelMetadata:
        """What the model with this id or alias takes and gives."""
        return model_metadata(named_model(front, request))

    @router.get(f"{MODEL}/config", responses=_UNKNOWN, openapi_extra=openapi.MODEL)
    @router.get(f"{VERSION}/config", responses=_UNKNOWN, openapi_extra=openapi.VERSION)
    async def config(request: Request) -> dict[str, Any]:
        """How the model runs, as Triton's ModelConfig."""
        model = named_model(front, request)
        return model_config(model, signature(model, front.limits), front.limits.timeout)

    @router.get(f"{MODEL}/ready", responses=_UNKNOWN | _UNREADY, openapi_extra=openapi.MODEL)
    @router.get(f"{VERSION}/ready", responses=_UNKNOWN | _UNREADY, openapi_extra=openapi.VERSION)
    async def ready(request: Request) -> ModelReady:
        """Whether this model serves; 400 with the reason while it does not."""
        model = named_model(front, request).id
        if reason := front.core.unready_model(model):
            raise BadRequestError(f"model {model!r} is not ready: {reason}")
        return ModelReady(name=model)


def _add_inference(router: APIRouter, front: Front) -> None:
    signatures = Signatures(front.limits)

    @router.post(
        f"{MODEL}/infer", response_model=InferResponse, responses=openapi.INFER_ANSWERS,
        openapi_extra=openapi.INFER | openapi.with_headers(openapi.MODEL),
    )  # fmt: skip
    @router.post(
        f"{VERSION}/infer", response_model=InferResponse, responses=openapi.INFER_ANSWERS,
        openapi_extra=openapi.INFER | openapi.with_headers(openapi.VERSION),
    )  # fmt: skip
    async def answer(request: Request) -> Response:
        """Logits or labelled classes for one or several images."""
        return await infer(front, signatures, request)


def _add_not_offered(router: APIRouter) -> None:
    async def refuse(request: Request) -> Response:
        raise NotOfferedError(
            f"{request.url.path[:128]}: shared memory, tracing and log settings are not offered "
            f"here; GET {ROOT} lists the extensions that are"
        )

    for part in _NOT_OFFERED:
        for path in (f"{ROOT}/{part}", f"{ROOT}/{part}/{{rest:path}}"):
            router.add_api_route(path, refuse, methods=["GET", "POST"], include_in_schema=False)
