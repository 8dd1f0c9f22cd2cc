import base64
from typing import Any

import numpy as np
import orjson
import pytest

from service.errors import BadRequestError, BodyTooLargeError, NotOfferedError
from service.seam import Priority
from service.v2.request import JSON_BYTES, InferRequest, parse
from service.v2.signature import Signature
from tests.service.client import encode, png
from tests.service.v2.wire import binary_tensor, elements, pictures, tensor, whole_body

MODEL = Signature("m", 16, ("a", "b", "c"), 8)
PIXELS = pictures(2)
ONE = PIXELS[:1]


def read(document: dict[str, Any], *raw: bytes) -> InferRequest:
    body, length = whole_body(document, *raw)
    return parse(body, length, MODEL)


def inputs(*tensors: Any, **more: Any) -> dict[str, Any]:
    return {"inputs": list(tensors), **more}


def asked(**more: Any) -> InferRequest:
    """A request for one picture, and what it asks besides."""
    return read(inputs(binary_tensor(ONE), **more), ONE.tobytes())


def parameters(**values: Any) -> InferRequest:
    return asked(parameters=values)


def outputs(*wanted: Any) -> InferRequest:
    return asked(outputs=list(wanted))


def test_pixels_behind_the_json_are_a_view_of_the_body() -> None:
    body, length = whole_body(inputs(binary_tensor(PIXELS)), PIXELS.tobytes())

    pixels = parse(body, length, MODEL).pixels

    assert pixels is not None
    np.testing.assert_array_equal(pixels, PIXELS)
    assert np.shares_memory(pixels, np.frombuffer(body, np.uint8))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(PIXELS.tolist(), id="nested"),
        pytest.param(PIXELS.reshape(-1).tolist(), id="flat"),
        pytest.param(PIXELS.reshape(2, -1).tolist(), id="half-nested"),
    ],
)
@pytest.mark.parametrize("with_header", [True, False])
def test_pixels_in_json(data: Any, with_header: bool) -> None:
    body, length = whole_body(inputs(tensor(PIXELS, data=data)))

    pixels = parse(body, length if with_header else None, MODEL).pixels

    assert pixels is not None
    np.testing.assert_array_equal(pixels, PIXELS)


@pytest.mark.parametrize("shape", [[2], [2, 1]])
def test_images_behind_the_json_and_in_base64(shape: list[int]) -> None:
    files = (png(1), png(2))
    image = {"name": "image", "datatype": "BYTES", "shape": shape}
    raw = elements(*files)
    encoded: Any = [base64.b64encode(file).decode() for file in files]
    if len(shape) == 2:
        encoded = [[text] for text in encoded]

    behind = read(inputs(image | {"parameters": {"binary_data_size": len(raw)}}), raw)
    in_json = read(inputs(image | {"data": encoded}))

    assert behind.images == in_json.images == files
    assert behind.pixels is None


@pytest.mark.parametrize(
    "file", [png(), encode(pictures(1)[0], "JPEG"), encode(pictures(1)[0], "WEBP")]
)
def test_raw_body_is_a_picture_file_by_its_signature(file: bytes) -> None:
    request = parse(file, 0, MODEL)

    assert request.images == (file,)
    assert request.binary


def test_raw_body_of_the_pictures_size_is_its_pixels_even_if_it_begins_like_a_jpeg() -> None:
    body = b"\xff\xd8\xff" + bytes(16 * 16 * 3 - 3)

    pixels = parse(body, 0, MODEL).pixels

    assert pixels is not None
    assert pixels.tobytes() == body


def test_parameters_say_priority_timeout_and_form() -> None:
    request = parameters(priority=2, timeout=1500, binary_data_output=True, custom="x")

    assert request.priority is Priority.BACKGROUND
    assert request.timeout == pytest.approx(0.0015)
    assert request.binary
    assert parameters(priority=1).priority is parameters().priority is Priority.NORMAL
    assert parameters(timeout=0).timeout is None


def test_output_says_classes_and_form_of_its_own() -> None:
    wanted = {"name": "logits", "parameters": {"classification": 2, "binary_data": False}}

    request = asked(outputs=[wanted], parameters={"binary_data_output": True})

    assert (request.classes, request.binary) == (2, False)
    assert outputs({"name": "logits", "parameters": {"classification": 99}}).classes == 3
    assert outputs().classes == outputs({"name": "logits"}).classes == 0


def test_id_is_empty_where_none_is_given() -> None:
    assert asked().id == asked(id="").id == ""
    assert asked(id="seven").id == "seven"


IMAGE = {"name": "image", "datatype": "BYTES", "shape": [1]}


@pytest.mark.parametrize(
    ("document", "raw", "message"),
    [
        (inputs(binary_tensor(ONE)), ONE.tobytes()[:-1], "expecting 1 additional bytes for model"),
        (inputs(binary_tensor(ONE)), ONE.tobytes() + b"x", "unexpected additional input data"),
        (inputs(binary_tensor(ONE) | {"shape": [2, 16, 16, 3]}), ONE.tobytes(),
         "Expected 1536, got 768"),
        (inputs(binary_tensor(ONE) | {"shape": [1, 3, 16, 16]}), ONE.tobytes(),
         r"Expected \[-1,16,16,3\], got \[1, 3, 16, 16\]"),
        (inputs(binary_tensor(ONE) | {"shape": [0, 16, 16, 3]}), b"", "batch-size must be 1 to 8"),
        (inputs(binary_tensor(ONE) | {"shape": [9, 16, 16, 3]}), b"", "batch-size must be 1 to 8"),
        (inputs(binary_tensor(ONE) | {"shape": [True, 16, 16, 3]}), b"", "batch-size"),
        (inputs(binary_tensor(ONE) | {"datatype": "FP32"}), ONE.tobytes(), "expects 'UINT8'"),
        (inputs(binary_tensor(ONE) | {"data": []}), ONE.tobytes(), "send one"),
        (inputs(tensor(ONE, data=[1, 2])), b"", "got 2 elements, expected 768"),
        (inputs(tensor(ONE, data=[0.5] * 768)), b"", "768 whole numbers"),
        (inputs(tensor(ONE, data=[256] * 768)), b"", "from 0 to 255"),
        (inputs(tensor(ONE)), b"", "must have data"),
        (inputs(tensor(ONE, parameters={"binary_data_size": -1})), b"", "whole number from 0"),
        (inputs(tensor(ONE, parameters=[])), b"", "must be an object"),
        (inputs(), b"", "expected 1 inputs but got 0"),
        (inputs(binary_tensor(ONE), binary_tensor(ONE)), b"", "expected 1 inputs but got 2"),
        (inputs({"name": "input"}), b"", "unexpected inference input 'input'"),
        (inputs({"name": ["pixels"]}), b"", "unexpected inference input"),
        (inputs(IMAGE | {"data": ["no base64!"]}), b"", "no base64"),
        (inputs(IMAGE | {"data": [1]}), b"", "1 strings, pictures in base64"),
        (inputs(IMAGE | {"parameters": {"binary_data_size": 3}}), b"abc", "only 3 bytes"),
        (inputs(IMAGE | {"parameters": {"binary_data_size": 5}}), b"\x02\0\0\0a",
         "length 2 but only 1 bytes"),
        (inputs(IMAGE | {"parameters": {"binary_data_size": 6}}), b"\x01\0\0\0ab",
         "1 bytes are left"),
        ({"inputs": {}}, b"", "expected 1 inputs"),
        (inputs(binary_tensor(ONE), id=7), ONE.tobytes(), "id must be a string"),
        (inputs(binary_tensor(ONE), outputs=[{"name": "x"}]), ONE.tobytes(), "output 'x'"),
        (inputs(binary_tensor(ONE), outputs=[{"name": "logits"}] * 2), ONE.tobytes(), "2 times"),
        (inputs(binary_tensor(ONE), outputs="logits"), ONE.tobytes(), "list of objects"),
    ],
)  # fmt: skip
def test_malformed_request_says_what_is_wrong(
    document: dict[str, Any], raw: bytes, message: str
) -> None:
    with pytest.raises(BadRequestError, match=message):
        read(document, raw)


@pytest.mark.parametrize("length", [1, 5, 10**6])
def test_header_length_that_does_not_fit_is_told(length: int) -> None:
    body, _ = whole_body(inputs(binary_tensor(ONE)), ONE.tobytes())
    with pytest.raises(BadRequestError, match=r"failed to parse|should be in range"):
        parse(body, length, MODEL)


@pytest.mark.parametrize("length", [None, 10])
def test_empty_body_is_told(length: int | None) -> None:
    with pytest.raises(BadRequestError, match="the body is empty"):
        parse(b"", length, MODEL)


def test_missing_header_length_is_told_where_binary_data_follows() -> None:
    body, _ = whole_body(inputs(binary_tensor(ONE)), ONE.tobytes())
    with pytest.raises(BadRequestError, match="Inference-Header-Content-Length must tell"):
        parse(body, None, MODEL)


def test_deep_nesting_is_refused_and_told_briefly() -> None:
    nested = b"[" * 900 + b"]" * 900
    head = b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":' + nested + b"}]}"
    with pytest.raises(BadRequestError, match="unexpected shape") as caught:
        parse(head, None, MODEL)
    assert len(str(caught.value)) < 300


def test_json_is_bounded() -> None:
    with pytest.raises(BodyTooLargeError, match="binary_data_size"):
        parse(b" " * (JSON_BYTES + 1), None, MODEL)


@pytest.mark.parametrize("name", ["sequence_id", "sequence_start", "sequence_end"])
def test_sequences_are_not_offered(name: str) -> None:
    with pytest.raises(NotOfferedError, match=name):
        parameters(**{name: 1})
    assert parameters(**{name: 0}).id == ""


@pytest.mark.parametrize("values", [{"triton_x": 1}, {"headers": {}}])
def test_reserved_parameters_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="reserved"):
        parameters(**values)


@pytest.mark.parametrize("values", [{"priority": -1}, {"priority": "1"}, {"timeout": 0.5}])
def test_parameters_of_another_kind_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match="whole number"):
        parameters(**values)


def test_shared_memory_is_not_offered() -> None:
    region = {"shared_memory_region": "r", "shared_memory_byte_size": 768}
    with pytest.raises(NotOfferedError, match="input 'pixels' lies in shared memory"):
        read(inputs(tensor(ONE, parameters=region)))
    with pytest.raises(NotOfferedError, match="output 'logits' is wanted in shared memory"):
        outputs({"name": "logits", "parameters": region})


def test_raw_body_of_another_size_is_told() -> None:
    with pytest.raises(BadRequestError, match="got 7 bytes, expected 768"):
        parse(b"1234567", 0, MODEL)


def test_a_document_that_is_no_object_is_told() -> None:
    with pytest.raises(BadRequestError, match="must be a JSON object"):
        parse(orjson.dumps([1]), None, MODEL)
