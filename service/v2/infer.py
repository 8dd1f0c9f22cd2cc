"""POST /v2/models/{model}/infer: from the body to the core and back to an answer."""

import asyncio
import time
from typing import NamedTuple

from fastapi import Request, Response

from inference.engine import Pixels
from measuring.errors import InputError
from service.errors import BadRequestError, CodingError, DeadlineError, RefusedError
from service.exchange import Ending, Exchange, Preparing, exchange_of, outcome_of
from service.front import Front, error_of
from service.replies import Encoded
from service.seam import Answer, ModelInfo
from service.v2.addressing import named_model
from service.v2.request import InferRequest, parse
from service.v2.response import InferAnswer, render
from service.v2.signature import Signature, Signatures

LENGTH = "Inference-Header-Content-Length"
"""Bytes of JSON at the front of a body that goes on with binary data."""

_LENGTH_KEY = LENGTH.lower().encode()
_JSON, _BINARY = b"application/json", b"application/octet-stream"


class Call(NamedTuple):
    """Whom a request is for, what that model takes, and by when the answer must be there."""

    model: ModelInfo
    takes: Signature
    exchange: Exchange
    deadline: float


async def infer(front: Front, signatures: Signatures, request: Request) -> Response:
    """Raises the service's errors with the statuses that Triton has for them."""
    exchange = exchange_of(request)
    try:
        with front.admission.visit(exchange.task):
            model = named_model(front, request)
            exchange.models = [model.id]
            takes, deadline = signatures.of(model), front.deadline(exchange)
            call = Call(model, takes, exchange, deadline)
            reading = front.bodies.body(request, deadline)
            async with reading as body:
                asked = parse(body, _header_length(exchange, len(body)), takes)
                if asked.images:
                    reading.copied(sum(len(image) for image in asked.images if image is not body))
                exchange.received()
                with front.admission.slot:
                    answer = await _answer(front, asked, call)
            return _response(answer)
    except CodingError:
        raise
    except InputError as error:
        if error.status in {413, 415, 422}:
            raise BadRequestError(str(error)) from error
        raise
    except DeadlineError as error:
        ended = outcome_of(error.status)
        exchange.endings = [Ending(model, ended, {}) for model in exchange.models]
        raise RefusedError(f"Request timeout expired: {error}", retry_after=1.0) from error


async def _answer(front: Front, asked: InferRequest, call: Call) -> InferAnswer:
    deadline = call.deadline
    if asked.timeout is not None:
        deadline = min(deadline, call.exchange.started + asked.timeout)
    pixels = asked.pixels
    if pixels is None:
        pixels = await _decoded(front, asked, call, deadline)
    outcome = await front.core.submit(
        call.model.id, pixels, deadline=deadline, priority=asked.priority
    )
    if not isinstance(outcome, Answer):
        raise error_of(outcome)
    started = time.perf_counter()
    answer = render(outcome.logits, asked, call.takes)
    stages = {
        "queue": outcome.queue,
        "inference": outcome.inference,
        "respond": time.perf_counter() - started,
    }
    ending = Ending(call.model.id, "ok", stages)
    if call.exchange.trace is not None:
        ending.arrived, ending.batch, ending.responding = outcome.arrived, outcome.batch, started
    call.exchange.endings.append(ending)
    return answer


async def _decoded(front: Front, asked: InferRequest, call: Call, deadline: float) -> Pixels:
    """(N, size, size, 3); the stages are the sums over all pictures."""
    spec = call.model.manifest.input
    try:
        async with asyncio.timeout(max(0.0, deadline - time.perf_counter())):
            prepared = await front.decoder.prepare_many(
                asked.images, spec, deadline=deadline, priority=asked.priority
            )
    except TimeoutError as error:
        raise DeadlineError("the deadline passed while the images were decoded") from error
    call.exchange.stages["decode"] = prepared.decode
    call.exchange.stages["resize"] = prepared.resize
    if call.exchange.trace is not None:
        images = len(asked.images)
        call.exchange.preparing = Preparing(images, prepared.started, prepared.ended)
    return prepared.pixels


def _header_length(exchange: Exchange, size: int) -> int | None:
    received = exchange.headers.get(_LENGTH_KEY)
    if received is None:
        return None
    if received.isdigit() and len(received) < 20:
        return int(received)
    raise BadRequestError(
        f"inference header size should be in range (0, {size}), got: "
        f"{received[:40].decode('latin-1')!r}; {LENGTH} is the number of bytes of the JSON"
    )


def _response(answer: InferAnswer) -> Response:
    if answer.tensor is None:
        return Encoded(answer.document, _JSON)
    length = (_LENGTH_KEY, b"%d" % len(answer.document))
    return Encoded(answer.document + answer.tensor, _BINARY, length)
