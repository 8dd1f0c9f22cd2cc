"""What a network costs before it is ever timed: arithmetic and memory traffic, layer by layer.

The counts follow from shapes alone. A copy without data runs in its place, so that the largest
network takes no time and the caller's keeps its mode, hooks and buffers.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from measuring.errors import InputError

ELEMENT_BYTES = 4  # float32

# Kind by ATen operation; a clone is what a reshape after a transpose leaves behind.
_KINDS = {
    **dict.fromkeys(("addmm", "mm", "bmm", "baddbmm"), "linear"),
    **dict.fromkeys(("native_batch_norm", "_native_batch_norm_legit_no_training"), "normalization"),
    **dict.fromkeys(("relu", "hardtanh", "gelu", "silu"), "activation"),
    **dict.fromkeys(("hardswish", "hardsigmoid", "sigmoid"), "activation"),
    **dict.fromkeys(("mean", "_adaptive_avg_pool2d", "avg_pool2d"), "pool"),
    "max_pool2d_with_indices": "pool",
    "add": "add",
    "mul": "scale",
    "cat": "concat",
    "clone": "shuffle",
}


@dataclass(frozen=True)
class LayerCost:
    """One operation on one image. `name`: its module, and the operation where a module has parts.

    `kind`: regular, pointwise, depthwise or grouped convolution, linear, normalization, activation,
    pool, add, scale, concat, shuffle, or other.
    """

    name: str
    kind: str
    macs: int
    parameters: int
    bytes_read: int
    bytes_written: int

    @property
    def bytes_moved(self) -> int:
        return self.bytes_read + self.bytes_written

    @property
    def intensity(self) -> float:
        """MACs per byte moved; 0 where nothing is moved."""
        return self.macs / self.bytes_moved if self.bytes_moved else 0.0


@dataclass(frozen=True)
class Cost:
    """Every layer in the order of execution, and their sums."""

    layers: tuple[LayerCost, ...]

    @property
    def macs(self) -> int:
        return sum(layer.macs for layer in self.layers)

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def bytes_moved(self) -> int:
        return sum(layer.bytes_moved for layer in self.layers)

    @property
    def intensity(self) -> float:
        """MACs per byte moved; 0 where nothing is moved."""
        return self.macs / self.bytes_moved if self.bytes_moved else 0.0


def cost(network: nn.Module, image_size: int, *, channels: int = 3) -> Cost:
    """The cost of `network` at inference for one float32 image (1, channels, size, size).

    MACs are those of convolutions and matrix products, counted exactly. Every operation reads its
    inputs and weights and writes its output once, as if nothing stayed in a cache; views are free.
    BatchNorm has parameters and no other cost, since it folds into the convolution before it.

    Raises InputError where the network takes no image of that size.
    """
    twin = _without_data(network).eval()
    recorder = _Recorder(twin)
    dtype = next((p.dtype for p in twin.parameters()), torch.float32)
    shape = (1, channels, image_size, image_size)
    try:
        with torch.no_grad(), recorder:
            twin(torch.empty(shape, dtype=dtype, device="meta"))
    except RuntimeError as error:
        raise InputError(
            f"{type(network).__name__} takes no image of shape {shape}: {error}; "
            "expected a size and channels that pass every layer"
        ) from error
    return Cost(tuple(recorder.layers))


def _without_data(network: nn.Module) -> nn.Module:
    """A copy whose parameters and buffers have shapes and no values, and that has no hooks."""
    memo: dict[int, Any] = {}
    for parameter in network.parameters():
        memo[id(parameter)] = nn.Parameter(parameter.to("meta"), requires_grad=False)
    for buffer in network.buffers():
        memo[id(buffer)] = buffer.to("meta")
    twin = copy.deepcopy(network, memo)
    for module in twin.modules():
        module._forward_pre_hooks.clear()
        module._forward_hooks.clear()
    return twin


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down every operation that PyTorch executes, under the module that asked for it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[LayerCost] = []
        self._running: list[tuple[str, nn.Module]] = []
        self._uncounted = {id(p): p.numel() for p in network.parameters()}
        for name, module in network.named_modules():
            module.register_forward_pre_hook(
                lambda module, _, name=name: self._running.append((name, module))
            )
            module.register_forward_hook(lambda *_: self._leave())

    def _leave(self) -> None:
        self._running.pop()

    def __torch_dispatch__(
        self,
        func: OpOverload[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        result = _shapes(func, args) or func(*args, **(kwargs or {}))
        inputs = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        operation = func.overloadpacket.__name__.removesuffix("_")
        if inputs and not func.is_view and operation != "_unsafe_view":
            output = result[0] if isinstance(result, tuple) else result
            self.layers.append(self._layer(operation, args, inputs, output))
        return result

    def _layer(
        self, operation: str, args: tuple[Any, ...], inputs: list[Tensor], output: Tensor
    ) -> LayerCost:
        name, module = self._running[-1]
        alone = name and next(module.children(), None) is None
        kind = _convolution_kind(args) if operation == "convolution" else _KINDS.get(operation)
        folds = kind == "normalization"
        return LayerCost(
            name=name if alone else f"{name}.{operation}".lstrip("."),
            kind=kind or "other",
            macs=_macs(operation, args, output),
            parameters=self._take_parameters(module),
            bytes_read=0 if folds else ELEMENT_BYTES * sum(t.numel() for t in inputs),
            bytes_written=0 if folds else ELEMENT_BYTES * output.numel(),
        )

    def _take_parameters(self, module: nn.Module) -> int:
        """Each parameter counts once, however many layers share it."""
        return sum(self._uncounted.pop(id(p), 0) for p in module.parameters(recurse=False))


def _shapes(func: OpOverload[..., Any], args: tuple[Any, ...]) -> tuple[Tensor, ...] | None:
    """What BatchNorm gives, and None for the rest. PyTorch finds its shapes in Python, which takes
    longer than all other layers together."""
    if _KINDS.get(func.overloadpacket.__name__) != "normalization":
        return None
    nothing = args[0].new_empty(0)
    return torch.empty_like(args[0]), nothing, nothing


def _convolution_kind(args: tuple[Any, ...]) -> str:
    weight, groups = args[1], args[8]
    if groups > 1:
        return "depthwise" if weight.shape[1] == 1 else "grouped"
    return "regular" if weight[0, 0].numel() > 1 else "pointwise"


def _macs(operation: str, args: tuple[Any, ...], output: Tensor) -> int:
    if operation == "convolution":
        images, weight, transposed = args[0], args[1], args[6]
        positions = images.numel() if transposed else output.numel()
        return int(positions * weight.numel() // weight.shape[0])
    if _KINDS.get(operation) == "linear":
        return int(output.numel() * args[-1].shape[-2])
    return 0
