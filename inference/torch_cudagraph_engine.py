"""PyTorch on a GPU with its kernels recorded once and replayed in one launch: for small batches the
launches of eager PyTorch cost more than the arithmetic.

https://docs.pytorch.org/docs/stable/notes/cuda.html#cuda-graphs
"""

import threading
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.artifact import Artifact
from inference.manifest import Variant
from inference.placement import Placement
from inference.torch_engine import TorchEngine
from inference.torch_transfer import Network

# Batches up to this size are recorded; for larger ones the arithmetic hides the launches.
LARGEST = 256
_WARM_UP = 3
# PyTorch synchronises the whole device and empties its cache as it begins to record.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class _Recorded:
    graph: torch.cuda.CUDAGraph
    pixels: Tensor
    logits: Tensor


class RecordedNetwork:
    """Records a graph for each small batch size when it first comes. One memory pool serves all
    graphs, since each answer is copied away before the next graph runs: one caller at a time."""

    def __init__(self, network: Network, *, largest: int = LARGEST) -> None:
        self._network = network
        self._largest = largest
        self._recorded: dict[int, _Recorded] = {}
        # Memory of the pool is only shared by what is recorded on one stream.
        self._pool = torch.cuda.graph_pool_handle()
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]

    def __call__(self, pixels: Tensor) -> Tensor:
        if len(pixels) > self._largest:
            return self._network(pixels)
        if len(pixels) not in self._recorded:
            with _ONE_AT_A_TIME:
                self._recorded[len(pixels)] = self._record(pixels)
        recorded = self._recorded[len(pixels)]
        recorded.pixels.copy_(pixels)
        recorded.graph.replay()
        return recorded.logits

    def _record(self, pixels: Tensor) -> _Recorded:
        static = pixels.clone()
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            for _ in range(_WARM_UP):
                self._network(static)
        torch.cuda.current_stream().wait_stream(self._stream)
        graph = torch.cuda.CUDAGraph()
        # Other threads may call CUDA meanwhile: other models are served from there.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"
        ):
            logits = self._network(static)
        return _Recorded(graph, static, logits)


def open_variant(artifact: Artifact, variant: Variant, placement: Placement) -> TorchEngine:
    """Raises as eager PyTorch does."""
    # Not above: compiled packages run without the networks' code.
    from inference.torch_network import open_network

    manifest = artifact.manifest
    network = open_network(artifact, variant, placement)
    return TorchEngine(
        RecordedNetwork(network),
        name=f"torch-cudagraph {placement.device} {manifest.precision}",
        size=manifest.input.size,
        device=placement.device,
    )
