"""Networks against one another at the same batch size and precision: whether fewer operations are
less time on a GPU, and how much of its arithmetic each network reaches."""

from collections.abc import Iterator
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn

from benchmarks.gpu.device import Call, free
from benchmarks.gpu.floor import floor, work
from benchmarks.gpu.step import Context, Step
from benchmarks.gpu.timing import Blocks, calling, interleaved
from benchmarks.gpu.ways import EAGER, RECORDED, inferring
from inference.torch_arithmetic import DTYPES, refuse_short_cuts
from inference.torch_cudagraph_engine import RecordedNetwork
from inference.torch_transfer import Network
from measuring.latencies import Latencies
from measuring.machine import fingerprint
from measuring.record import Measurement, Scalar, now
from models import WEIGHTS, create

NAME = "gpu-claims"
_RECORDED_UP_TO = 32
_SETTLED_ON = 16  # pictures that BatchNorms take their statistics from
_SETTLED_BYTES = 1 << 24  # of float32 input at most: large pictures are fewer


def steps(context: Context) -> list[Step]:
    """By batch size, the one that GPUs are sold by first."""
    scale = context.scale
    precisions = [each for each in scale.precisions if each != "bf16"]
    order = sorted(product(scale.few, precisions), key=lambda pair: -pair[0])
    return [
        Step("claims", f"{precision} batch {batch}", partial(_time, precision, batch))
        for batch, precision in order
    ]


def _time(precision: str, batch: int, context: Context) -> Iterator[list[Measurement]]:
    refuse_short_cuts()
    networks = dict.fromkeys((*context.scale.networks, *context.scale.contenders))
    calls: dict[tuple[str, str], Call] = {}
    for name in networks:
        network = settled(name, _size(name, context), context.device)
        network.to(DTYPES[precision]).to(memory_format=torch.channels_last)  # type: ignore[call-overload,index]
        inputs = _pictures(batch, _size(name, context), precision, context)
        calls[name, EAGER] = calling(inferring(network), inputs)
        if context.device == "cuda" and batch <= _RECORDED_UP_TO:
            recorded: Network = RecordedNetwork(network)
            calls[name, RECORDED] = calling(inferring(recorded), inputs)
    plan = Blocks(context.scale.blocks, context.scale.visit, context.device)
    found = interleaved({"|".join(key): call for key, call in calls.items()}, plan)
    yield [
        _measured(name, way, precision, batch, found[f"{name}|{way}"], context)
        for name, way in calls
    ]
    calls.clear()
    free(context.device)


def settled(name: str, size: int, device: str) -> nn.Module:
    """With random weights, and BatchNorms that keep signals from dying on the way: a network full
    of zeros would run faster than it should."""
    torch.manual_seed(0)
    network = create(name).to(device)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # the statistics become those of the pictures
    count = min(_SETTLED_ON, max(2, _SETTLED_BYTES // (12 * size * size)))
    with torch.no_grad():
        network.train()(torch.randn(count, 3, size, size, device=device))
    return network.eval()


def _size(name: str, context: Context) -> int:
    return context.scale.size or WEIGHTS[name].input_spec.size


def _pictures(batch: int, size: int, precision: str, context: Context) -> list[Tensor]:
    """Two batches of normalised pictures in the layout that convolutions want."""
    shape = (batch, 3, size, size)
    dtype = DTYPES[precision]  # type: ignore[index]
    return [
        torch.randn(shape, device=context.device)
        .to(dtype)
        .contiguous(memory_format=torch.channels_last)
        for _ in range(2)
    ]


def _measured(
    network: str, way: str, precision: str, batch: int, taken: Latencies, context: Context
) -> Measurement:
    todo = work(network, _size(network, context), batch=batch, precision=precision)
    least = floor(todo, context.journal, device=context.device, precision=precision)
    settings: dict[str, Scalar] = {
        "network": network,
        "precision": precision,
        "device": context.device,
        "way": way,
        "batch": batch,
        "operations": todo.operations,
        "floor": least.seconds if least else None,
        "floor_bound": least.bound if least else None,
    }
    return Measurement(NAME, settings, taken, fingerprint(), now())
