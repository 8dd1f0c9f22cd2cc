"""A network's weights as safetensors: with its name in the manifest, all that PyTorch needs."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn


def write_torch(path: Path, network: nn.Module, dtype: torch.dtype) -> None:
    """Write the state under its published keys, numbers with a fraction in `dtype`; the prelude is
    rebuilt from the manifest."""
    state = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    save_file({key: _in(tensor, dtype).contiguous() for key, tensor in state.items()}, path)


def _in(tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    return tensor.to(dtype) if tensor.is_floating_point() else tensor
