"""The addresses of the page: files that a browser keeps and asks about again, and what it may do
with them."""

from typing import Any

import orjson
from fastapi import APIRouter, Request, Response

from service.page.files import SETTINGS, PageFile, page_file, page_files
from service.settings import Limits

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob:",  # blob: is the photo that was picked, shown before it is sent
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # nothing becomes HTML or code out of a string
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Kept, but asked about each time: a newer service has a newer page.
    "Cache-Control": "no-cache",
}


def routes(limits: Limits, version: str, *, keys: bool) -> APIRouter:
    """`keys`: whether the service asks for API keys."""
    router = APIRouter(include_in_schema=False)
    settings: dict[str, Any] = {
        "version": version,
        "keys": keys,
        "max_body_bytes": limits.body_bytes,
        "max_pixels": limits.pixels,
    }
    made = {SETTINGS: page_file(orjson.dumps(settings), "application/json")}
    for address, file in (page_files() | made).items():
        router.add_api_route(address, _answering(file), methods=["GET", "HEAD"])
    return router


def _answering(file: PageFile) -> Any:
    headers = HEADERS | {"ETag": file.tag, "Content-Type": file.media_type}

    async def answer(request: Request) -> Response:
        if _has(request.headers.get("if-none-match", ""), file.tag):
            return Response(status_code=304, headers=HEADERS | {"ETag": file.tag})
        return Response(file.content, headers=headers)

    return answer


def _has(condition: str, tag: str) -> bool:
    """Whether `If-None-Match` names this tag. Compared weakly (RFC 9110, 13.1.2): proxies that
    compress mark tags as weak."""
    named = [part.strip().removeprefix("W/") for part in condition.split(",")]
    return tag in named or named == ["*"]
