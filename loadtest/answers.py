"""Whether an answer is right: its shape, its numbers, and that it is the one known to be right."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from loadtest.service import Model
from loadtest.target import Target
from measuring.errors import CheckError

LOGITS_BOUND = 0.05
"""Root mean square of the difference between two answers to one picture, as a share of how much
the logits of the right one vary: batches of other sizes round otherwise, other pictures differ by
about all of it."""
PROBABILITY_BOUND = 0.05
"""The same for the probabilities of /v1."""

Prediction = tuple[int, float]


class WrongAnswerError(CheckError):
    """An answer that is none; `kind` is what errors are counted under."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


@dataclass(frozen=True, eq=False)
class Answer:
    """One answer, read: `logits` (batch, classes) of /v2, or for each model of /v1 its id and its
    predictions, best first."""

    data: bytes
    logits: NDArray[np.float32] | None = None
    predictions: tuple[tuple[str, tuple[Prediction, ...]], ...] = ()


def read_answer(
    target: Target, model: Model, data: bytes, header_length: int | None = None
) -> Answer:
    """`header_length`: bytes of JSON before the tensor of a /v2 answer.

    Raises WrongAnswerError for what is not an answer of this model to this target.
    """
    if target.protocol == "v2":
        return Answer(data, logits=_logits(target, model, data, header_length))
    document = _document(data)
    if target.protocol == "v1":
        return Answer(data, predictions=(_predictions(document, model),))
    results = document.get("results")
    if not isinstance(results, list) or len(results) != len(target.model.split(",")):
        raise WrongAnswerError("wrong shape", f"expected one result per model, got {data[:200]!r}")
    return Answer(data, predictions=tuple(_predictions(result, None) for result in results))


def require_same(answer: Answer, right: Answer) -> None:
    """Raises WrongAnswerError for another answer than the right one to the same body."""
    if answer.data == right.data:
        return
    if answer.logits is not None and right.logits is not None:
        _require_same_logits(answer.logits, right.logits)
        return
    for (name, found), (right_name, expected) in zip(
        answer.predictions, right.predictions, strict=True
    ):
        if name != right_name:
            raise WrongAnswerError(
                "wrong model", f"{name} answered, expected {right_name}, as in the first answer"
            )
        _require_same_predictions(found, expected)


def tell_apart(answers: Sequence[Answer]) -> bool:
    """Whether the check would notice if a service gave one of these answers for all."""
    for other in answers[1:]:
        try:
            require_same(other, answers[0])
        except WrongAnswerError:
            return True
    return False


def _require_same_logits(found: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    centred = expected - expected.mean(axis=1, keepdims=True)
    varies = np.sqrt((centred.astype(np.float64) ** 2).mean(axis=1))
    apart = np.sqrt(((found - expected).astype(np.float64) ** 2).mean(axis=1))
    wrong = np.flatnonzero(apart > LOGITS_BOUND * varies)
    if len(wrong):
        first = int(wrong[0])
        raise WrongAnswerError(
            "wrong answer",
            f"the logits of picture {first} are {apart[first]:.4g} from the right ones (root mean "
            f"square), expected at most {LOGITS_BOUND * varies[first]:.4g}",
        )


def _require_same_predictions(found: Sequence[Prediction], expected: Sequence[Prediction]) -> None:
    if len(found) != len(expected):
        raise WrongAnswerError(
            "wrong shape", f"{len(found)} predictions, expected {len(expected)} as at first"
        )
    right = dict(expected)
    least = expected[-1][1]
    for index, probability in found:
        if abs(probability - right.get(index, least)) > PROBABILITY_BOUND:
            raise WrongAnswerError(
                "wrong answer",
                f"class {index} has probability {probability:.4g}, expected "
                + (f"{right[index]:.4g}" if index in right else f"at most {least:.4g}"),
            )
    if found[0][0] != expected[0][0] and dict(found).get(expected[0][0], 0.0) < (
        found[0][1] - PROBABILITY_BOUND
    ):
        raise WrongAnswerError(
            "wrong answer", f"class {found[0][0]} comes first, expected {expected[0][0]}"
        )


def _logits(
    target: Target, model: Model, data: bytes, header_length: int | None
) -> NDArray[np.float32]:
    shape = (target.batch, model.classes)
    size = 4 * shape[0] * shape[1]
    if header_length is None or not 0 <= header_length <= len(data):
        raise WrongAnswerError(
            "unreadable answer", f"expected a binary tensor behind JSON, got {data[:200]!r}"
        )
    if len(data) - header_length != size:
        raise WrongAnswerError(
            "wrong shape",
            f"{len(data) - header_length} bytes of logits, expected {size}: {list(shape)} float32",
        )
    outputs = _document(data[:header_length]).get("outputs") if header_length else None
    told = outputs[0].get("shape") if isinstance(outputs, list) and outputs else list(shape)
    if told != list(shape):
        raise WrongAnswerError("wrong shape", f"logits {told}, expected {list(shape)}")
    logits = np.frombuffer(data, "<f4", offset=header_length).reshape(shape)
    if not np.isfinite(logits).all():
        raise WrongAnswerError("not finite", "logits that are infinite or no numbers")
    return logits


def _document(data: bytes) -> dict[str, object]:
    try:
        document = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise WrongAnswerError(
            "unreadable answer", f"{data[:200]!r} is no JSON: {error}"
        ) from error
    if not isinstance(document, dict):
        raise WrongAnswerError("unreadable answer", f"{data[:200]!r}, expected an object")
    return document


def _predictions(document: object, model: Model | None) -> tuple[str, tuple[Prediction, ...]]:
    """Of one model; raises WrongAnswerError unless they are classes of it with probabilities."""
    try:
        name = document["model"]  # type: ignore[index]
        found = tuple(
            (entry["index"], float(entry["probability"]), entry["label"])
            for entry in document["predictions"]  # type: ignore[index]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise WrongAnswerError(
            "unreadable answer", f"{str(document)[:200]}, expected a model and its predictions"
        ) from error
    classes = math.inf if model is None else model.classes
    sane = all(
        isinstance(index, int) and 0 <= index < classes and isinstance(label, str) and label
        for index, _, label in found
    )
    if not found or not sane or len({index for index, _, _ in found}) < len(found):
        raise WrongAnswerError(
            "wrong classes", f"{found}, expected labels with different indices below {classes}"
        )
    _require_probabilities([probability for _, probability, _ in found])
    return str(name), tuple((index, probability) for index, probability, _ in found)


def _require_probabilities(found: Sequence[float]) -> None:
    if not all(0.0 <= probability <= 1.0 for probability in found):  # NaN is not, either
        raise WrongAnswerError("not finite", f"probabilities {found}, expected 0 to 1")
    if sum(found) > 1.001 or list(found) != sorted(found, reverse=True):
        raise WrongAnswerError(
            "wrong classes", f"probabilities {found}, expected at most 1 together, falling"
        )
