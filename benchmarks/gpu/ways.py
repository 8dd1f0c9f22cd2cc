"""The ways of running one torch artifact on a device, over the same weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from inference.artifact import Artifact
from inference.errors import RuntimeMissingError
from inference.placement import Placement
from inference.torch_compiled_engine import compiled
from inference.torch_cudagraph_engine import RecordedNetwork
from inference.torch_engine import TorchEngine
from inference.torch_network import open_fused, open_network
from inference.torch_transfer import Network
from measuring.cores import available_cores

EAGER, RECORDED, COMPILED = "torch", "torch-cudagraph", "torch-compiled"
FUSED = "torch-fused"  # recorded, too
# Not a runtime yet: what recording adds to compiling.
BOTH = "torch-compiled, recorded"
_LARGEST = 1024


@dataclass(frozen=True)
class Way:
    """`network`: pixels on the device to logits there; `engine`: the same from and to the host."""

    name: str
    network: Network
    engine: TorchEngine


def names(device: str, *, compiling: bool) -> tuple[str, ...]:
    """Those that this device has; recording is a GPU's."""
    if device != "cuda":
        return (EAGER, COMPILED) if compiling else (EAGER,)
    always = (EAGER, RECORDED, FUSED)
    return (*always, COMPILED, BOTH) if compiling else always


def open_ways(artifact: Artifact, device: str, wanted: tuple[str, ...]) -> dict[str, Way]:
    """Raises as `open_network` does; without the fused way where the network has none. What
    compiles does so at its first call."""
    manifest = artifact.manifest
    placement = Placement(device, available_cores())
    eager = open_network(artifact, manifest.variants[0], placement)
    made: dict[str, Callable[[], Network]] = {
        EAGER: lambda: eager,
        RECORDED: lambda: RecordedNetwork(eager, largest=_LARGEST),
        COMPILED: lambda: compiled(eager),
        BOTH: lambda: RecordedNetwork(compiled(eager), largest=_LARGEST),
        FUSED: lambda: RecordedNetwork(
            open_fused(artifact, manifest.variants[0], placement), largest=_LARGEST
        ),
    }
    ways = {}
    for name in wanted:
        try:
            network = made[name]()
        except RuntimeMissingError:
            if name != FUSED:
                raise
            continue
        engine = TorchEngine(
            network, name=f"{name} {device} {manifest.precision}", size=manifest.input.size,
            device=device,
        )  # fmt: skip
        ways[name] = Way(name, network, engine)
    return ways


def inferring(network: Network) -> Network:
    """The network as an engine calls it: without anything kept for gradients."""

    def run(pixels: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return network(pixels)

    return run
