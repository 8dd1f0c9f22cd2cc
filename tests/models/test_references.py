"""ResNet, EfficientNet and RegNet against torchvision's published figures and answers."""

from collections.abc import Callable
from typing import Protocol

import pytest
import torch
from torch import nn

from models.efficientnet import (
    MBConv,
    Stage,
    efficientnet_b0,
    efficientnet_b5,
    scaled_channels,
)
from models.regnet import (
    X_8GF,
    X_400MF,
    Y_400MF,
    Y_800MF,
    Design,
    regnet_x_8gf,
    regnet_x_400mf,
    regnet_y_400mf,
    regnet_y_800mf,
    stages,
)
from models.resnet import resnet18, resnet50

# Parameters, GMACs and the image size they are counted at: torchvision's own metadata, which
# counts the multiplications of convolutions (those of squeeze and excitation included) and of
# linear layers, and nothing else.
PUBLISHED = {
    "resnet18": (resnet18, 11_689_512, 1.814, 224),
    "resnet50": (resnet50, 25_557_032, 4.089, 224),
    "efficientnet_b0": (efficientnet_b0, 5_288_548, 0.386, 224),
    "efficientnet_b5": (efficientnet_b5, 30_389_784, 10.266, 456),
    "regnet_x_400mf": (regnet_x_400mf, 5_495_976, 0.414, 224),
    "regnet_x_8gf": (regnet_x_8gf, 39_572_648, 7.995, 224),
    "regnet_y_400mf": (regnet_y_400mf, 4_344_144, 0.402, 224),
    "regnet_y_800mf": (regnet_y_800mf, 6_432_512, 0.834, 224),
}
each = pytest.mark.parametrize("name", PUBLISHED)


class Counted(Protocol):
    @property
    def macs(self) -> int: ...


Count = Callable[[nn.Module, tuple[int, ...]], Counted]


@each
def test_network_answers_as_torchvision(
    name: str, assert_golden: Callable[[str, nn.Module], None]
) -> None:
    create = PUBLISHED[name][0]

    assert_golden(name, create())


@each
def test_network_has_the_published_parameters(name: str) -> None:
    create, parameters, _, _ = PUBLISHED[name]

    with torch.device("meta"):
        network = create()

    assert sum(tensor.numel() for tensor in network.parameters()) == parameters


@each
def test_network_has_the_published_macs(name: str, count: Count) -> None:
    create, _, gmacs, size = PUBLISHED[name]
    with torch.device("meta"):
        network = create().eval()

    counted = count(network, (1, 3, size, size))

    assert round(counted.macs / 1e9, 3) == gmacs


@each
def test_network_takes_any_batch_size_and_class_count(name: str) -> None:
    create = PUBLISHED[name][0]
    with torch.device("meta"):
        network = create(num_classes=7).eval()

    logits = network(torch.empty(5, 3, 75, 96, device="meta"))

    assert logits.shape == (5, 7)


@each
def test_network_answers_each_image_alone(name: str) -> None:
    torch.manual_seed(0)
    network = PUBLISHED[name][0](num_classes=3).double().eval()
    images = torch.randn(2, 3, 64, 64, dtype=torch.float64)

    with torch.inference_mode():
        together = network(images)
        alone = torch.cat([network(image.unsqueeze(0)) for image in images])

    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("create", "constants"),
    [
        pytest.param(efficientnet_b0, (1e-5, 0.1), id="b0-has-the-defaults"),
        pytest.param(efficientnet_b5, (1e-3, 0.01), id="b5-has-those-of-tensorflow"),
    ],
)
def test_efficientnet_batch_norm_has_the_constants_of_its_weights(
    create: Callable[[], nn.Module], constants: tuple[float, float]
) -> None:
    with torch.device("meta"):
        network = create()

    found = {(m.eps, m.momentum) for m in network.modules() if isinstance(m, nn.BatchNorm2d)}

    assert found == {constants}


def test_mbconv_that_halves_the_map_has_no_residual() -> None:
    stage = Stage(expansion=2, kernel=3, stride=2, channels=16, depth=1)

    outputs = MBConv(stage, 16, 16, stride=2)(torch.randn(2, 16, 8, 8))

    assert outputs.shape == (2, 16, 4, 4)


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [
        pytest.param(32, 1.0, 32, id="unscaled"),
        pytest.param(24, 1.6, 40, id="38.4-rounds-up"),
        pytest.param(112, 1.6, 176, id="179.2-rounds-down"),
        pytest.param(16, 0.7, 16, id="11.2-would-lose-more-than-a-tenth-at-8"),
        pytest.param(8, 0.1, 8, id="never-below-8"),
    ],
)
def test_scaled_channels_are_multiples_of_eight(channels: int, width: float, expected: int) -> None:
    assert scaled_channels(channels, width) == expected


@pytest.mark.parametrize(
    ("design", "depths", "widths"),
    [
        pytest.param(X_400MF, (1, 2, 7, 12), (32, 64, 160, 400), id="x-400mf"),
        pytest.param(X_8GF, (2, 5, 15, 1), (80, 240, 720, 1920), id="x-8gf"),
        pytest.param(Y_400MF, (1, 3, 6, 6), (48, 104, 208, 440), id="y-400mf"),
        pytest.param(Y_800MF, (1, 3, 8, 2), (64, 144, 320, 784), id="y-800mf"),
    ],
)
def test_regnet_stages_follow_from_the_design(
    design: Design, depths: tuple[int, ...], widths: tuple[int, ...]
) -> None:
    found = stages(design)

    assert tuple(stage.depth for stage in found) == depths
    assert tuple(stage.width for stage in found) == widths
    assert all(stage.width % stage.group_width == 0 for stage in found)


def test_regnet_group_is_no_wider_than_its_stage() -> None:
    assert stages(X_8GF)[0].group_width == 80
    assert stages(X_8GF)[1].group_width == 120
