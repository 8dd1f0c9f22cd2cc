"""What the tests of /v2 send, and the answers a float64 computation gives."""

from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from measuring.pictures import varied_pictures
from tests.tiny import SIZE, tiny_logits

ADMIN = "an-admin-token-of-the-tests"
ID, OTHER = "tiny-onnx-fp32", "other-onnx-fp32"
INFER = f"/v2/models/{ID}/infer"


def pictures(count: int, seed: int = 0) -> NDArray[np.uint8]:
    """(count, SIZE, SIZE, 3)"""
    return varied_pictures(count, SIZE, seed)


def logits(pixels: NDArray[np.uint8], *, classes: int = 32, seed: int = 0) -> NDArray[np.float64]:
    """(N, classes): what the model of `write_tiny` computes, in float64."""
    weights = np.random.default_rng(seed).normal(0, 0.1, (3, classes)).astype(np.float32)
    return tiny_logits(pixels, weights)


def tensor(pixels: NDArray[np.uint8], **more: Any) -> dict[str, Any]:
    """The input in JSON, without its data."""
    return {"name": "pixels", "datatype": "UINT8", "shape": list(pixels.shape), **more}


def binary_tensor(pixels: NDArray[np.uint8]) -> dict[str, Any]:
    return tensor(pixels, parameters={"binary_data_size": pixels.nbytes})


def whole_body(document: dict[str, Any], *raw: bytes) -> tuple[bytes, int]:
    """JSON and what stands behind it, and the length of the JSON."""
    head = orjson.dumps(document)
    return b"".join((head, *raw)), len(head)


def elements(*texts: bytes) -> bytes:
    """BYTES as binary data."""
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)
