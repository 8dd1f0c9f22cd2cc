"""The input of a request: out of its JSON, or out of the bytes behind the JSON.

Source: KServe's Open Inference Protocol (REST) and Triton's binary tensor data extension. Messages
follow Triton's wording where it has one, since people search for it.
"""

import binascii
from itertools import chain
from reprlib import repr as shortened
from typing import Any

import numpy as np

from inference.engine import Pixels
from service.errors import BadRequestError, NotOfferedError
from service.v2.signature import IMAGE, PIXELS, Signature

Images = tuple[bytes, ...]


class Raw:
    """The bytes behind the JSON, taken from front to back; `at`: where they go on."""

    __slots__ = ("at", "body")

    def __init__(self, body: bytes, at: int) -> None:
        self.body = body
        self.at = at

    def take(self, size: int, name: str, model: str) -> int:
        """Where the next `size` bytes begin."""
        start, self.at = self.at, self.at + size
        missing = self.at - len(self.body)
        if missing > 0:
            raise BadRequestError(
                f"unexpected size for input '{name}', expecting {missing} additional bytes for "
                f"model '{model}'; binary data stands behind the JSON, whose length the header "
                "Inference-Header-Content-Length tells"
            )
        return start

    def end(self, model: str) -> None:
        """Nothing may be left."""
        if left := len(self.body) - self.at:
            raise BadRequestError(
                f"unexpected additional input data for model '{model}': {left} bytes that no "
                "input's binary_data_size tells of"
            )


def read_pixels(tensor: dict[str, Any], raw: Raw, model: Signature) -> Pixels:
    """(N, size, size, 3) uint8, read-only; a view of the body where the data is binary."""
    size = model.size
    _require_datatype(tensor, PIXELS, "UINT8", model)
    shape = tensor.get("shape")
    if type(shape) is not list or len(shape) != 4 or shape[1:] != [size, size, 3]:
        raise _unexpected_shape(PIXELS, f"[-1,{size},{size},3]", shape, model)
    count = _images(PIXELS, shape[0], model)
    total = count * model.picture_bytes
    length = _binary_size(tensor, PIXELS)
    if length is None:
        flat = np.frombuffer(_octets(tensor.get("data"), total), np.uint8)
    else:
        start = raw.take(length, PIXELS, model.model)
        if length != total:
            raise BadRequestError(
                f"input byte size mismatch for input '{PIXELS}' for model '{model.model}'. "
                f"Expected {total}, got {length}"
            )
        flat = np.frombuffer(raw.body, np.uint8, length, start)
    return flat.reshape(count, size, size, 3)


def read_images(tensor: dict[str, Any], raw: Raw, model: Signature) -> Images:
    """Encoded pictures: length-prefixed where the data is binary, base64 in JSON, where a picture
    cannot stand as it is."""
    _require_datatype(tensor, IMAGE, "BYTES", model)
    shape = tensor.get("shape")
    if type(shape) is not list or len(shape) not in {1, 2} or shape[1:] not in ([], [1]):
        raise _unexpected_shape(IMAGE, "[-1] or [-1,1]", shape, model)
    count = _images(IMAGE, shape[0], model)
    length = _binary_size(tensor, IMAGE)
    if length is None:
        return _from_base64(tensor.get("data"), count)
    start = raw.take(length, IMAGE, model.model)
    return _elements(raw.body, start, start + length, count)


def _images(name: str, count: Any, model: Signature) -> int:
    if type(count) is int and 1 <= count <= model.max_images:
        return count
    raise BadRequestError(
        f"inference request batch-size must be 1 to {model.max_images} for '{model.model}', "
        f"received {shortened(count)} in the shape of input '{name}'"
    )


def _binary_size(tensor: dict[str, Any], name: str) -> int | None:
    """None where the data stands in the JSON."""
    parameters = tensor.get("parameters")
    if parameters is None:
        return None
    if type(parameters) is not dict:
        raise BadRequestError(f"the parameters of input '{name}' must be an object")
    if "shared_memory_region" in parameters:
        raise NotOfferedError(
            f"input '{name}' lies in shared memory, which is not offered; send the tensor itself"
        )
    size = parameters.get("binary_data_size")
    if size is None:
        return None
    if type(size) is not int or size < 0:
        raise BadRequestError(f"binary_data_size of input '{name}' must be a whole number from 0")
    if "data" in tensor:
        raise BadRequestError(f"input '{name}' has both data and binary_data_size; send one")
    return size


def _octets(data: Any, count: int) -> bytes:
    """Whole numbers, flat or nested up to the four dimensions that pixels have."""
    if type(data) is not list:
        raise BadRequestError(
            f"input '{PIXELS}' must have data, a list, or the parameter binary_data_size"
        )
    for _ in range(3):
        if set(map(type, data)) == {list}:
            data = list(chain.from_iterable(data))
    if len(data) != count or set(map(type, data)) != {int}:
        raise BadRequestError(
            f"unexpected data for input '{PIXELS}': got {len(data)} elements, expected {count} "
            "whole numbers, flat or nested as the shape says"
        )
    try:
        return bytes(data)
    except ValueError:
        raise BadRequestError(
            f"data of input '{PIXELS}' must be whole numbers from 0 to 255"
        ) from None


def _elements(body: bytes, at: int, end: int, count: int) -> Images:
    """Each with its length in front, four bytes little-endian."""
    elements: list[bytes] = []
    for _ in range(count):
        start = at + 4
        if start > end:
            raise BadRequestError(
                f"incomplete string length indicator for inference input '{IMAGE}', expecting 4 "
                f"bytes but only {end - at} bytes available; the shape tells of {count} elements"
            )
        at = start + int.from_bytes(body[at:start], "little")
        if at > end:
            raise BadRequestError(
                f"incomplete string data for inference input '{IMAGE}', expecting string of "
                f"length {at - start} but only {end - start} bytes available"
            )
        elements.append(body[start:at])
    if at != end:
        raise BadRequestError(
            f"unexpected number of string elements for inference input '{IMAGE}', expecting "
            f"{count}, and {end - at} bytes are left"
        )
    return tuple(elements)


def _from_base64(data: Any, count: int) -> Images:
    if type(data) is list and set(map(type, data)) == {list}:
        data = list(chain.from_iterable(data))
    if type(data) is not list or len(data) != count or set(map(type, data)) != {str}:
        raise BadRequestError(
            f"data of input '{IMAGE}' must be {count} strings, pictures in base64; or send the "
            "bytes as they are, with binary_data_size"
        )
    try:
        return tuple(binascii.a2b_base64(text, strict_mode=True) for text in data)
    except ValueError as error:
        raise BadRequestError(
            f"data of input '{IMAGE}' is no base64: {error}; JSON cannot hold a picture as it is"
        ) from None


def _require_datatype(tensor: dict[str, Any], name: str, expected: str, model: Signature) -> None:
    received = tensor.get("datatype")
    if received != expected:
        raise BadRequestError(
            f"inference input '{name}' data-type is {shortened(received)}, but model "
            f"'{model.model}' expects '{expected}'"
        )


def _unexpected_shape(name: str, expected: str, received: Any, model: Signature) -> BadRequestError:
    return BadRequestError(
        f"unexpected shape for input '{name}' for model '{model.model}'. "
        f"Expected {expected}, got {shortened(received)}"
    )
