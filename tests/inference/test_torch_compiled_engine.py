"""What compiling many networks in one process does, with a backend that writes no kernels."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.testing import CompileCounter

from inference.torch_compiled_engine import compiled

MORE_THAN_PYTORCH_KEEPS = 6


class Doubling(nn.Module):
    """One code object, whatever is inside, as all networks of the artifacts have."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.layer(2.0 * pixels)
        return logits


def test_every_network_of_a_process_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    graphs = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=graphs))
    for width in range(1, MORE_THAN_PYTORCH_KEEPS + 1):
        network = Doubling(width).eval()
        run = compiled(network)
        with torch.inference_mode():
            for batch in (1, 2, 5):
                pixels = torch.randn(batch, width)
                torch.testing.assert_close(run(pixels), network(pixels))
        assert graphs.frame_count == 2 * width, "one picture, and any number more"


def test_instances_of_one_network_share_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    torch._dynamo.reset()
    graphs = CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=graphs))
    pixels = torch.randn(4, 21)
    for _ in range(3):
        network = Doubling(21).eval()
        with torch.inference_mode():
            torch.testing.assert_close(compiled(network)(pixels), network(pixels))
    assert graphs.frame_count == 1
