"""Where a float32 graph, as a runtime computes it, departs from the network it was exported from:
layer by layer, beside the same network in float64. For files that are that graph; where rounding
made the file from it, `sensitivity.worst_layer` compares the two.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from exporters.layer_pairs import Pair, Pass, Tensors, in_dtype, open_exposed, pairs, run_network
from exporters.source import Graph32, Source
from inference.engine import Pixels
from inference.manifest import Precision
from measuring.errors import CheckError

_BATCH = 2  # pictures at once: the feature maps of all layers are held together
# Thirty times what PyTorch loses to float32 in the same place, squared: the fast convolutions of
# correct runtimes lose more than the plain ones, and the parity bound is wider still.
_SLACK = 900.0
_ROUNDING = float(np.finfo(np.float32).eps) ** 2

Errors = NDArray[np.float64]


@dataclass(frozen=True)
class Departure:
    """`told`: a clause that names the layer, or says what is to blame instead; `error`: the mean
    square of the difference there, over the variance of the exact values."""

    told: str
    error: float


def find_departure(
    source: Source, graph: Graph32, runtime: str, precision: Precision, pictures: Pixels
) -> Departure:
    """The layer of `graph` that adds most error when `runtime` runs it on the CPU in `precision`.

    Each layer is held to its float64 arithmetic on what the runtime gave it, so that errors from
    further up do not count. Giving out every layer's answer, the runtime fuses less than it did.

    Raises CheckError where the layers of graph and network do not correspond, MissingError or the
    runtime's own error if it cannot run the graph.
    """
    chain = source.chain(graph.rewrites)
    exact, rounded = in_dtype(chain, torch.float64), in_dtype(chain, torch.float32)
    layers = pairs(graph.model, run_network(exact, pictures[:1]))
    run = open_exposed(graph.model, layers, runtime, precision)
    original = source.original.logits(pictures, torch.float64)
    parts = []
    for start in range(0, len(pictures), _BATCH):
        part = slice(start, start + _BATCH)
        passes = run_network(exact, pictures[part]), run_network(rounded, pictures[part])
        parts.append(_compare(layers, passes, run(pictures[part]), original[part]))
    where = f"{runtime} on the CPU in {precision}"
    return _judge(layers, _mean(parts), graph.rewrites, where)


@dataclass(frozen=True, eq=False)
class _Compared:
    """Pairs (..., 2) of an error and of what PyTorch errs by in float32 in the same place.

    `rewritten`: the rewritten network's logits against the original's (2,); `alone`: every layer
    on what it was given (layers, 2); `behind`: all up to there, the logits last (layers + 1, 2).
    """

    rewritten: Errors
    alone: Errors
    behind: Errors


def _judge(
    layers: tuple[Pair, ...], found: _Compared, rewrites: tuple[str, ...], where: str
) -> Departure:
    if _departs(found.rewritten):
        by = ", ".join(rewrites) or "the prelude"
        told = f"the network itself answers differently, rewritten by {by}"
        return _departure(told, found.rewritten[0], "the logits'")
    alone = np.where(_departs(found.alone), found.alone[:, 0], 0.0)
    if alone.any():
        worst = int(np.argmax(alone))
        told = f"the layer that adds most error, run by {where}, is {layers[worst]}"
        return _departure(told, alone[worst], "its answer's")
    behind = _departs(found.behind)
    if not behind.any():
        told = (
            f"neither a layer nor the logits depart when {where} gives out every layer's answer: "
            "the difference lies in what the engine fuses, or on its device"
        )
        return Departure(told, float(found.behind[-1, 0]))
    first = int(np.argmax(behind))
    place = f"in front of {layers[first]}" if first < len(layers) else "after the last layer"
    told = f"run by {where}, no layer departs by itself: the difference arises {place}"
    return _departure(told, found.behind[first, 0], "the answer's")


def _departure(told: str, error: float, whose: str) -> Departure:
    return Departure(f"{told} (by {error:.2g} of {whose} variance)", float(error))


def _departs(errors: Errors) -> NDArray[np.bool_]:
    allowed = _SLACK * np.maximum(errors[..., 1], _ROUNDING)
    departs: NDArray[np.bool_] = errors[..., 0] > allowed
    return departs


def _compare(
    layers: tuple[Pair, ...],
    passes: tuple[Pass, Pass],
    given: Tensors,
    original: NDArray[np.float64],
) -> _Compared:
    """`passes`: the network in float64 and in float32; `given`: what the runtime gave."""
    exact, rounded = passes
    logits = _error(rounded.logits, exact.logits)
    rewritten = [_error(exact.logits, torch.from_numpy(original)), logits]
    alone, behind = [], []
    for layer, wide, narrow in zip(layers, exact.calls, rounded.calls, strict=True):
        read, answer = torch.tensor(given[layer.reads]), torch.tensor(given[layer.answers])
        if (tuple(read.shape), answer.shape) != (wide.read, wide.answer.shape):
            raise CheckError(
                f"{layer} maps {tuple(read.shape)} to {tuple(answer.shape)} in the graph, expected "
                f"{wide.read} to {tuple(wide.answer.shape)} as in the network"
            )
        with torch.inference_mode():
            expected, again = wide.compute(read.double()), narrow.compute(read)
        alone.append([_error(answer, expected), _error(again, expected)])
        behind.append([_error(answer, wide.answer), _error(narrow.answer, wide.answer)])
    behind.append([_error(torch.tensor(given["logits"]), exact.logits), logits])
    return _Compared(np.array(rewritten), np.array(alone), np.array(behind))


def _error(answer: Tensor, expected: Tensor) -> float:
    """Infinite for an answer that is not finite; none where nothing finite can be expected."""
    if not expected.isfinite().all():
        return 0.0
    if not answer.isfinite().all():
        return float("inf")
    power = float(expected.square().mean())
    variance = max(float(expected.var(correction=0)), 1e-12 * max(power, 1e-12))
    return float((answer.double() - expected).square().mean()) / variance


def _mean(parts: Iterable[_Compared]) -> _Compared:
    parts = list(parts)
    return _Compared(
        rewritten=np.mean([part.rewritten for part in parts], axis=0),
        alone=np.mean([part.alone for part in parts], axis=0),
        behind=np.mean([part.behind for part in parts], axis=0),
    )
