"""A network's weights as safetensors: with its name in the manifest, all that PyTorch needs."""

from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from measuring.input_spec import InputSpec


def write_torch(path: Path, network: nn.Module, spec: InputSpec) -> None:  # noqa: ARG001
    """Write the state under its published keys; the prelude is rebuilt from the manifest."""
    state = {key: tensor.detach().clone() for key, tensor in network.state_dict().items()}
    save_file({key: tensor.contiguous() for key, tensor in state.items()}, path)
