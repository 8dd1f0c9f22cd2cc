"""The MobileNets against published figures and independent implementations' answers."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from models.catalog import create
from models.cost import cost
from models.mobilenet_v4 import Conv, MobileNetV4, Universal, UniversalInvertedBottleneck

# Parameters, and MACs by image size: timm's and torchvision's networks, counted independently.
PUBLISHED = {
    "mobilenet_v1": (4_231_976, {224: 568_740_352}),
    "mobilenet_v2": (3_504_872, {224: 300_774_272}),
    "mobilenet_v3_small": (2_542_856, {224: 56_510_400}),
    "mobilenet_v3_large": (5_483_032, {224: 216_589_760}),
    "mobilenet_v4_conv_small": (3_774_024, {224: 186_005_568, 256: 242_178_048}),
    "mobilenet_v4_conv_medium": (9_715_512, {224: 827_649_984, 256: 1_080_244_224}),
}
each = pytest.mark.parametrize("name", PUBLISHED)


@each
def test_mobilenet_costs_what_is_published(name: str) -> None:
    parameters, macs = PUBLISHED[name]
    with torch.device("meta"):
        network = create(name)

    assert sum(tensor.numel() for tensor in network.parameters()) == parameters
    assert {size: cost(network, size).macs for size in macs} == macs
    assert cost(network, 224).parameters == parameters


@each
def test_mobilenet_answers_as_the_published_implementation(
    name: str, assert_golden: Callable[[str, nn.Module], None]
) -> None:
    assert_golden(name, create(name))


@each
@pytest.mark.parametrize("size", [32, 48, 75])
def test_mobilenet_takes_other_sizes_and_class_counts(name: str, size: int) -> None:
    with torch.device("meta"):
        network = create(name, num_classes=7).eval()

    logits = network(torch.empty(3, 3, size, size, device="meta"))

    assert logits.shape == (3, 7)


@each
def test_mobilenet_answers_each_image_alone(name: str) -> None:
    torch.manual_seed(0)
    network = create(name, num_classes=3).double().eval()
    images = torch.randn(2, 3, 48, 48, dtype=torch.float64)

    with torch.inference_mode():
        together = network(images)
        alone = torch.cat([network(image.unsqueeze(0)) for image in images])

    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "constants"),
    [
        pytest.param("mobilenet_v1", (1e-5, 0.1), id="v1"),
        pytest.param("mobilenet_v2", (1e-5, 0.1), id="v2"),
        pytest.param("mobilenet_v3_small", (1e-3, 0.01), id="v3-has-those-of-tensorflow"),
        pytest.param("mobilenet_v4_conv_small", (1e-5, 0.1), id="v4"),
    ],
)
def test_mobilenet_batch_norm_has_the_constants_of_its_weights(
    name: str, constants: tuple[float, float]
) -> None:
    with torch.device("meta"):
        network = create(name)

    found = {(m.eps, m.momentum) for m in network.modules() if isinstance(m, nn.BatchNorm2d)}

    assert found == {constants}


def test_mobilenet_v1_has_no_convolution_after_its_blocks() -> None:
    with torch.device("meta"):
        network = create("mobilenet_v1")

    assert not [key for key in network.state_dict() if key.startswith("conv_head")]
    assert network.state_dict()["classifier.weight"].shape == (1000, 1024)


@pytest.mark.parametrize(
    ("row", "strides"),
    [
        pytest.param(Universal(3, 5, 16, 2, stride=2), (1, 2), id="both-the-second-strides"),
        pytest.param(Universal(3, 0, 16, 2, stride=2), (2,), id="one-strides"),
        pytest.param(Universal(0, 3, 16, 2, stride=2), (2,), id="inverted-bottleneck"),
        pytest.param(Universal(0, 0, 16, 2), (), id="feed-forward"),
    ],
)
def test_universal_bottleneck_strides_in_its_last_depthwise_convolution(
    row: Universal, strides: tuple[int, ...]
) -> None:
    block = UniversalInvertedBottleneck(8, row)

    convolutions = [m for m in block.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]

    assert tuple(m.stride[0] for m in convolutions) == strides


def test_universal_bottleneck_does_not_activate_its_first_convolution() -> None:
    block = UniversalInvertedBottleneck(8, Universal(3, 3, 8, 2))

    activated = {
        name: any(isinstance(m, nn.ReLU) for m in part.modules())
        for name, part in block.named_children()
    }

    assert activated == {"dw_start": False, "pw_exp": True, "dw_mid": True, "pw_proj": False}


def test_mobilenet_v4_costs_one_pixel_in_its_head() -> None:
    network = MobileNetV4(((Conv(1, 960),),), num_classes=10)

    layers = {layer.name: layer for layer in cost(network, 64).layers}

    assert layers["conv_head"].macs == 960 * 1280
