"""Claim 13: cheap pairs taught to answer as a regular 3x3 convolution of ResNet-50 does, on feature
maps of pictures they have not seen. FasterNet (arXiv 2303.03667), section 4.2 and table 2.

Without trained weights the convolution is a random one, on maps that random layers made of
pictures: a smaller question than the paper's, asked in the same way.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, mse_loss

from benchmarks.claims.evidence import FIT, Evidence, value
from benchmarks.claims.verdict import NOT_MEASURED, Finding, below, spread
from benchmarks.network_graphs import images
from measuring.latencies import latencies
from measuring.machine import Machine
from measuring.record import Measurement, Scalar, now
from models.operators import (
    DepthwiseSeparableConv,
    GroupConv,
    PartialPointwiseConv,
    PointwiseConv,
)

LAYERS = ("layer1.1.conv2", "layer2.1.conv2", "layer3.1.conv2")
PICTURES, SIZE = 32, 112
TRAINED_ON = 24  # of the pictures
PATCH = 14
STEPS, QUICK_STEPS = 300, 60
SEEDS = (0, 1, 2)
_RATE = 1e-2
_BATCH = 8
_GROUPS = 16


@dataclass(frozen=True)
class Task:
    """`weight` (c, c, 3, 3) of the convolution that is taught; `maps` (N, c, h, w) it is given."""

    layer: str
    weight: Tensor
    maps: Tensor


def students(channels: int) -> dict[str, nn.Module]:
    """The pairs of table 2, freshly drawn."""
    return {
        "depthwise": DepthwiseSeparableConv(channels, channels),
        "group": nn.Sequential(
            GroupConv(channels, channels, groups=_GROUPS), PointwiseConv(channels, channels)
        ),
        "partial": PartialPointwiseConv(channels, channels),
    }


def tasks(network: nn.Module, layers: Sequence[str] = LAYERS) -> list[Task]:
    """The network's own convolutions with what reaches them, scaled to unit variance."""
    seen: dict[str, Tensor] = {}
    for layer in layers:
        module = network.get_submodule(layer)
        module.register_forward_pre_hook(
            lambda _, given, layer=layer: seen.__setitem__(layer, given[0])
        )
    with torch.no_grad():
        network(images(PICTURES, SIZE))
    found = []
    for layer in layers:
        weight = network.get_parameter(f"{layer}.weight").detach()
        maps = seen[layer][..., :PATCH, :PATCH]
        maps = maps / maps.std()
        weight = weight / conv2d(maps, weight, padding=1).std()
        found.append(Task(layer, weight, maps))
    return found


def measure_fits(
    network: nn.Module, machine: Machine, *, trained: bool, quick: bool
) -> list[Measurement]:
    """A record for each layer, seed and pair: `mse` on unseen pictures, of the variance."""
    found = []
    for task in tasks(network, LAYERS[:1] if quick else LAYERS):
        for seed in SEEDS[: 2 if quick else None]:
            torch.manual_seed(seed)
            for name, student in students(len(task.weight)).items():
                started, clock = now(), time.perf_counter()
                error = taught(student, task, steps=QUICK_STEPS if quick else STEPS, seed=seed)
                settings: dict[str, Scalar] = {
                    "layer": task.layer, "channels": len(task.weight), "seed": seed,
                    "student": name, "mse": error, "trained": trained,
                }  # fmt: skip
                seconds = latencies([time.perf_counter() - clock])
                found.append(Measurement(FIT, settings, seconds, machine, started))
    return found


def taught(student: nn.Module, task: Task, *, steps: int, seed: int) -> float:
    """The mean squared error on the pictures that were kept apart, after `steps` of Adam."""
    answers = conv2d(task.maps, task.weight, padding=1)
    optimiser = torch.optim.Adam(student.parameters(), lr=_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    drawn = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        some = torch.randint(TRAINED_ON, (_BATCH,), generator=drawn)
        optimiser.zero_grad()
        loss = mse_loss(student(task.maps[some]), answers[some])
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        unseen = slice(TRAINED_ON, None)
        return float(mse_loss(student(task.maps[unseen]), answers[unseen]))


def approximation(evidence: Evidence) -> list[Finding]:
    """Claim 13: over the seeds, from the least to the most."""
    found = []
    names = {"depthwise": "DWConv + PWConv", "group": "GConv + PWConv"}
    layers = dict.fromkeys(
        (bool(m.settings["trained"]), str(m.settings["layer"])) for m in evidence.find(FIT)
    )
    for trained, layer in layers:
        kind = "trained" if trained else "random"
        for other, name in names.items():
            found.append(
                below(
                    f"{kind} {layer}: error of PConv + PWConv, of {name}'s",
                    spread(_ratios(evidence, layer, other, trained=trained)),
                    1.0,
                )
            )
    return found or [Finding("error", None, "below", 1.0, reason=NOT_MEASURED)]


def _ratios(evidence: Evidence, layer: str, other: str, *, trained: bool) -> list[float]:
    errors = {
        (m.settings["student"], m.settings["seed"]): value(m, "mse")
        for m in evidence.find(FIT, layer=layer, trained=trained)
    }
    both = [
        seed
        for seed in dict.fromkeys(seed for _, seed in errors)
        if ("partial", seed) in errors and (other, seed) in errors
    ]
    return [errors["partial", seed] / errors[other, seed] for seed in both]
