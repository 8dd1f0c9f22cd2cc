"""Training sees what the exported graph sees, moves it a little, and leaves nothing to chance."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from measuring.pictures import varied_pictures
from models.pixels_in import PixelsIn

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "digits"
STILL = {"shift": 0.0, "stretch": 0.0, "shear": 0.0, "turn": 0.0}


@pytest.fixture
def recipe(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The example's own module; a script's neighbours are found beside it."""
    monkeypatch.syspath_prepend(str(EXAMPLE))
    return import_module("recipe")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(count: int) -> Any:
    return np.repeat(varied_pictures(count, 32, 0)[..., :1], 3, axis=-1)


def test_normalised_is_what_the_exported_graph_computes(recipe: Any) -> None:
    pixels = varied_pictures(4, 32, 0)
    graph = PixelsIn(nn.Identity(), recipe.INPUT_SPEC)

    torch.testing.assert_close(
        recipe.normalised(pixels), graph(torch.from_numpy(pixels)), rtol=0.0, atol=1e-5
    )


def test_distorted_without_distortion_changes_nothing(recipe: Any) -> None:
    images = recipe.normalised(grey(4))

    moved = recipe.distorted(images, recipe.Recipe(**STILL), seeded())

    torch.testing.assert_close(moved, images, rtol=0.0, atol=1e-4)


def test_distorted_moves_each_picture_its_own_way(recipe: Any) -> None:
    images = recipe.normalised(np.repeat(grey(1), 3, axis=0))

    moved = recipe.distorted(images, recipe.Recipe(), seeded())

    assert moved.shape == images.shape
    assert not torch.allclose(moved[0], moved[1], atol=0.1)
    assert torch.equal(moved, recipe.distorted(images, recipe.Recipe(), seeded()))


def test_distorted_shifts_by_the_asked_part_of_the_picture(recipe: Any) -> None:
    pixels = np.zeros((64, 32, 32, 3), np.uint8)
    pixels[:, 16, 16] = 255
    settings = recipe.Recipe(**STILL | {"shift": 0.125})

    moved = recipe.distorted(recipe.normalised(pixels), settings, seeded())

    across = moved[:, 0].amax(1).argmax(1) - 16
    assert across.min() in (-4, -3)
    assert across.max() in (3, 4)


def test_train_is_the_same_for_the_same_seed(recipe: Any) -> None:
    def trained(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        network = nn.Sequential(nn.Conv2d(3, 4, 8, 8), nn.BatchNorm2d(4), nn.Flatten())
        network.append(nn.Linear(64, 10))
        steps: list[tuple[int, int]] = []
        recipe.train(
            network,
            grey(70),
            np.arange(70) % 10,
            recipe=recipe.Recipe(epochs=4, batch=32),
            generator=seeded(seed),
            report=lambda step, total, _: steps.append((step, total)),
        )
        assert steps == [(step, 8) for step in range(1, 9)]
        assert not network.training
        return torch.cat([parameter.flatten() for parameter in network.state_dict().values()])

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_top1_counts_right_answers(recipe: Any) -> None:
    class Brightness(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            bright = images.mean((1, 2, 3)) > 0.0
            return nn.functional.one_hot(bright.long(), 2).float()

    pixels = np.stack([np.full((8, 8, 3), value, np.uint8) for value in (0, 255, 255, 0)])

    assert recipe.top1(Brightness(), pixels, np.array([0, 1, 0, 0])) == 0.75
