"""What OpenAPI cannot read off the routes of /v2: parameters of the address, bodies that are not
only JSON, headers."""

from typing import Any

from service.answers import ErrorAnswer
from service.v1 import HEADERS
from service.v2.addressing import ONLY_VERSION
from service.v2.signature import IMAGE, LOGITS, PIXELS

_MODEL = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "Id or alias of a loaded model.",
    "schema": {"type": "string"},
}
_VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": f"Always {ONLY_VERSION}.",
    "schema": {"type": "string", "enum": [ONLY_VERSION]},
}
_LENGTH = {
    "name": "Inference-Header-Content-Length",
    "in": "header",
    "description": "Bytes of JSON in front of the binary data; 0: the body is one picture, as its "
    "pixels or as a file. Without it, the whole body is JSON.",
    "schema": {"type": "integer", "minimum": 0},
}
_CODING = {
    "name": "Content-Encoding",
    "in": "header",
    "description": "How the body is compressed.",
    "schema": {"type": "string", "enum": ["gzip", "deflate"]},
}
MODEL: dict[str, Any] = {"parameters": [_MODEL]}
VERSION: dict[str, Any] = {"parameters": [_MODEL, _VERSION]}

_TENSOR = {
    "type": "object",
    "required": ["name", "shape", "datatype"],
    "properties": {
        "name": {"type": "string", "enum": [PIXELS, IMAGE]},
        "shape": {"type": "array", "items": {"type": "integer"}},
        "datatype": {"type": "string", "enum": ["UINT8", "BYTES"]},
        "parameters": {
            "type": "object",
            "properties": {"binary_data_size": {"type": "integer", "minimum": 0}},
        },
        "data": {
            "type": "array",
            "items": {},
            "description": f"{PIXELS}: whole numbers from 0 to 255, flat or nested; {IMAGE}: "
            "pictures in base64. Left out where binary_data_size is given.",
        },
    },
}
_OUTPUT = {
    "type": "object",
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "enum": [LOGITS]},
        "parameters": {
            "type": "object",
            "properties": {
                "binary_data": {"type": "boolean"},
                "classification": {"type": "integer", "minimum": 0},
            },
        },
    },
}
_REQUEST = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {
            "type": "object",
            "properties": {
                "binary_data_output": {"type": "boolean"},
                "priority": {"type": "integer", "minimum": 0},
                "timeout": {
                    "type": "integer", "minimum": 0, "description": "Microseconds; 0 for none.",
                },
            },
        },
        "inputs": {"type": "array", "items": _TENSOR, "minItems": 1, "maxItems": 1},
        "outputs": {"type": "array", "items": _OUTPUT, "maxItems": 1},
    },
}  # fmt: skip
_BINARY = {"schema": {"type": "string", "format": "binary"}}
INFER: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "JSON, or JSON with binary data behind it.",
        "content": {
            "application/json": {"schema": _REQUEST},
            "application/octet-stream": _BINARY,
        },
    },
}
INFER_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "JSON, or JSON with the tensor behind it where binary data was asked for",
        "headers": {_LENGTH["name"]: {"schema": {"type": "integer"}}},
        "content": {"application/octet-stream": _BINARY},
    },
    **{
        status: {"model": ErrorAnswer, "description": text}
        for status, text in {
            400: "Malformed, too large, or not an image that is read",
            404: "Unknown model or version",
            415: "A Content-Encoding that is not read",
            500: "The engine failed on this request",
            501: "A part of the protocol that is not offered",
            503: "Queue full, deadline passed or out of reach, draining or loading; Retry-After",
        }.items()
    },
}


def with_headers(addressed: dict[str, Any]) -> dict[str, Any]:
    """The parameters of an address of inference."""
    return {"parameters": [*addressed["parameters"], _LENGTH, _CODING, *HEADERS]}


def object_body(field: str) -> dict[str, Any]:
    """A body that may be left out, an object with one field."""
    kind = "boolean" if field == "ready" else "object"
    schema = {"type": "object", "properties": {field: {"type": kind}}}
    return {"requestBody": {"required": False, "content": {"application/json": {"schema": schema}}}}
