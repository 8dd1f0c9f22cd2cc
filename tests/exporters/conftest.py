"""A network that exports in seconds and has every kind of layer the families are made of."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from measuring.input_spec import InputSpec
from models import Loaded


class TinyNetwork(nn.Module):
    """(N, 3, 16, 16) to six logits: a stem, a partial convolution with shortcut, a classifier."""

    def __init__(self, classes: int = 6) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8))
        self.partial = nn.Conv2d(2, 2, 3, padding=1, bias=False)
        self.wide = nn.Sequential(nn.Conv2d(8, 16, 1), nn.BatchNorm2d(16), nn.GELU())
        self.narrow = nn.Conv2d(16, 8, 1, bias=False)
        self.hidden = nn.Sequential(nn.Linear(8, 12), nn.BatchNorm1d(12), nn.ReLU())
        self.head = nn.Linear(12, classes)

    def forward(self, images: Tensor) -> Tensor:
        features = self.stem(images)
        mixed, untouched = torch.split(features, [2, 6], dim=1)
        mixed = torch.cat((self.partial(mixed), untouched), dim=1)
        features = features + self.narrow(self.wide(mixed))
        logits: Tensor = self.head(self.hidden(features.mean(dim=(2, 3))))
        return logits


def vary_batch_norms(network: nn.Module, seed: int) -> None:
    """Statistics as training leaves them: no two channels alike."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.2, generator=generator)
            module.running_var.uniform_(0.3, 2.0, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0.0, 0.3, generator=generator)


def make_tiny_network() -> nn.Module:
    torch.manual_seed(0)
    network = TinyNetwork()
    vary_batch_norms(network, 1)
    return network.eval()


@pytest.fixture(scope="session")
def vary() -> Callable[[nn.Module, int], None]:
    return vary_batch_norms


@pytest.fixture(scope="session")
def make_tiny() -> Callable[[], nn.Module]:
    return make_tiny_network


@pytest.fixture
def tiny_network() -> nn.Module:
    return make_tiny_network()


@pytest.fixture(scope="session")
def load_as() -> Callable[..., Loaded]:
    """`load_as(network, size, classes)`: as `models.load` would give it, untrained."""

    def load(network: nn.Module, size: int, classes: int, sha256: str = "a" * 64) -> Loaded:
        return Loaded(
            network=network,
            input_spec=InputSpec(size=size, resize=size + 2),
            labels=tuple(f"class {index}" for index in range(classes)),
            source="untrained",
            sha256=sha256,
            trained=False,
            licence=None,
            published_top1=None,
            input_spec_source="given",
        )

    return load
