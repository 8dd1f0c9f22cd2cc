"""Wires the front: routes, errors and the middleware around one core."""

import math
from http import HTTPStatus

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response

from measuring.errors import StrideError
from service import status, v1
from service.admission import Admission
from service.body import BodyReader
from service.decoding import Decoder
from service.errors import RefusedError
from service.front import Front
from service.metrics import Metrics
from service.middleware import ExchangeMiddleware
from service.seam import Core
from service.settings import Limits


def create_app(front: Front, metrics: Metrics) -> FastAPI:
    """The ASGI application; whoever calls it owns the core and its life."""
    app = FastAPI(
        title="Stride",
        summary="Image classification with every request's latency measured stage by stage",
        version="0.1.0",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    app.include_router(v1.routes(front))
    app.include_router(status.routes(front, metrics))
    app.add_exception_handler(StrideError, _on_stride_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_query)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_middleware(ExchangeMiddleware, core=front.core, metrics=metrics, inference=v1.INFERENCE)
    return app


def create_front(core: Core, limits: Limits, decode_threads: int | None = None) -> Front:
    """The parts that routes share. To be made where the event loop runs."""
    return Front(
        core=core,
        limits=limits,
        admission=Admission(limits.requests),
        bodies=BodyReader(limits),
        decoder=Decoder(threads=decode_threads, max_pixels=limits.pixels),
    )


def create_metrics() -> Metrics:
    """The collectors with a registry of their own."""
    return Metrics(CollectorRegistry(auto_describe=True))


def _error(status_code: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return Response(
        orjson.dumps({"error": message}), status_code, headers, media_type="application/json"
    )


async def _on_stride_error(_: Request, error: Exception) -> Response:
    status_code = error.status if isinstance(error, StrideError) else 500
    headers = None
    if isinstance(error, RefusedError):
        headers = {"Retry-After": str(math.ceil(error.retry_after))}
    return _error(status_code, str(error), headers)


async def _on_invalid_query(_: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    parts = (f"{'.'.join(map(str, d['loc']))}: {d['msg']}, got {d['input']!r}" for d in details)
    return _error(400, "; ".join(parts)[:500])


async def _on_http_error(request: Request, error: Exception) -> Response:
    status_code = error.status_code if isinstance(error, HTTPException) else 500
    phrase = HTTPStatus(status_code).phrase.lower()
    where = f"{request.method} {request.url.path[:128]}"
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else None
    return _error(status_code, f"{where}: {phrase}; the addresses are listed at /docs", headers)
