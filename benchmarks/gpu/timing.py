"""Times calls on a device in interleaved blocks, on inputs that take turns."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu.device import Call, seconds_of, synchronise
from inference.engine import Pixels
from measuring.latencies import Latencies, latencies

_MOST_CALLS = 500


@dataclass(frozen=True)
class Blocks:
    """`blocks` blocks visit every call once in a drawn order, for about `visit` seconds each."""

    blocks: int
    visit: float
    device: str
    seed: int = 0


def interleaved(calls: Mapping[str, Call], plan: Blocks) -> dict[str, Latencies]:
    """Seconds of one call, a sample for each visit: calls in a row, as a busy device gets them."""
    names = list(calls)
    repeats = {name: _repeats(calls[name], plan) for name in names}
    samples: dict[str, list[float]] = {name: [] for name in names}
    rng = np.random.Generator(np.random.PCG64(plan.seed))
    for _ in range(plan.blocks):
        for index in rng.permutation(len(names)):
            name = names[index]
            calls[name]()  # refills the caches that the one before has emptied
            samples[name].append(seconds_of(calls[name], repeats[name], device=plan.device))
    blocks = list(range(plan.blocks))
    return {name: latencies(found, blocks=blocks) for name, found in samples.items()}


def _repeats(call: Call, plan: Blocks) -> int:
    """How many calls fill a visit, after two that prepare."""
    call()
    call()
    synchronise(plan.device)
    once = seconds_of(call, 3, device=plan.device)
    return min(_MOST_CALLS, max(1, math.ceil(plan.visit / max(once, 1e-7))))


def in_turn(inputs: "list[Tensor] | list[Pixels]") -> Callable[[], "Tensor | Pixels"]:
    """Each call gives the next input, for ever."""
    numbers = count()
    return lambda: inputs[next(numbers) % len(inputs)]


def random_pictures(batch: int, size: int, *, rotated: int, device: str) -> list[Tensor]:
    """Batches (N, size, size, 3) of random bytes on the device, `rotated` bytes or more together
    and two at least."""
    times = max(2, math.ceil(rotated / (batch * size * size * 3)))
    generator = torch.Generator(device).manual_seed(batch)
    shape = (times, batch, size, size, 3)
    pool = torch.randint(0, 256, shape, dtype=torch.uint8, device=device, generator=generator)
    return list(pool)


def on_host(pictures: list[Tensor]) -> list[Pixels]:
    """The same bytes where a service has them."""
    return [batch.cpu().numpy() for batch in pictures]


def calling(function: Callable[..., object], inputs: "list[Tensor] | list[Pixels]") -> Call:
    """The function, on the next input each time."""
    following = in_turn(inputs)
    return partial(_call, function, following)


def _call(function: Callable[..., object], following: Callable[[], object]) -> None:
    function(following())
