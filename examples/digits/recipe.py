"""How a network learns the digits in half a minute on one core."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pictures import INPUT_SPEC
from torch import Tensor, nn
from torch.nn import functional

_PART = 128  # pictures at once where nothing is learnt

Report = Callable[[int, int, float], None]
"""Told after each step: steps done, steps in all, loss."""


@dataclass(frozen=True)
class Recipe:
    """AdamW under a one-cycle schedule whose peak is `rate`; `shift`, `stretch` and `shear` as a
    part of the picture, `turn` in degrees, each drawn evenly from -x to x per picture."""

    epochs: int = 15
    batch: int = 64
    rate: float = 6e-3
    weight_decay: float = 0.05
    smoothing: float = 0.1
    shift: float = 0.075
    stretch: float = 0.12
    shear: float = 0.15
    turn: float = 12.0


def train(
    network: nn.Module,
    pixels: NDArray[np.uint8],
    labels: NDArray[np.int64],
    *,
    recipe: Recipe,
    generator: torch.Generator,
    report: Report,
) -> None:
    """Teach `network` pictures (N, H, W, 3) and leave it in eval mode."""
    images, digits = normalised(pixels), torch.from_numpy(labels)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # not in its stub
    network.train()
    steps = recipe.epochs * (len(images) // recipe.batch)
    optimizer = _optimizer(network, recipe)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, recipe.rate, total_steps=steps, pct_start=0.25
    )
    for step, chosen in enumerate(_batches(len(images), steps, recipe, generator), 1):
        logits = network(distorted(images[chosen], recipe, generator))
        loss = functional.cross_entropy(logits, digits[chosen], label_smoothing=recipe.smoothing)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        report(step, steps, loss.item())
    _settle_batch_norm(network, images, recipe, generator)
    network.eval()


def top1(network: nn.Module, pixels: NDArray[np.uint8], labels: NDArray[np.int64]) -> float:
    """The share of pictures that a network in eval mode answers rightly."""
    with torch.inference_mode():
        answers = [network(images).argmax(1) for images in _parts(normalised(pixels))]
    return float((torch.cat(answers).numpy() == labels).mean())


def normalised(pixels: NDArray[np.uint8]) -> Tensor:
    """(N, H, W, 3) bytes to (N, 3, H, W), as the exported graph does it."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (INPUT_SPEC.mean, INPUT_SPEC.std))
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    return _channels_last((images / 255.0 - mean) / std)


def distorted(images: Tensor, recipe: Recipe, generator: torch.Generator) -> Tensor:
    """Each picture a little shifted, stretched, sheared and turned, every one differently."""

    def drawn(limit: float, *shape: int) -> Tensor:
        return (2.0 * torch.rand(len(images), *shape, generator=generator) - 1.0) * limit

    angle = drawn(math.radians(recipe.turn))
    width, height = (1.0 + drawn(recipe.stretch, 2)).unbind(1)
    across, down = drawn(2.0 * recipe.shift, 2).unbind(1)  # the grid goes from -1 to 1
    shear = drawn(recipe.shear)
    first = torch.stack([angle.cos() * width, shear - angle.sin() * width, across], 1)
    second = torch.stack([angle.sin() * height, angle.cos() * height, down], 1)
    grid = functional.affine_grid(
        torch.stack([first, second], 1), list(images.shape), align_corners=False
    )
    # One channel is enough: the pictures are grey.
    moved = functional.grid_sample(images[:, :1], grid, padding_mode="border", align_corners=False)
    return _channels_last(moved.expand(-1, 3, -1, -1))


def _optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Kernels decay; biases and BatchNorm's scales do not."""
    kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups = [
        {"params": kernels, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.rate)


def _batches(
    count: int, steps: int, recipe: Recipe, generator: torch.Generator
) -> Iterator[Tensor]:
    """Each picture once per epoch, but for the few that fill no batch."""
    per_epoch = count // recipe.batch
    for _ in range(steps // per_epoch):
        mixed = torch.randperm(count, generator=generator)
        for first in range(0, per_epoch * recipe.batch, recipe.batch):
            yield mixed[first : first + recipe.batch]


@torch.no_grad()
def _settle_batch_norm(
    network: nn.Module, images: Tensor, recipe: Recipe, generator: torch.Generator
) -> None:
    """Take the statistics anew with the final weights: a training this short leaves those of
    networks with slow averages behind."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all batches
    for batch in _parts(images):
        network(distorted(batch, recipe, generator))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _parts(images: Tensor) -> Iterator[Tensor]:
    return (images[first : first + _PART] for first in range(0, len(images), _PART))


def _channels_last(images: Tensor) -> Tensor:
    return images.contiguous(memory_format=torch.channels_last)
