"""Wires the front: routes, errors and the entrance around one core."""

from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import cast

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from prometheus_client import CollectorRegistry
from starlette.exceptions import HTTPException
from starlette.responses import Response

from measuring.errors import StrideError
from service import status, v1
from service.admission import Admission
from service.body import BodyReader
from service.decoding import Decoder, Room
from service.description import describe
from service.entrance import Entrance, Inference
from service.front import Front
from service.keyring import Keyring
from service.keys import Token
from service.metrics import Metrics
from service.page import routes as page
from service.replies import error_reply, error_response
from service.seam import Core
from service.settings import Limits
from service.tracing import Tracing
from service.v2 import addressing, repository
from service.v2 import routes as v2

VERSION = "0.1.0"
INFERENCE = v1.INFERENCE | addressing.INFERENCE
"""Paths of inference, and the protocol that each counts under."""


def create_app(
    front: Front,
    metrics: Metrics,
    keys: Keyring | None = None,
    admin: Token | None = None,
    tracing: Tracing | None = None,
) -> Entrance:
    """The ASGI application; whoever calls it owns the core and its life. `admin` may change which
    models are served; None: nobody may."""
    app = FastAPI(
        title="Stride",
        summary="Image classification with every request's latency measured stage by stage",
        version=VERSION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
    )
    routers = (
        v1.routes(front),
        repository.routes(front, admin),
        v2.routes(front, VERSION),
        status.routes(front, metrics),
        page.routes(front.limits, VERSION, keys=keys is not None),
    )
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(StrideError, _on_stride_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_query)
    app.add_exception_handler(HTTPException, _on_http_error)
    describe(app, keys=keys is not None)
    inference = tuple(_inference(routers))
    return Entrance(
        app, core=front.core, metrics=metrics, inference=inference, keys=keys, tracing=tracing
    )


def _inference(routers: Iterable[APIRouter]) -> Iterator[Inference]:
    for router in routers:
        for route in router.routes:
            if isinstance(route, APIRoute) and route.path in INFERENCE:
                protocol = INFERENCE[route.path]
                yield Inference(route.path_regex, protocol, route.endpoint, route.path)


def create_front(
    core: Core,
    limits: Limits,
    decode_threads: int | None = None,
    *,
    exact_decoding: bool = False,
    room: Room | None = None,
) -> Front:
    """The parts that routes share. To be made where the event loop runs."""
    threads, pixels = decode_threads, limits.pixels
    return Front(
        core=core,
        limits=limits,
        admission=Admission(limits.requests),
        bodies=BodyReader(limits),
        decoder=Decoder(threads=threads, max_pixels=pixels, exact=exact_decoding, room=room),
    )


def create_metrics() -> Metrics:
    """The collectors with a registry of their own."""
    return Metrics(CollectorRegistry(auto_describe=True))


async def _on_stride_error(_: Request, error: Exception) -> Response:
    return error_reply(cast(StrideError, error))


async def _on_invalid_query(_: Request, error: Exception) -> Response:
    details = error.errors() if isinstance(error, RequestValidationError) else ()
    parts = (f"{'.'.join(map(str, d['loc']))}: {d['msg']}, got {d['input']!r}" for d in details)
    return error_response(400, "; ".join(parts)[:500])


async def _on_http_error(request: Request, error: Exception) -> Response:
    status_code = error.status_code if isinstance(error, HTTPException) else 500
    phrase = HTTPStatus(status_code).phrase.lower()
    where = f"{request.method} {request.url.path[:128]}"
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if allowed := headers.get("Allow"):
        phrase += f", expected {allowed}"
    return error_response(
        status_code, f"{where}: {phrase}; the addresses are listed at /docs", headers
    )
