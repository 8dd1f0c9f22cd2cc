"""A body of /v2/models/{model}/infer -> what it asks. No HTTP in here, and nothing of the model but
its signature."""

from reprlib import repr as shortened
from typing import Any, NamedTuple

import numpy as np
import orjson

from inference.engine import Pixels
from inference.jpeg_header import SIGNATURE as JPEG
from inference.png_header import SIGNATURE as PNG
from inference.webp_header import SIGNATURES as WEBP
from service.errors import BadRequestError, BodyTooLargeError, NotOfferedError
from service.seam import Priority
from service.v2.signature import IMAGE, LOGITS, PIXELS, Signature
from service.v2.tensors import Images, Raw, read_images, read_pixels

JSON_BYTES = 4 << 20
"""Bytes of JSON in one request. Its values take up to 40 times as much while they are read, and
nothing else runs meanwhile; larger tensors belong behind it."""

_JPEG_END = b"\xff\xd9"
_SEQUENCE = ("sequence_id", "sequence_start", "sequence_end")


class InferRequest(NamedTuple):
    """Either `pixels` (N, size, size, 3) or `images`, N encoded pictures, and how to answer.

    `classes`: how many labelled classes to answer with, 0 for the logits themselves; `binary`:
    the answer's tensor follows its JSON; `timeout` in seconds; `id` is empty where none was given.
    """

    id: str
    pixels: Pixels | None
    images: Images
    binary: bool
    classes: int
    priority: Priority
    timeout: float | None


def parse(body: bytes, header_length: int | None, model: Signature) -> InferRequest:
    """`header_length`: bytes of JSON at the front of the body; None: all of it is; 0: none of it,
    the body is the tensor (Triton's raw binary request).

    Raises BadRequestError for what is malformed, BodyTooLargeError for more than JSON_BYTES of
    JSON, NotOfferedError for what the protocol has and this service has not.
    """
    if header_length == 0:
        return _raw_request(body, model)
    end = len(body) if header_length is None else header_length
    if not 0 < end <= len(body):
        raise BadRequestError(
            f"inference header size should be in range (0, {len(body)}), got: {header_length}"
            if body
            else "the body is empty, expected an inference request"
        )
    document = _document(body, end)
    tensor = _only_input(document, model)
    raw = Raw(body, end)
    pixels: Pixels | None = None
    images: Images = ()
    if tensor["name"] == PIXELS:
        pixels = read_pixels(tensor, raw, model)
    else:
        images = read_images(tensor, raw, model)
    raw.end(model.model)
    parameters = _object(document, "parameters")
    binary, classes = _output(document.get("outputs"), parameters, model)
    priority, timeout = _schedule(parameters) if parameters else (Priority.NORMAL, None)
    return InferRequest(_id(document), pixels, images, binary, classes, priority, timeout)


def _raw_request(body: bytes, model: Signature) -> InferRequest:
    """One picture: its pixels where the size fits, else a file by its signature."""
    pixels: Pixels | None = None
    images: Images = ()
    if _is_picture(body, fits := len(body) == model.picture_bytes):
        images = (body,)
    elif fits:
        pixels = np.frombuffer(body, np.uint8).reshape(1, model.size, model.size, 3)
    else:
        raise BadRequestError(
            f"unexpected size for input '{PIXELS}' for model '{model.model}': got {len(body)} "
            f"bytes, expected {model.picture_bytes}, one picture [{model.size},{model.size},3], or "
            "a JPEG, PNG or WebP file"
        )
    return InferRequest("", pixels, images, True, 0, Priority.NORMAL, None)


def _is_picture(body: bytes, fits: bool) -> bool:
    """Three bytes of signature are one pixel; where the body can be pixels, a JPEG must end as one,
    too."""
    if body.startswith(JPEG):
        return not fits or body.endswith(_JPEG_END)
    return body.startswith(PNG) or (body[:4], body[8:12]) == WEBP


def _document(body: bytes, end: int) -> dict[str, Any]:
    if end > JSON_BYTES:
        raise BodyTooLargeError(
            f"{end} bytes of JSON, expected at most {JSON_BYTES}; send the tensor behind it as "
            "binary data (binary_data_size, Inference-Header-Content-Length)"
        )
    try:
        document = orjson.loads(body if end == len(body) else memoryview(body)[:end])
    except orjson.JSONDecodeError as error:
        raise BadRequestError(
            f"failed to parse the request JSON buffer: {error}; where binary data follows the "
            "JSON, the header Inference-Header-Content-Length must tell the JSON's length"
        ) from None
    if type(document) is not dict:
        raise BadRequestError("the request must be a JSON object with inputs")
    return document


def _only_input(document: dict[str, Any], model: Signature) -> dict[str, Any]:
    inputs = document.get("inputs")
    if type(inputs) is not list or len(inputs) != 1:
        count = len(inputs) if type(inputs) is list else 0
        raise BadRequestError(
            f"expected 1 inputs but got {count} inputs for model '{model.model}'. It takes "
            f"'{PIXELS}' or '{IMAGE}'"
        )
    tensor = inputs[0]
    if type(tensor) is not dict or tensor.get("name") not in (PIXELS, IMAGE):
        name = tensor.get("name") if type(tensor) is dict else None
        raise BadRequestError(
            f"unexpected inference input {shortened(name)} for model '{model.model}', allowed "
            f"are '{PIXELS}' and '{IMAGE}'"
        )
    return tensor


def _output(outputs: Any, parameters: dict[str, Any], model: Signature) -> tuple[bool, int]:
    """Whether binary, and how many classes. Logits are the only output; none named means all."""
    binary = _boolean(parameters, "binary_data_output", otherwise=False)
    if outputs is None or outputs == []:
        return binary, 0
    if type(outputs) is not list or any(type(output) is not dict for output in outputs):
        raise BadRequestError("outputs must be a list of objects")
    for output in outputs:
        if output.get("name") != LOGITS:
            raise BadRequestError(
                f"unexpected inference output {shortened(output.get('name'))} for model "
                f"'{model.model}', expected '{LOGITS}'"
            )
    if len(outputs) > 1:
        raise BadRequestError(f"output '{LOGITS}' is requested {len(outputs)} times")
    wanted = _object(outputs[0], "parameters")
    if not wanted:
        return binary, 0
    if "shared_memory_region" in wanted:
        raise NotOfferedError(f"output '{LOGITS}' is wanted in shared memory, which is not offered")
    classes = _natural(wanted, "classification")
    return _boolean(wanted, "binary_data", otherwise=binary), min(classes, len(model.labels))


def _schedule(parameters: dict[str, Any]) -> tuple[Priority, float | None]:
    """Lane and timeout. Priority 0 is the default, 1 the highest; 2 and more wait behind it."""
    for name in parameters:
        if name.startswith("triton_") or name == "headers":
            raise BadRequestError(f"parameter '{name[:80]}' is reserved; leave it out")
    for name in _SEQUENCE:
        if parameters.get(name):
            raise NotOfferedError(
                f"parameter '{name}': no model here keeps state between requests; leave it out"
            )
    priority = _natural(parameters, "priority")
    microseconds = _natural(parameters, "timeout")
    return (
        Priority.NORMAL if priority < 2 else Priority.BACKGROUND,
        microseconds / 1e6 if microseconds else None,
    )


def _id(document: dict[str, Any]) -> str:
    identity = document.get("id", "")
    if type(identity) is not str:
        raise BadRequestError("id must be a string")
    return identity


def _object(document: dict[str, Any], name: str) -> dict[str, Any]:
    value = document.get(name)
    if value is None:
        return {}
    if type(value) is not dict:
        raise BadRequestError(f"{name} must be an object")
    return value


def _boolean(parameters: dict[str, Any], name: str, *, otherwise: bool) -> bool:
    value = parameters.get(name, otherwise)
    if type(value) is not bool:
        raise BadRequestError(f"parameter '{name}' must be true or false")
    return value


def _natural(parameters: dict[str, Any], name: str) -> int:
    value = parameters.get(name, 0)
    if type(value) is not int or value < 0:
        raise BadRequestError(f"parameter '{name}' must be a whole number from 0")
    return value
