"""Known answers: what each published implementation computes from weights made by a formula,
and a count of the work of convolutions that shares no line with the cost model.

`data/NAME.json` holds facts only: the digest of the state dict's keys and shapes, and the first
logits that the implementation named in it gave in float64. The formula uses NumPy's RandomState,
whose streams are frozen, so the files stay true.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.operators import ChannelShuffle

DATA = Path(__file__).parent / "data"


@dataclass(frozen=True)
class Golden:
    """`digest`: SHA-256 of `layout(state)`; `logits`: (images, first classes) in float64."""

    implementation: str
    keys: int
    digest: str
    image_size: int
    logits: tuple[tuple[float, ...], ...]


def read_golden(name: str) -> Golden:
    return Golden(**json.loads((DATA / f"{name}.json").read_text()))


def layout(state: dict[str, Tensor]) -> str:
    """One line `key d0,d1,...` per tensor, sorted."""
    return "\n".join(sorted(f"{key} {','.join(map(str, t.shape))}" for key, t in state.items()))


def filled(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Every tensor of `state` from its key and shape alone, in float64."""
    return {key: _filled_tensor(key, tuple(tensor.shape)) for key, tensor in state.items()}


def _filled_tensor(key: str, shape: tuple[int, ...]) -> Tensor:
    stream = np.random.RandomState(crc32(key.encode()))
    if key.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if len(shape) > 1:
        bound = (6 / np.prod(shape[1:])) ** 0.5  # Keeps the variance through a ReLU.
        return torch.from_numpy(stream.uniform(-bound, bound, shape))
    if key.endswith(("running_var", "weight")):
        return torch.from_numpy(stream.uniform(0.5, 1.5, shape))
    return torch.from_numpy(stream.uniform(-0.2, 0.2, shape))


def images(size: int) -> Tensor:
    """(2, 3, size, size), float64."""
    return torch.from_numpy(np.random.RandomState(0).uniform(-2, 2, (2, 3, size, size)))


def logits_of(network: nn.Module, size: int) -> Tensor:
    """The logits of `network` for `images(size)` once the formula has filled it, in float64."""
    network = network.double().eval()
    network.load_state_dict(filled(network.state_dict()))
    with torch.inference_mode():
        logits: Tensor = network(images(size))
    return logits


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Small layers gain nothing from threads, and lose a lot where other tests run beside them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def assert_layout() -> Callable[[str, nn.Module], None]:
    """Checks the keys and shapes of a network of 1000 classes against `data/NAME.json`."""

    def check(name: str, network: nn.Module) -> None:
        golden = read_golden(name)
        lines = layout(network.state_dict())
        assert len(lines.splitlines()) == golden.keys
        assert sha256(lines.encode()).hexdigest() == golden.digest, lines

    return check


@pytest.fixture
def assert_golden(
    assert_layout: Callable[[str, nn.Module], None],
) -> Callable[[str, nn.Module], None]:
    """Checks a network of 1000 classes against `data/NAME.json`: keys, shapes and logits."""

    def check(name: str, network: nn.Module) -> None:
        assert_layout(name, network)
        golden = read_golden(name)
        logits = logits_of(network, golden.image_size).numpy()
        expected = np.array(golden.logits)
        np.testing.assert_allclose(logits[:, : expected.shape[1]], expected, rtol=1e-6, atol=0)

    return check


@dataclass(frozen=True)
class Counted:
    """Of all convolutions, linear layers and shuffles: MACs, and elements read and written once,
    weights included. Slices, concatenations, pools and sums are left out."""

    macs: int
    elements: int


@pytest.fixture
def count() -> Callable[[nn.Module, tuple[int, ...]], Counted]:
    """Counts the work of a module on one input of the given shape, without computing it."""

    def counted(module: nn.Module, shape: tuple[int, ...]) -> Counted:
        macs: list[int] = []
        elements: list[int] = []

        def record(layer: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            weight = getattr(layer, "weight", torch.empty(1, 0))
            macs.append(output.numel() * weight[0].numel())
            elements.append(args[0].numel() + output.numel() + weight.numel())

        for layer in module.to("meta").modules():
            if isinstance(layer, nn.Conv2d | nn.Linear | ChannelShuffle):
                layer.register_forward_hook(record)
        module(torch.empty(shape, device="meta"))
        return Counted(sum(macs), sum(elements))

    return counted
