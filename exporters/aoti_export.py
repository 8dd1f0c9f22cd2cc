"""A network compiled ahead of time by AOTInductor, for the machine that it is compiled on."""

import copy
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from inference.aoti_engine import facts_of
from inference.check_pixels import MAX_BATCH, MAX_BATCH_ON_GPU
from inference.torch_compiled_engine import require_compiler
from measuring.errors import CheckError, InputError
from measuring.input_spec import InputSpec

_TRACED = 2  # pictures; with one the batch would be taken for a constant


class _Packaged(nn.Module):
    """Pixels as they come, channels last, to float32 logits."""

    mean: Tensor
    scale: Tensor

    def __init__(self, network: nn.Module, spec: InputSpec, dtype: torch.dtype) -> None:
        super().__init__()
        self.network = copy.deepcopy(network).to(dtype)
        mean = torch.tensor(spec.mean, dtype=torch.float64).view(3, 1, 1)
        std = torch.tensor(spec.std, dtype=torch.float64).view(3, 1, 1)
        self.register_buffer("mean", (255.0 * mean).to(dtype))
        self.register_buffer("scale", (1.0 / (255.0 * std)).to(dtype))

    def forward(self, pixels: Tensor) -> Tensor:
        widened = pixels.permute(0, 3, 1, 2).to(self.mean.dtype)
        logits: Tensor = self.network((widened - self.mean) * self.scale)
        return logits.float()


def write_aoti(
    path: Path, network: nn.Module, spec: InputSpec, *, dtype: torch.dtype, device: str
) -> dict[str, str]:
    """Compiles `network`, images to logits, into the package `path` for any batch size, and gives
    the manifest's `bound_to`.

    Raises MissingError without a C++ compiler or the GPU, InputError for a network that cannot be
    traced, CheckError where the compilation fails.
    """
    bound_to = facts_of(device)
    require_compiler()
    packaged = _Packaged(network, spec, dtype).eval().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    packaged = packaged.to(device)
    pixels = torch.zeros(_TRACED, spec.size, spec.size, 3, dtype=torch.uint8, device=device)
    largest = MAX_BATCH_ON_GPU if device == "cuda" else MAX_BATCH
    batch = torch.export.Dim("batch", min=1, max=largest)
    # What PyTorch deprecates of itself is nobody's concern here.
    with torch.no_grad(), warnings.catch_warnings(action="ignore"):
        try:
            program = torch.export.export(packaged, (pixels,), dynamic_shapes=({0: batch},))
        except Exception as error:  # What a trace can raise shares no other base class.
            raise InputError(f"torch.export cannot trace the network: {_told(error)}") from error
        try:
            torch._inductor.aoti_compile_and_package(program, package_path=str(path))
        except Exception as error:
            raise CheckError(
                f"AOTInductor could not compile the network: {_told(error)}; expected a working "
                "C++ compiler and Python's header files, e.g. apt-get install g++ python3-dev"
            ) from error
    return bound_to


def _told(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no message'}"
