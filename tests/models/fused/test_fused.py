"""The kernels against the networks they stand for: through Triton's interpreter, where Triton is
installed, in float32 and against float64, so that only a wrong kernel can differ."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from torch import nn

from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from models.catalog import create
from models.fasternet import FasterNet, Variant
from models.fused import fused
from models.mobilenet_v2 import MobileNetV2
from models.pixels_in import PixelsIn
from models.shufflenet_v2 import ShuffleNetV2

SIZE, CLASSES = 32, 7
SPEC = InputSpec(size=SIZE, resize=SIZE)
ROOT = Path(__file__).parent.parent.parent.parent


def shuffled() -> nn.Module:
    """Halves of 5, 10 and 20 channels: none is a multiple of eight."""
    return ShuffleNetV2((10, 20, 40, 48), CLASSES)


def partial() -> nn.Module:
    """Quarters of 5 to 40 channels."""
    return FasterNet(Variant(20, (1, 1, 1, 1), nn.GELU), CLASSES)


def inverted() -> nn.Module:
    """The first three blocks: narrow, halving, with a shortcut; and what comes before and after."""
    network = MobileNetV2(CLASSES)
    stem, *blocks, _ = network.features
    last = nn.Sequential(nn.Conv2d(24, 40, 1, bias=False), nn.BatchNorm2d(40), nn.ReLU6())
    network.features = nn.Sequential(stem, *blocks[:3], last)
    network.classifier = nn.Sequential(nn.Dropout(0.2), nn.Linear(40, CLASSES))
    return network


NETWORKS = {"shufflenet_v2": shuffled, "fasternet": partial, "mobilenet_v2": inverted}


def trained(network: nn.Module) -> nn.Module:
    """With BatchNorms as training leaves them: no two channels alike."""
    torch.manual_seed(0)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
        pixels = torch.from_numpy(varied_pictures(16, SIZE, seed=1))
        PixelsIn(network, SPEC).train()(pixels)
    return network.eval()


def error(network: nn.Module, dtype: torch.dtype, device: str, batch: int = 2) -> float:
    """Of the fused network, as a share of the answers' norm."""
    pixels = torch.from_numpy(varied_pictures(batch, SIZE, seed=2))
    made = fused(network, SPEC, dtype)
    assert made is not None
    with torch.inference_mode():
        answers = made.to(device)(pixels.to(device)).cpu().double()
        exact = PixelsIn(network.double(), SPEC, dtype=torch.float64)(pixels)
    return float((answers - exact).norm() / exact.norm())


def test_network_or_type_without_kernels_has_no_fused_form() -> None:
    assert fused(create("resnet18", CLASSES), SPEC, torch.float16) is None
    assert fused(partial(), SPEC, torch.float64) is None


@pytest.mark.skipif(find_spec("triton") is None, reason="needs Triton")
def test_kernels_compute_what_the_networks_do() -> None:
    """Triton interprets all kernels of a process or none: in one of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.fused.test_fused"],
        cwd=ROOT, env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    errors = dict(line.split() for line in done.stdout.splitlines())
    assert set(errors) == set(NETWORKS)
    assert all(float(found) < 1e-4 for found in errors.values()), errors


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("batch", [1, 3, 33])
def test_fused_answers_as_float64_on_a_gpu(name: str, batch: int) -> None:
    """Held to what PyTorch itself loses to rounding in float16."""
    network = trained(NETWORKS[name]())
    assert error(network, torch.float16, "cuda", batch) < 0.05


if __name__ == "__main__":
    import models.fused.build

    models.fused.build.DTYPES = (torch.float32,)  # type: ignore[assignment]
    for _name, _make in NETWORKS.items():
        print(_name, error(trained(_make()), torch.float32, "cpu"))  # noqa: T201
