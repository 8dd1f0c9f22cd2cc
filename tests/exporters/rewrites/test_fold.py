from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from exporters.rewrites.fold import fold
from models import create

Vary = Callable[[nn.Module, int], None]


def relative_error(folded: nn.Module, network: nn.Module, images: Tensor) -> float:
    with torch.inference_mode():
        expected = network.eval()(images)
        return float((folded(images) - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("fasternet_t0", 17),
        ("mobilenet_v2", 52),
        ("shufflenet_v2_x1_0", 56),
        ("efficientnet_b0", 49),
        ("resnet18", 20),
    ],
)
def test_fold_is_exact_for_networks_of_the_catalog(name: str, folded: int, vary: Vary) -> None:
    torch.manual_seed(0)
    network = create(name, 10).double()
    vary(network, 2)
    result = fold(network)
    images = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    assert (result.folded, result.kept) == (folded, ())
    assert relative_error(result.network, network, images) <= 1e-12


def test_fold_takes_convolutions_and_linear_layers(tiny_network: nn.Module) -> None:
    network = tiny_network.double()
    result = fold(network)
    images = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    assert result.folded == 3
    assert relative_error(result.network, network, images) <= 1e-12


def test_fold_leaves_the_caller_its_network(tiny_network: nn.Module) -> None:
    tiny_network.train()
    before = {key: tensor.clone() for key, tensor in tiny_network.state_dict().items()}
    fold(tiny_network)
    assert tiny_network.training
    after = tiny_network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


class Stem(nn.Module):
    """A convolution, its BatchNorm, and what a subclass does with them."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.norm = nn.BatchNorm2d(3)


class ReadTwice(Stem):
    def forward(self, x: Tensor) -> Tensor:
        features = self.conv(x)
        result: Tensor = self.norm(features) + features
        return result


class CalledTwice(Stem):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(self.norm(self.conv(x))))
        return result


class WeightReadElsewhere(Stem):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(x)) * self.conv.weight.mean()
        return result


class NormFirst(Stem):
    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv(self.norm(x))
        return result


class BatchStatistics(Stem):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3, track_running_stats=False)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(self.conv(x))
        return result


class Untraceable(Stem):
    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.conv(x)
        return self.norm(features) if features.sum() > 0 else features


@pytest.mark.parametrize(
    "network",
    [
        pytest.param(ReadTwice(), id="read-twice"),
        pytest.param(CalledTwice(), id="called-twice"),
        pytest.param(WeightReadElsewhere(), id="weight-read-elsewhere"),
        pytest.param(NormFirst(), id="norm-first"),
        pytest.param(BatchStatistics(), id="statistics-of-the-batch"),
        pytest.param(Untraceable(), id="untraceable"),
    ],
)
def test_fold_keeps_a_norm_that_cannot_be_folded(network: Stem) -> None:
    result = fold(network)
    images = torch.randn(2, 3, 4, 4)
    assert (result.folded, result.kept) == (0, ("norm",))
    assert relative_error(result.network, network, images) == 0.0


def test_fold_without_scale_and_offset_uses_the_statistics() -> None:
    norm = nn.BatchNorm2d(4, affine=False)
    assert norm.running_var is not None
    norm.running_var.fill_(4.0)
    network = nn.Sequential(nn.Conv2d(3, 4, 1), norm).double()
    result = fold(network)
    assert result.folded == 1
    images = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    assert relative_error(result.network, network, images) <= 1e-12


def test_fold_keeps_the_precision_of_the_weights(tiny_network: nn.Module) -> None:
    result = fold(tiny_network)
    assert {parameter.dtype for parameter in result.network.parameters()} == {torch.float32}
