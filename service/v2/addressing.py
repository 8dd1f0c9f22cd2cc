"""The addresses of /v2, and which model one of them means."""

from fastapi import Request

from service.errors import UnknownModelError
from service.front import Front
from service.seam import ModelInfo

ROOT = "/v2"
MODEL = f"{ROOT}/models/{{model}}"
VERSION = f"{MODEL}/versions/{{version}}"
ONLY_VERSION = "1"
"""An artifact has one version: another one has another id."""

INFERENCE = {f"{MODEL}/infer": "v2", f"{VERSION}/infer": "v2"}
"""Addresses of inference, and the protocol they count under."""


def named_model(front: Front, request: Request) -> ModelInfo:
    """By id or alias. Raises UnknownModelError, for another version than 1, too, and RefusedError
    while models are being loaded."""
    named = request.scope["path_params"]
    return version_of(front.resolve(named["model"]), named.get("version"))


def version_of(model: ModelInfo, version: str | None) -> ModelInfo:
    """The model, if it has that version; None means any."""
    if version is None or version == ONLY_VERSION:
        return model
    raise UnknownModelError(
        f"model {model.id!r} has no version {version[:40]!r}, expected {ONLY_VERSION}"
    )
