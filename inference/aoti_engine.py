"""A network that AOTInductor compiled: a package of machine code and weights that needs PyTorch to
run and nothing of the network's own code.

https://docs.pytorch.org/docs/stable/torch.compiler_aot_inductor.html
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from inference.artifact import Artifact, rebuild_command
from inference.binding import machine_facts, require_bound_here
from inference.errors import ArtifactError, RuntimeMissingError
from inference.manifest import Variant
from inference.placement import Placement
from inference.torch_arithmetic import refuse_short_cuts, require_arithmetic
from inference.torch_cudagraph_engine import RecordedNetwork
from inference.torch_engine import TorchEngine
from measuring.gpu import Gpu
from measuring.processor import processor


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TorchEngine:
    """On a GPU small batches are recorded and replayed in one launch. Raises ArtifactError for a
    package that was compiled for another machine or that PyTorch refuses, RuntimeMissingError for
    a device or precision that is not here."""
    manifest = artifact.manifest
    require_arithmetic(manifest.precision, placement.device)
    require_bound_here(artifact, facts_of(placement.device))
    torch.set_num_threads(placement.threads)
    refuse_short_cuts()
    package = _Package(artifact, artifact.path(variant.file))
    return TorchEngine(
        RecordedNetwork(package) if placement.device == "cuda" else package,
        name=f"aoti {placement.device} {manifest.precision}",
        size=manifest.input.size,
        device=placement.device,
    )


def facts_of(device: str) -> dict[str, str]:
    """What a package that is compiled here for `device` asks of a machine: the same version of
    PyTorch, and the same GPU or the same processor.

    Raises RuntimeMissingError where PyTorch has no GPU to use.
    """
    version = torch.__version__
    if device != "cuda":
        here = processor()
        features = " ".join(here.features)
        return machine_facts(None, torch=version, processor=f"{here.model} with {features}")
    if not torch.cuda.is_available():
        raise RuntimeMissingError(
            f"torch {version} finds no GPU: expected a build with CUDA, an NVIDIA GPU and its "
            "driver; export for the processor with --device cpu"
        )
    found = torch.cuda.get_device_properties(0)
    capability = f"{found.major}.{found.minor}"
    gpu = Gpu(found.name, "", found.total_memory, capability, mig=False)
    facts = machine_facts(gpu, torch=version)
    del facts["driver"]  # machine code does not depend on it
    return facts


class _Package:
    """Pixels (N, H, W, 3) uint8 on the device to logits (N, classes) there. One caller at a time:
    without the locks for several, a call can be recorded."""

    def __init__(self, artifact: Artifact, path: Path) -> None:
        try:
            self._run: Any = torch._inductor.aoti_load_package(str(path), run_single_threaded=True)
        except Exception as error:  # What PyTorch's loader raises shares no other base class.
            told = " ".join(str(error).split())[:300]
            raise ArtifactError(
                f"{artifact.manifest.id}: torch {torch.__version__} refused {path.name}: {told}; "
                f"rebuild it with: {rebuild_command(artifact)}"
            ) from error

    def __call__(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self._run(pixels)
        return logits
