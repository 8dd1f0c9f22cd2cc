"""PyTorch with torch.compile: slow to open, since kernels are written and compiled for the network.

One graph serves a single picture and another as many batch sizes as its kernels hold for. Compiled
kernels are cached by PyTorch (TORCHINDUCTOR_CACHE_DIR), so the next start is faster.
"""

import os
import shutil
import sys
from types import CodeType, FunctionType

import numpy as np
import torch
from torch import Tensor, nn

from inference.artifact import Artifact
from inference.errors import RuntimeMissingError
from inference.manifest import Variant
from inference.placement import Placement
from inference.torch_engine import TorchEngine
from inference.torch_transfer import Network


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TorchEngine:
    """Compiles before it returns. Raises ArtifactError as eager PyTorch does, RuntimeMissingError
    where there is no C++ compiler or the compilation fails."""
    # Not above: compiled packages run without the networks' code.
    from inference.torch_network import open_network

    require_compiler()
    manifest = artifact.manifest
    size = manifest.input.size
    engine = TorchEngine(
        compiled(open_network(artifact, variant, placement)),
        name=f"torch-compiled {placement.device} {manifest.precision}",
        size=size,
        device=placement.device,
    )
    try:
        for batch in (1, 2):
            engine.infer(np.zeros((batch, size, size, 3), np.uint8))
    except Exception as error:  # What a compiler can raise shares no other base class.
        raise RuntimeMissingError(
            f"torch cannot compile {manifest.id} here: {_last_line(error)}; expected a working "
            "C++ compiler and Python's header files, e.g. apt-get install g++ python3-dev"
        ) from error
    return engine


def compiled(network: nn.Module) -> Network:
    """The network, compiled when it is first called: for one picture, and for any number more."""
    single = torch.compile(_apart(network), dynamic=False)
    several = torch.compile(_apart(network))

    def run(pixels: Tensor) -> Tensor:
        if len(pixels) == 1:
            alone: Tensor = single(pixels)
            return alone
        # `maybe`: a kernel may hold for a range of sizes only, and beyond it is compiled again.
        torch._dynamo.maybe_mark_dynamic(pixels, 0)
        logits: Tensor = several(pixels)
        return logits

    return run


def _apart(network: nn.Module) -> Network:
    """The network as a function with a code object that only others of its kind share.

    PyTorch keeps what it compiled with the code object, eight times at most, and then runs on
    without compiling: a fifth network in a process would be an eager one. Instances of one network
    have the same code object, so that what the first compiled serves all.
    """

    def forward(pixels: Tensor) -> Tensor:
        logits: Tensor = network(pixels)
        return logits

    parameter = next(network.parameters())
    code = _code_of(f"{parameter.device} {parameter.dtype} {network}", forward.__code__)
    return FunctionType(code, globals(), forward.__name__, None, forward.__closure__)


_codes: dict[str, CodeType] = {}


def _code_of(kind: str, code: CodeType) -> CodeType:
    """The same each time for the same kind."""
    return _codes.setdefault(kind, code.replace())


def require_compiler() -> None:
    """Raises RuntimeMissingError where PyTorch would find no C++ compiler."""
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        raise RuntimeMissingError(
            f"torch.compile needs a C++ compiler and there is no {compiler}; install one "
            "(e.g. apt-get install g++), or name yours in the environment variable CXX"
        )


def _last_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1].strip() if lines else 'no message'}"
