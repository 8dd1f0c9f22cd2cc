"""Which layers an int8 graph keeps in float, found by measuring: those that add most noise, or else
the first ones, as few as the bound asks for, within a budget of arithmetic.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from exporters.calibration import Ranges, batch_that_fits, open_on_cpu
from exporters.int8_plan import CURVES_AND_CLAMPS, is_swish, layers
from exporters.noise import noise
from exporters.onnx_graph import Graph, layer_name, read_graph
from exporters.quantise import Scheme, pool_once, quantise
from inference.engine import Pixels
from inference.manifest import Parity
from inference.parity import bound_from, compare
from measuring.errors import CheckError

BUDGET = 0.5
# Of the bound: on other pictures the untrained efficientnet_b0, whose gates multiply what was
# rounded before, departs up to a third further than on those searched on.
SHARE_OF_BOUND = 0.65


@dataclass(frozen=True)
class Layer:
    """`output`: the node's first output, its name in the graph; `noise`: what it adds to its
    answer's mean square error, relative to the answer's variance; `macs`: its share of all."""

    name: str
    output: str
    noise: float
    macs: float


@dataclass(frozen=True)
class Quantised:
    """The int8 graph; `kept`: the layers in float, in the order they were taken; `parity`: against
    the float32 graph on the pictures searched on; `rounds`: graphs that were tried; `bound`: what
    an engine that runs it as it ran here keeps within, on these pictures and others."""

    model: ModelProto
    kept: tuple[Layer, ...]
    parity: Parity
    rounds: int
    bound: float

    @property
    def share(self) -> float:
        """Of the arithmetic, what stays in float."""
        return sum(layer.macs for layer in self.kept)


def quantise_within(
    model: ModelProto,
    ranges: Ranges,
    scheme: Scheme,
    *,
    pictures: Pixels,
    bound: float,
    budget: float = BUDGET,
) -> Quantised:
    """`model` in int8 with the fewest layers in float, worst first, that keep its logits within
    `bound` of the float32 ones on `pictures`, with a margin for others.

    Twice as many layers each time until the bound holds, then bisection between. Where the worst
    ones use up the budget in vain, the first ones are tried: in a deep network with gates what is
    rounded early is multiplied by all that follows. Raises CheckError, naming the worst layer, if
    more than `budget` of the multiply-accumulates would stay in float.
    """
    search = _Search(model, ranges, scheme, pictures, bound)
    plain = search.attempt(())
    if plain.parity.holds:
        return plain
    ranked = rank_layers(model, plain.model, pictures)
    found = _fewest(search, ranked, budget)
    if found is None:
        found = _fewest(search, _from_the_front(model, ranked), budget)
    if found is None:
        raise _over_budget(ranked, plain.parity, budget)
    return replace(found, rounds=search.rounds)


def _fewest(search: "_Search", order: tuple[Layer, ...], budget: float) -> Quantised | None:
    """The attempt that holds with the fewest layers from the front of `order` in float; None if
    as many as fit `budget` are too few."""
    most = _most(order, budget)
    few, many = 0, min(1, most)
    best = None
    while best is None and many > few:
        attempt = search.attempt(order[:many])
        if attempt.parity.holds:
            best = attempt
        else:
            few, many = many, min(2 * many, most)
    while many - few > 1:
        middle = (few + many) // 2
        attempt = search.attempt(order[:middle])
        if attempt.parity.holds:
            best, many = attempt, middle
        else:
            few = middle
    return best


def _from_the_front(model: ModelProto, ranked: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """As they follow one another in the graph."""
    known = {layer.output: layer for layer in ranked}
    return tuple(known[node.output[0]] for node in layers(read_graph(pool_once(model))))


def _most(order: tuple[Layer, ...], budget: float) -> int:
    """How many layers from the front of `order` fit the budget."""
    total = np.cumsum([layer.macs for layer in order])
    return int(np.searchsorted(total, budget, side="right"))


def rank_layers(model: ModelProto, low: ModelProto, pictures: Pixels) -> tuple[Layer, ...]:
    """The layers of `model`, the one that adds most noise in `low` first."""
    graph = read_graph(pool_once(model))
    found = noise(model, low, pictures)
    total = sum(macs(graph, node) for node in layers(graph)) or 1
    ranked = [
        Layer(
            layer_name(node),
            node.output[0],
            _added(graph, node, found),
            macs(graph, node) / total,
        )
        for node in layers(graph)
    ]
    return tuple(sorted(ranked, key=lambda layer: -layer.noise))


def worst_layer(model: ModelProto, low: ModelProto, pictures: Pixels) -> tuple[str, float]:
    """The layer of `low` that departs most from the float32 `model`, and by how much: what it adds
    to the mean square error of its answer, over the answer's variance."""
    worst = rank_layers(model, low, pictures)[0]
    return worst.name, worst.noise


def macs(graph: Graph, node: NodeProto) -> int:
    """Multiply-accumulates of a convolution or product for one picture."""
    weights = graph.constants[node.input[1]]
    if node.op_type == "Conv":
        return graph.elements(node.output[0]) * int(weights[0].size)
    return int(weights.size) * (graph.elements(node.input[0]) // max(1, _inner(node, graph)))


def _inner(node: NodeProto, graph: Graph) -> int:
    """The length that a product sums over."""
    return graph.shapes[node.input[0]][-1] or 1


class _Search:
    """Attempts over one network, and the answers that they are held to."""

    def __init__(
        self, model: ModelProto, ranges: Ranges, scheme: Scheme, pictures: Pixels, bound: float
    ) -> None:
        self.rounds = 0
        self._model, self._ranges, self._scheme = model, ranges, scheme
        self._pictures, self._bound = pictures, bound
        self._step = batch_that_fits(read_graph(model))
        self._expected = self._logits(model)

    def attempt(self, kept: tuple[Layer, ...]) -> Quantised:
        self.rounds += 1
        keep = frozenset(layer.output for layer in kept)
        low = quantise(self._model, self._ranges, self._scheme, keep=keep)
        parity = compare(
            self._logits(low),
            self._expected,
            reference="the float32 graph, pictures searched on",
            bound=SHARE_OF_BOUND * self._bound,
            precision="int8",
        )
        return Quantised(low, kept, parity, self.rounds, bound_from(parity.distance, self._bound))

    def _logits(self, model: ModelProto) -> NDArray[np.float32]:
        session = open_on_cpu(model)
        parts = [
            session.run(None, {"pixels": self._pictures[start : start + self._step]})[0]
            for start in range(0, len(self._pictures), self._step)
        ]
        return np.concatenate(parts)


def _added(graph: Graph, node: NodeProto, found: dict[str, float]) -> float:
    """The noise behind a layer and its activation, less the noise before it."""
    before = found.get(node.input[0], 0.0)
    return found.get(_end(graph, node), found.get(node.output[0], 0.0)) - before


def _end(graph: Graph, node: NodeProto) -> str:
    """The tensor that leaves a layer and the activation that follows it."""
    tensor: str = node.output[0]
    readers = graph.readers(tensor)
    for reader in readers:
        if is_swish(graph, reader) and len(readers) == 2:
            return str(graph.readers(reader.output[0])[0].output[0])
    if len(readers) == 1 and readers[0].op_type in CURVES_AND_CLAMPS:
        return str(readers[0].output[0])
    return tensor


def _over_budget(ranked: tuple[Layer, ...], parity: Parity, budget: float) -> CheckError:
    worst = ranked[0]
    return CheckError(
        f"int8 departs too far: {parity.measure} is {parity.distance:.3g}, expected at most "
        f"{parity.bound:.3g}, and top-1 agreement {parity.top1_agreement:.1%}, expected "
        f"{parity.required_agreement:.1%}, with {budget:.0%} of the arithmetic left in float; the "
        f"layer that adds most noise is {worst.name} ({worst.noise:.2%} of its answer's variance); "
        "calibrate with pictures of your own (--calibration DIR), or export in bf16 or fp16"
    )
