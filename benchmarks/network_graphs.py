"""Networks to be timed: weights that never learnt, signals of a usual size, one graph per set of
rewrites, kept in a folder because making one takes seconds."""

import hashlib
import importlib.metadata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from exporters.formats import FOR_ONNXRUNTIME, FOR_OPENVINO
from exporters.onnx_export import to_onnx
from exporters.rewrites import rewrite
from exporters.rewrites.fold import fold
from exporters.rewrites.prelude import pixels_in
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from models import WEIGHTS, create
from models.pixels_in import PixelsIn

FOLDER = Path("results/graphs")
REWRITES = {"onnxruntime": FOR_ONNXRUNTIME, "openvino": FOR_OPENVINO}
_BATCH = 2  # the fewest that a BatchNorm has statistics of

Build = Callable[[], nn.Module]


def input_spec(name: str) -> InputSpec:
    """What the published weights of the network take."""
    return WEIGHTS[name].input_spec


def settled(build: Build, size: int, *, seed: int = 0) -> nn.Module:
    """A network of seeded weights whose BatchNorms have the statistics of two pictures: without,
    signals die or explode on their way, and numbers that are nearly 0 take longer to multiply.
    """
    torch.manual_seed(seed)
    network = build().train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
        if isinstance(module, nn.Dropout):
            module.eval()
    with torch.no_grad():
        network(images(_BATCH, size))
    return network.eval()


def images(batch: int, size: int) -> Tensor:
    """Varied pictures (batch, 3, size, size), about -2 to 2."""
    pixels = torch.from_numpy(varied_pictures(batch, size, seed=0))
    return (pixels.permute(0, 3, 1, 2).float() - 127.5) / 64.0


def pictures(batch: int, size: int) -> NDArray[np.uint8]:
    """Varied pictures (batch, size, size, 3)."""
    return varied_pictures(batch, size, seed=0)


def network_graph(
    name: str,
    runtime: str,
    *,
    build: Build | None = None,
    folder: Path = FOLDER,
) -> bytes:
    """The graph, uint8 (N, size, size, 3) to logits, rewritten as artifacts for `runtime` are.

    `build` makes another network than the published one of that name, at its input size; what it
    makes must be told by `name`, under which the graph is kept.
    """
    published = name.partition(" ")[0]
    spec = input_spec(published)
    folder.mkdir(parents=True, exist_ok=True)
    # Only shuffles are taken out differently for different runtimes.
    made_for = runtime if name.startswith("shufflenet") else "any"
    kept = folder / f"{_slug(name)}-{made_for}-{_versions()}.onnx"
    if not kept.exists():
        network = settled(build or (lambda: create(published)), spec.size)
        chain = rewrite(pixels_in(network, spec), REWRITES[runtime]).chain
        partial = kept.with_suffix(".partial")
        partial.write_bytes(to_onnx(chain, spec.size).SerializeToString())
        partial.replace(kept)
    return kept.read_bytes()


def torch_network(name: str, build: Build | None = None) -> nn.Module:
    """The network as PyTorch serves it, pixels to logits: BatchNorms folded, channels last."""
    published = name.partition(" ")[0]
    spec = input_spec(published)
    network = settled(build or (lambda: create(published)), spec.size)
    pixels = PixelsIn(fold(network).network, spec).eval()
    return pixels.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)


def _versions() -> str:
    """Changes with what a graph is made by."""
    packages = ("torch", "onnx", "onnxscript")
    text = " ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    return hashlib.sha256(text.encode()).hexdigest()[:8]
