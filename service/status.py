"""Addresses that tell about the service: alive, ready, metrics, and what is loaded."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from pydantic import TypeAdapter

from measuring.gpu import GpuReading, gpu_readings
from service.answers import ErrorAnswer
from service.front import Front
from service.gpu_metrics import PREFIX as GPU
from service.gpu_metrics import render_gpus
from service.metrics import Metrics
from service.seam import Core, ModelInfo
from service.triton_metrics import render, untyped

_INFO = TypeAdapter(ModelInfo)
_END = b"# EOF\n"
_TEXT = {"schema": {"type": "string"}}
_EXPOSITION: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": _TEXT, "application/openmetrics-text": _TEXT}}
}
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    404: {"model": ErrorAnswer, "description": "Unknown model"},
    503: {"model": ErrorAnswer, "description": "Still loading; see Retry-After"},
}


def routes(front: Front, metrics: Metrics) -> APIRouter:
    """The five addresses, bound to one front."""
    router = APIRouter()
    core = front.core

    @router.get("/healthz", tags=["status"])
    async def healthz() -> dict[str, str]:
        """The process answers. Says nothing of its models: see /readyz."""
        return {"status": "alive"}

    @router.get("/readyz", tags=["status"], responses={503: {"model": ErrorAnswer}})
    async def readyz(response: Response) -> dict[str, Any]:
        """200 once every model is open, verified and warm; 503 with the reason until then and
        from the first SIGTERM on."""
        if reason := core.unready():
            response.status_code = 503
            response.headers["Retry-After"] = "1"
            return {"error": f"not ready: {reason}"}
        return {"status": "ready", "models": [model.id for model in core.models()]}

    @router.get("/metrics", tags=["status"], response_class=Response, responses=_EXPOSITION)
    async def prometheus(request: Request) -> Response:
        """Prometheus exposition, in the format that the Accept header asks for; with `name[]`,
        once or several times, of those series alone."""
        query = request.query_params.getlist("name[]")
        return await _exposition(core, metrics, request.headers.get("accept", ""), query)

    for path, endpoint in (("/healthz", healthz), ("/readyz", readyz), ("/metrics", prometheus)):
        router.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False)

    @router.get("/v1/models", tags=["v1"])
    async def models() -> dict[str, list[dict[str, Any]]]:
        """What is loaded and how it runs; labels are left to /v1/models/{id}."""
        return {"models": [_describe(model, labels=False) for model in core.models()]}

    @router.get("/v1/models/{model}", tags=["v1"], responses=_UNKNOWN)
    async def model(model: str) -> dict[str, Any]:
        """One model by id or alias, with its whole manifest."""
        return _describe(front.resolve(model), labels=True)

    return router


async def _exposition(core: Core, metrics: Metrics, accept: str, names: Sequence[str]) -> Response:
    encode, content_type = choose_encoder(accept)
    readings: Sequence[GpuReading] = ()
    if not names or any(name.startswith(GPU) for name in names):
        if any(model.device != "cpu" for model in core.models()):
            readings = await asyncio.to_thread(gpu_readings)
        metrics.gpus(readings)
    if names:
        body = encode(metrics.registry.restricted_registry(names))
        return Response(body, headers={"Content-Type": content_type})
    more = render(core.statistics(), core.pending()) + render_gpus(readings)
    body = encode(metrics.registry)
    if "openmetrics" in content_type:  # which is what a Prometheus asks for
        body = body.removesuffix(_END) + untyped(more).encode() + _END
    else:
        body += more.encode()
    return Response(body, headers={"Content-Type": content_type})


def _describe(info: ModelInfo, *, labels: bool) -> dict[str, Any]:
    exclude = None if labels else {"manifest": {"labels"}}
    description: dict[str, Any] = _INFO.dump_python(info, mode="json", exclude=exclude)
    return {"id": info.id, "classes": len(info.manifest.labels)} | description
