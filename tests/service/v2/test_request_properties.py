"""Whatever the bytes, reading them ends in a request or in an error of the service, and takes no
more memory than the bytes themselves justify."""

import tracemalloc
from typing import Any

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from measuring.errors import InputError
from service.v2.request import JSON_BYTES, InferRequest, parse
from service.v2.signature import Signature
from tests.service.v2.wire import binary_tensor, elements, pictures, whole_body

MODEL = Signature("m", 4, ("a", "b", "c"), 8)
NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


def either(*usual: Any) -> st.SearchStrategy[Any]:
    """Mostly what belongs there, sometimes anything at all."""
    return st.sampled_from(usual) | VALUES


SHAPES = st.lists(st.sampled_from([1, 2, 3, 4, 8, 9, -1, 2**31, 2**63]), max_size=5) | st.builds(
    lambda n: [n, 4, 4, 3], st.integers(-1, 10)
)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "name": either("pixels", "image"),
        "datatype": either("UINT8", "BYTES"),
        "shape": SHAPES | VALUES,
        "data": st.lists(st.integers(0, 255), min_size=48, max_size=48) | VALUES,
        "parameters": st.fixed_dictionaries(
            {}, optional={"binary_data_size": st.integers(-1, 500) | VALUES}
        )
        | VALUES,
    },
)
PARAMETERS = ("priority", "timeout", "binary_data_output", "sequence_id", "headers", "triton_x")
OUTPUTS = st.fixed_dictionaries(
    {"name": either("logits")},
    optional={
        "parameters": st.dictionaries(st.sampled_from(
            ["classification", "binary_data", "shared_memory_region"]), either(0, 2, True))
        | VALUES
    },
)  # fmt: skip
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "id": either("", "x"),
        "inputs": st.lists(TENSORS, max_size=2) | VALUES,
        "outputs": st.lists(OUTPUTS, max_size=2) | VALUES,
        "parameters": st.dictionaries(st.sampled_from(PARAMETERS), either(0, 1, True)) | VALUES,
    },
)


def read(body: bytes, length: int | None) -> InferRequest | None:
    """None for what is refused; any other error fails the test."""
    refusal = None
    try:
        request = parse(body, length, MODEL)
    except InputError as error:
        refusal = str(error)
    if refusal is not None:
        assert 0 < len(refusal) < 1000
        return None
    assert (request.pixels is None) == bool(request.images)
    if request.pixels is not None:
        assert request.pixels.dtype == np.uint8
        assert request.pixels.shape[1:] == (4, 4, 3)
    assert 0 <= request.classes <= 3
    return request


LENGTHS = st.none() | st.integers(0, 2000) | st.integers(0, 2**64)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), LENGTHS)
def test_any_bytes_end_in_a_request_or_an_error(body: bytes, length: int | None) -> None:
    read(body, length)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS | VALUES, st.binary(max_size=200), st.booleans())
def test_any_document_ends_in_a_request_or_an_error(document: Any, raw: bytes, told: bool) -> None:
    body, length = whole_body(document, raw)
    read(body, length if told else None)


@given(st.integers(1, 8), st.integers(0, 99), st.data())
def test_one_changed_byte_never_breaks_reading(count: int, seed: int, data: st.DataObject) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 4, 4, 3), np.uint8)
    body, length = whole_body({"inputs": [binary_tensor(pixels)]}, pixels.tobytes())
    whole = read(body, length)
    assert whole is not None
    np.testing.assert_array_equal(whole.pixels, pixels)
    changed = bytearray(body)
    changed[data.draw(st.integers(0, length - 1))] = data.draw(st.integers(0, 255))
    read(bytes(changed), length)
    read(body, data.draw(st.integers(1, len(body) + 3)))


@given(st.lists(st.binary(max_size=50), min_size=1, max_size=8), st.data())
def test_elements_come_back_whole_and_damaged_ones_are_told(
    texts: list[bytes], data: st.DataObject
) -> None:
    raw = elements(*texts)
    tensor: dict[str, Any] = {"name": "image", "datatype": "BYTES", "shape": [len(texts)]}
    tensor["parameters"] = {"binary_data_size": len(raw)}
    body, length = whole_body({"inputs": [tensor]}, raw)
    request = read(body, length)
    assert request is not None
    assert request.images == tuple(texts)
    changed = bytearray(body)
    changed[data.draw(st.integers(length, len(body) - 1))] = data.draw(st.integers(0, 255))
    read(bytes(changed), length)
    read(body[: data.draw(st.integers(length, len(body)))], length)


def peak(body: bytes, length: int | None, model: Signature) -> int:
    """Bytes taken at the most while reading."""
    tracemalloc.start()
    try:
        parse(body, length, model)
    except InputError:
        pass
    finally:
        _, highest = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    return highest


def test_what_a_shape_claims_is_never_allocated() -> None:
    large = Signature("m", 4096, ("a",), 2**31)
    claim = {"name": "pixels", "datatype": "UINT8", "shape": [2**31 - 1, 4096, 4096, 3]}
    many = {"name": "image", "datatype": "BYTES", "shape": [2**31 - 1]}
    for tensor in (claim, many):
        for more in ({"data": [1]}, {"parameters": {"binary_data_size": 2**62}}):
            body, length = whole_body({"inputs": [tensor | more]}, b"\xff\xff\xff\xff")
            assert peak(body, length, large) < 100_000


def test_pixels_behind_the_json_are_not_copied() -> None:
    pixels = pictures(1).repeat(2000, axis=0)
    model = Signature("m", 16, ("a",), 2000)
    body, length = whole_body({"inputs": [binary_tensor(pixels)]}, pixels.tobytes())
    assert peak(body, length, model) < 50_000


def test_json_takes_at_most_forty_times_its_size() -> None:
    values = orjson.dumps([[]] * 300_000)  # three bytes each, a list object each
    head = b'{"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,4,4,3],"data":'
    body = head + values + b"}]}"
    assert len(body) < JSON_BYTES
    assert peak(body, None, MODEL) < 40 * len(body)
