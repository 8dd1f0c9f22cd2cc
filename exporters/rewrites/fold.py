"""Folds BatchNorm into the convolution or linear layer before it, on a copy of the network.

In inference BatchNorm is a scale and an offset per channel, which the layer before it can absorb
(Jacob et al., arXiv 1712.05877, section 3.2). Every runtime does this in its own way; doing it
here makes the exported graph the same for all of them.
"""

import copy
from collections import Counter
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, fx, nn

Layer = nn.Conv2d | nn.Linear
Norm = nn.BatchNorm2d | nn.BatchNorm1d

_PAIRS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv2d: nn.BatchNorm2d,
    nn.Linear: nn.BatchNorm1d,
}


@dataclass(frozen=True)
class Folded:
    """`network`: the copy, in inference mode; `folded`: how many BatchNorms went into the layer
    before them; `kept`: the names of those that stay."""

    network: nn.Module
    folded: int
    kept: tuple[str, ...]


def fold(network: nn.Module) -> Folded:
    """The network with BatchNorms folded; the caller's is not touched.

    A pair is folded where the graph shows that nothing but the BatchNorm reads the layer, and that
    both are called once. A network that cannot be traced keeps all of its BatchNorms.
    """
    copied = copy.deepcopy(network).eval()
    pairs = _pairs(copied)
    for layer, norm in pairs:
        _absorb(cast(Layer, copied.get_submodule(layer)), cast(Norm, copied.get_submodule(norm)))
        copied.set_submodule(norm, nn.Identity())
    kept = [n for n, module in copied.named_modules() if type(module) in _PAIRS.values()]
    return Folded(copied, len(pairs), tuple(kept))


def _pairs(network: nn.Module) -> list[tuple[str, str]]:
    """Names of (layer, BatchNorm) that are safe to fold."""
    try:
        nodes = fx.Tracer().trace(network).nodes
    except (fx.proxy.TraceError, TypeError, ValueError, RuntimeError):
        return []
    modules = dict(network.named_modules(remove_duplicate=False))
    single = _used_once(nodes, modules)
    pairs = []
    for node in nodes:
        before = node.args[0] if node.op == "call_module" and node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module":
            continue
        layer, norm = str(before.target), str(node.target)
        alone = len(before.users) == 1 and {layer, norm} <= single
        if alone and _fits(modules[layer], modules[norm]):
            pairs.append((layer, norm))
    return pairs


def _used_once(nodes: fx.graph._node_list, modules: dict[str, nn.Module]) -> set[str]:
    """Modules with one name and one call whose parameters nothing else reads."""
    calls = Counter(str(node.target) for node in nodes if node.op == "call_module")
    names = Counter(id(module) for module in modules.values())
    read = {str(node.target).rpartition(".")[0] for node in nodes if node.op == "get_attr"}
    return {
        name
        for name, count in calls.items()
        if count == 1 and names[id(modules[name])] == 1 and name not in read
    }


def _fits(layer: nn.Module, norm: nn.Module) -> bool:
    """Both of the exact types whose arithmetic is known, over the same channels."""
    if type(norm) is not _PAIRS.get(type(layer)) or norm.running_mean is None:
        return False
    outputs = layer.out_channels if isinstance(layer, nn.Conv2d) else layer.out_features
    return bool(norm.num_features == outputs)


def _absorb(layer: Layer, norm: Norm) -> None:
    """weight' = scale weight, bias' = scale (bias - mean) + offset; in float64, rounded once."""
    weight, bias = _float64(layer.weight), _float64(layer.bias)
    scale = torch.rsqrt(_float64(norm.running_var) + norm.eps)
    if norm.weight is not None:
        scale = scale * _float64(norm.weight)
    offset = scale * (bias - _float64(norm.running_mean)) + _float64(norm.bias)
    dtype = layer.weight.dtype
    layer.weight = nn.Parameter((weight * scale.view(-1, *[1] * (weight.ndim - 1))).to(dtype))
    layer.bias = nn.Parameter(offset.to(dtype))


def _float64(tensor: Tensor | None) -> Tensor:
    """Detached; an absent bias is 0 for every channel."""
    return torch.zeros((), dtype=torch.float64) if tensor is None else tensor.detach().double()
