"""What counts as a right answer: plausible, and the one that is known."""

import json

import numpy as np
import pytest
from numpy.typing import NDArray

from loadtest.answers import Answer, WrongAnswerError, read_answer, require_same, tell_apart
from loadtest.service import Model
from loadtest.target import Target

MODEL = Model("m-onnx-fp32", size=8, classes=5)
V2 = Target("http://127.0.0.1:1", "m", batch=2)
V1 = Target("http://127.0.0.1:1", "m", "v1", "jpeg")
LOGITS = np.array([[0, 1, 2, 3, 4], [5, 1, 0, 2, 2]], np.float32)


def binary(logits: NDArray[np.float32], shape: list[int] | None = None) -> tuple[bytes, int]:
    told = {"outputs": [{"name": "logits", "shape": shape or list(logits.shape)}]}
    head = json.dumps(told).encode()
    return head + logits.tobytes(), len(head)


def classified(*predictions: tuple[object, object], model: str = "m-onnx-fp32") -> bytes:
    found = [
        {"label": f"class {index}", "index": index, "probability": probability}
        for index, probability in predictions
    ]
    return json.dumps({"model": model, "predictions": found, "timings": {}}).encode()


RIGHT = classified((3, 0.7), (1, 0.2), (0, 0.05))


def test_logits_are_read() -> None:
    answer = read_answer(V2, MODEL, *binary(LOGITS))
    assert answer.logits is not None
    assert answer.logits.tolist() == LOGITS.tolist()


@pytest.mark.parametrize(
    ("data", "length", "kind"),
    [
        pytest.param(b"{}", None, "unreadable answer", id="no-tensor"),
        pytest.param(b"{}", 3, "unreadable answer", id="length-beyond"),
        pytest.param(*binary(LOGITS[:1]), "wrong shape", id="too-few"),
        pytest.param(*binary(LOGITS.astype(np.float64)), "wrong shape", id="float64"),
        pytest.param(*binary(LOGITS, [1, 10]), "wrong shape", id="told-otherwise"),
        pytest.param(*binary(np.where(LOGITS > 3, np.nan, LOGITS)), "not finite", id="nan"),
        pytest.param(*binary(np.where(LOGITS > 3, np.inf, LOGITS)), "not finite", id="infinite"),
        pytest.param(b"x" + LOGITS.tobytes(), 1, "unreadable answer", id="no-json"),
        pytest.param(b"3" + LOGITS.tobytes(), 1, "unreadable answer", id="no-object"),
    ],
)
def test_logits_that_cannot_be(data: bytes, length: int | None, kind: str) -> None:
    with pytest.raises(WrongAnswerError) as raised:
        read_answer(V2, MODEL, data, length)
    assert raised.value.kind == kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        pytest.param(b"hello", "unreadable answer", id="no-json"),
        pytest.param(b"[]", "unreadable answer", id="no-object"),
        pytest.param(b'{"model":"m"}', "unreadable answer", id="no-predictions"),
        pytest.param(classified(), "wrong classes", id="none"),
        pytest.param(classified((5, 0.5)), "wrong classes", id="beyond"),
        pytest.param(classified(("3", 0.5)), "wrong classes", id="text"),
        pytest.param(classified((3, 0.5), (3, 0.4)), "wrong classes", id="twice"),
        pytest.param(classified((3, 0.2), (1, 0.7)), "wrong classes", id="rising"),
        pytest.param(classified((3, 0.7), (1, 0.7)), "wrong classes", id="over-one"),
        pytest.param(classified((3, -0.1)), "not finite", id="negative"),
        pytest.param(classified((3, float("nan"))).replace(b"NaN", b"null"), "unreadable answer",
                     id="null"),
    ],
)  # fmt: skip
def test_predictions_that_cannot_be(data: bytes, kind: str) -> None:
    with pytest.raises(WrongAnswerError) as raised:
        read_answer(V1, MODEL, data)
    assert raised.value.kind == kind


def v2(logits: NDArray[np.float32]) -> Answer:
    return read_answer(V2, MODEL, *binary(logits.astype(np.float32)))


def v1(*predictions: tuple[object, object], model: str = "m-onnx-fp32") -> Answer:
    return read_answer(V1, MODEL, classified(*predictions, model=model))


SAME = [
    pytest.param(v2(LOGITS), v2(LOGITS + np.float32(1e-3)), id="rounded"),
    pytest.param(v2(0 * LOGITS), v2(0 * LOGITS), id="zeros"),
    pytest.param(v1((3, 0.7), (1, 0.2)), v1((3, 0.69), (1, 0.21)), id="probabilities"),
    pytest.param(v1((3, 0.4), (1, 0.39)), v1((1, 0.4), (3, 0.39)), id="a-tie"),
    pytest.param(v1((3, 0.7), (1, 0.02)), v1((3, 0.7), (4, 0.02)), id="a-tie-at-the-end"),
]
OTHER = [
    pytest.param(v2(LOGITS), v2(LOGITS[::-1]), "wrong answer", id="pictures-swapped"),
    pytest.param(v2(LOGITS), v2(0 * LOGITS), "wrong answer", id="zeros"),
    pytest.param(v2(LOGITS), v2(LOGITS[:, ::-1]), "wrong answer", id="classes-swapped"),
    pytest.param(v2(LOGITS), v2(LOGITS * 1.2), "wrong answer", id="scaled"),
    pytest.param(v1((3, 0.7), (1, 0.2)), v1((1, 0.7), (3, 0.2)), "wrong answer", id="other-class"),
    pytest.param(v1((3, 0.7), (1, 0.2)), v1((2, 0.7), (1, 0.2)), "wrong answer", id="new-class"),
    pytest.param(v1((3, 0.7), (1, 0.2)), v1((3, 0.7)), "wrong shape", id="fewer"),
    pytest.param(v1((3, 0.7)), v1((3, 0.7), model="n"), "wrong model", id="other-model"),
]


@pytest.mark.parametrize(("right", "answer"), SAME)
def test_answers_that_differ_by_rounding_are_the_same(right: Answer, answer: Answer) -> None:
    require_same(answer, right)
    assert not tell_apart([right, answer])


@pytest.mark.parametrize(("right", "answer", "kind"), OTHER)
def test_answers_to_something_else_are_not(right: Answer, answer: Answer, kind: str) -> None:
    with pytest.raises(WrongAnswerError) as raised:
        require_same(answer, right)
    assert raised.value.kind == kind
    assert tell_apart([right, right, answer])


def test_comparison_has_an_answer_of_each_model() -> None:
    target = Target("http://127.0.0.1:1", "m,n", "compare", "png")
    one, other = json.loads(RIGHT), json.loads(classified((900, 0.5), model="n"))
    answer = read_answer(target, MODEL, json.dumps({"results": [one, other]}).encode())
    assert [name for name, _ in answer.predictions] == ["m-onnx-fp32", "n"]
    for results, kind in (
        ([one], "wrong shape"),
        ([one, {"model": "n", "error": "full"}], "unreadable answer"),
    ):
        with pytest.raises(WrongAnswerError) as raised:
            read_answer(target, MODEL, json.dumps({"results": results}).encode())
        assert raised.value.kind == kind
