"""From the bytes of an image to the JSON of its answer, for one model or several."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from inference.classification import DEFAULT_K, most_likely
from measuring.errors import StrideError
from service.decoding import Prepared
from service.errors import BadRequestError
from service.exchange import Ending, Exchange, outcome_of, rounded
from service.front import Front
from service.seam import ModelInfo


def check_k(k: int | None, model: ModelInfo) -> int:
    """How many classes to answer with; raises BadRequestError unless the model has that many."""
    classes = len(model.manifest.labels)
    if k is None:
        return min(DEFAULT_K, classes)
    if not 1 <= k <= classes:
        raise BadRequestError(
            f"k is {k}, expected 1 to {classes}: {model.id} has {classes} classes"
        )
    return k


@dataclass(frozen=True)
class Question:
    """What a request asks of a model: how many classes (None: as many as usual), and by when."""

    exchange: Exchange
    deadline: float
    k: int | None


async def classify_image(front: Front, data: bytes, model: ModelInfo, question: Question) -> bytes:
    """The body of `ClassifyAnswer`."""
    exchange = question.exchange
    prepared = await front.prepare(data, (model,), exchange, question.deadline)
    answer, ending = await _answer(front, prepared, model, question)
    exchange.endings.append(ending)
    return _encode(answer, exchange.stages, ending)


async def compare_image(
    front: Front, data: bytes, models: Sequence[ModelInfo], question: Question
) -> bytes:
    """The body of `CompareAnswer`. A model that fails leaves its error in its place; when all
    fail, the first error is raised."""
    exchange = question.exchange
    prepared = await front.prepare(data, models, exchange, question.deadline)
    results: list[bytes] = []
    errors: list[StrideError] = []
    for model in models:
        try:
            answer, ending = await _answer(front, prepared, model, question)
            results.append(_encode(answer, exchange.stages, ending))
        except StrideError as error:
            ending = Ending(model.id, outcome_of(error.status), {})
            errors.append(error)
            results.append(orjson.dumps({"model": model.id, "error": str(error)}))
        exchange.endings.append(ending)
    if len(errors) == len(models):
        raise errors[0]
    return b'{"results":[' + b",".join(results) + b"]}"


async def _answer(
    front: Front, prepared: Prepared, model: ModelInfo, question: Question
) -> tuple[dict[str, Any], Ending]:
    spec, manifest = model.manifest.input, model.manifest
    answer = await front.ask(model, prepared.pixels[spec], question.deadline)
    started = time.perf_counter()
    best, likely = most_likely(answer.logits[0], check_k(question.k, model))
    predictions = [
        {"label": manifest.labels[index], "index": index, "probability": probability}
        for index, probability in zip(best, likely, strict=True)
    ]
    stages = {
        "resize": prepared.resize[spec],
        "queue": answer.queue,
        "inference": answer.inference,
        "respond": time.perf_counter() - started,
    }
    content = {
        "model": model.id,
        "trained": manifest.weights.trained,
        "predictions": predictions,
    }
    ending = Ending(model.id, "ok", stages)
    if question.exchange.trace is not None:
        ending.resizing, ending.responding = prepared.resizing(spec), started
        ending.arrived, ending.batch = answer.arrived, answer.batch
    return content, ending


def _encode(answer: dict[str, Any], shared: Mapping[str, float], ending: Ending) -> bytes:
    """`respond` counts this encoding in the metrics and the header; the body cannot."""
    started = time.perf_counter()
    body = orjson.dumps(answer | {"timings": rounded({**shared, **ending.stages})})
    ending.stages["respond"] += time.perf_counter() - started
    return body
