"""/v2/repository: what the repository has, and switching models on, over and off while serving."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from service.answers import ErrorAnswer
from service.errors import BadRequestError, ForbiddenError, NotOfferedError
from service.exchange import exchange_of
from service.front import Front, error_of
from service.keys import Token
from service.seam import Refusal
from service.v2 import openapi
from service.v2.addressing import ONLY_VERSION, ROOT
from service.v2.answers import IndexEntry

INDEX = f"{ROOT}/repository/index"
CHANGE = f"{ROOT}/repository/models/{{model}}"
DOCUMENT_BYTES = 1 << 16
"""Bytes of a body here: it says a word or two."""

_CHANGES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorAnswer, "description": text}
    for status, text in {
        400: "Malformed, or the artifact cannot be loaded, and why",
        401: "The admin token is missing or wrong",
        403: "The service was started without --model-control",
        404: "No such artifact or model",
        501: "Loading with another configuration or other files",
        503: "The service is shutting down",
    }.items()
}


def routes(front: Front, admin: Token | None) -> APIRouter:
    """The three addresses; `admin` opens the two that change something, None keeps them shut."""
    router = APIRouter(tags=["v2"])

    @router.post(INDEX, openapi_extra=openapi.object_body("ready"))
    async def index(request: Request) -> list[IndexEntry]:
        """Every artifact of the repository and its state, or of those that are `ready`."""
        wanted = await _document(front, request)
        only_ready = wanted.get("ready", False)
        if type(only_ready) is not bool:
            raise BadRequestError("ready must be true or false")
        return [
            IndexEntry(name=e.id, version=ONLY_VERSION, state=e.status, reason=e.reason)
            for e in front.core.index()
            if e.status == "READY" or not only_ready
        ]

    @router.post(
        f"{CHANGE}/load", responses=_CHANGES, response_class=Response,
        openapi_extra=openapi.object_body("parameters"),
    )  # fmt: skip
    async def load(model: str, request: Request) -> Response:
        """Open the artifact with this id, name or alias; where it serves already, open it again
        beside itself and switch over. Answers once it serves; after a failure all goes on as
        before. Needs the admin token (`Authorization: Bearer`)."""
        _require(admin, request)
        parameters = _parameters(await _document(front, request))
        if parameters:
            raise NotOfferedError(
                "loading takes no parameters here: an artifact is loaded as it lies in the "
                "repository; put another one there"
            )
        return _done(await front.core.load(model))

    @router.post(
        f"{CHANGE}/unload", responses=_CHANGES, response_class=Response,
        openapi_extra=openapi.object_body("parameters"),
    )  # fmt: skip
    async def unload(model: str, request: Request) -> Response:
        """Switch off the model with this id or alias, and answer once what it had admitted is
        done. `unload_dependents` is accepted: no model depends on another. Needs the admin token
        (`Authorization: Bearer`)."""
        _require(admin, request)
        _parameters(await _document(front, request))
        return _done(await front.core.unload(model))

    return router


def _require(admin: Token | None, request: Request) -> None:
    """Raises ForbiddenError where changes are switched off, UnauthorizedError without the token."""
    if admin is None:
        raise ForbiddenError(
            "changing which models are served is switched off; start the service with "
            "--model-control and an admin token to allow it"
        )
    admin.require(exchange_of(request).headers)


async def _document(front: Front, request: Request) -> dict[str, Any]:
    """The body's object; none at all is an empty one."""
    async with front.bodies.body(request, front.deadline(exchange_of(request))) as body:
        if not body:
            return {}
        if len(body) > DOCUMENT_BYTES:
            raise BadRequestError(
                f"the body has {len(body)} bytes, expected a JSON object of at most "
                f"{DOCUMENT_BYTES}; no files or configurations are taken here"
            )
        try:
            document = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise BadRequestError(f"failed to parse the request JSON buffer: {error}") from None
    if type(document) is not dict:
        raise BadRequestError("the body must be a JSON object, or empty")
    return document


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    parameters = document.get("parameters") or {}
    if type(parameters) is not dict:
        raise BadRequestError("parameters must be an object")
    return parameters


def _done(refusal: Refusal | None) -> Response:
    """An empty 200. An artifact that cannot be loaded is 400 as with Triton: coming again does not
    help."""
    if refusal is None:
        return Response()
    if refusal.kind == "unavailable":
        raise BadRequestError(refusal.message)
    raise error_of(refusal)
