import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.engine import Logits
from service.seam import Priority
from service.v2.request import InferRequest
from service.v2.response import classify, render
from service.v2.signature import Signature

MODEL = Signature("m", 16, ("a", "b", "c"), 8)
ASKED = InferRequest("", None, (), False, 0, Priority.NORMAL, None)
LOGITS = np.array([[0.5, 2.0, -1.0], [3.0, 3.0, 3.0]], np.float32)


def test_logits_in_json_have_no_parameters() -> None:
    answer = render(LOGITS, ASKED, MODEL)

    assert answer.tensor is None
    assert json.loads(answer.document) == {
        "model_name": "m", "model_version": "1",
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [2, 3],
                     "data": [0.5, 2.0, -1.0, 3.0, 3.0, 3.0]}],
    }  # fmt: skip


def test_logits_behind_the_json() -> None:
    answer = render(LOGITS, ASKED._replace(binary=True, id="x"), MODEL)

    document = json.loads(answer.document)
    assert document["id"] == "x"
    assert document["outputs"][0]["parameters"] == {"binary_data_size": 24}
    assert "data" not in document["outputs"][0]
    assert answer.tensor == LOGITS.astype("<f4").tobytes()


@given(
    arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 4)),
           elements=st.floats(width=32))
)  # fmt: skip
def test_any_logits_survive_json(logits: Logits) -> None:
    document = json.loads(render(logits, ASKED, MODEL).document)

    data = np.array(document["outputs"][0]["data"], np.float32).reshape(logits.shape)
    np.testing.assert_array_equal(data, logits)


def test_no_numbers_are_written_as_tritons_json_has_them() -> None:
    logits = np.array([[math.nan, math.inf, -math.inf]], np.float32)
    assert b"[NaN,Infinity,-Infinity]" in render(logits, ASKED, MODEL).document


def test_classes_are_strings_of_value_index_and_label() -> None:
    answer = render(LOGITS, ASKED._replace(classes=2), MODEL)

    (output,) = json.loads(answer.document)["outputs"]
    assert output == {
        "name": "logits", "datatype": "BYTES", "shape": [2, 2],
        "data": ["2.000000:1:b", "0.500000:0:a", "3.000000:0:a", "3.000000:1:b"],
    }  # fmt: skip


def test_classes_behind_the_json_are_length_prefixed() -> None:
    answer = render(LOGITS[:1], ASKED._replace(classes=1, binary=True), MODEL)

    assert answer.tensor == b"\x0c\x00\x00\x002.000000:1:b"
    (output,) = json.loads(answer.document)["outputs"]
    assert output["parameters"] == {"binary_data_size": 16}


def test_what_is_no_number_is_the_last_class() -> None:
    logits = np.array([[math.nan, 1.0, -math.inf]], np.float32)
    assert [text.split(":")[1] for text in classify(logits, 3, "abc")[0]] == ["1", "2", "0"]


@pytest.mark.parametrize("k", [1, 2, 3])
def test_classes_are_the_largest_logits(k: int) -> None:
    logits = np.random.default_rng(k).normal(size=(5, 3)).astype(np.float32)
    for row, texts in zip(logits, classify(logits, k, "abc"), strict=True):
        expected = sorted(range(3), key=lambda index: -row[index])[:k]
        assert [int(text.split(":")[1]) for text in texts] == expected
