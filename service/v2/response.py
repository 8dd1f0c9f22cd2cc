"""Logits -> the answer to an inference request: JSON, and the tensor behind it. No HTTP in here."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson

from inference.engine import Logits
from service.v2.request import InferRequest
from service.v2.signature import LOGITS, Signature


class InferAnswer(NamedTuple):
    """`tensor` is None where the JSON holds everything."""

    document: bytes
    tensor: bytes | None


def render(logits: Logits, request: InferRequest, model: Signature) -> InferAnswer:
    """`logits` (N, classes) as they are, or the likeliest classes where the request asks for them.

    Numbers that are none are written `NaN`, `Infinity` and `-Infinity`, as Triton's JSON has them.
    """
    if request.classes:
        return _labelled(classify(logits, request.classes, model.labels), request, model)
    output: dict[str, Any] = {"name": LOGITS, "datatype": "FP32", "shape": logits.shape}
    if not request.binary:
        return _whole(output | {"data": orjson.Fragment(_numbers(logits))}, request, model)
    return _with_tensor(output, logits.astype("<f4", copy=False).tobytes(), request, model)


def classify(logits: Logits, k: int, labels: Sequence[str]) -> list[list[str]]:
    """`value:index:label` of the k largest logits of each picture, largest first; equals in order
    of their index, what is no number last. Source: Triton's classification extension."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(logits, best, axis=1)
    return [
        [f"{value:f}:{index}:{labels[index]}" for value, index in zip(row, indices, strict=True)]
        for row, indices in zip(values.tolist(), best.tolist(), strict=True)
    ]


def _labelled(rows: list[list[str]], request: InferRequest, model: Signature) -> InferAnswer:
    output: dict[str, Any] = {
        "name": LOGITS, "datatype": "BYTES", "shape": (len(rows), request.classes),
    }  # fmt: skip
    flat = [text for row in rows for text in row]
    if not request.binary:
        return _whole(output | {"data": flat}, request, model)
    encoded = (text.encode() for text in flat)
    tensor = b"".join(len(text).to_bytes(4, "little") + text for text in encoded)
    return _with_tensor(output, tensor, request, model)


def _with_tensor(
    output: dict[str, Any], tensor: bytes, request: InferRequest, model: Signature
) -> InferAnswer:
    output["parameters"] = {"binary_data_size": len(tensor)}
    return InferAnswer(_document(output, request, model), tensor)


def _whole(output: dict[str, Any], request: InferRequest, model: Signature) -> InferAnswer:
    """An output without binary data has no parameters at all: Triton's C++ client takes them for
    the announcement of some."""
    return InferAnswer(_document(output, request, model), None)


def _document(output: dict[str, Any], request: InferRequest, model: Signature) -> bytes:
    answer: dict[str, Any] = {"model_name": model.model, "model_version": "1"}
    if request.id:
        answer["id"] = request.id
    answer["outputs"] = (output,)
    return orjson.dumps(answer)


def _numbers(logits: Logits) -> bytes:
    flat = np.ascontiguousarray(logits, np.float32).reshape(-1)
    if np.isfinite(flat).all():
        return orjson.dumps(flat, option=orjson.OPT_SERIALIZE_NUMPY)
    return json.dumps(flat.tolist(), separators=(",", ":")).encode()
