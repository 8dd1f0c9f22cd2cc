from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper
from torch import nn

from exporters import sensitivity
from exporters.calibration import Ranges, collect_ranges
from exporters.int8_plan import COMPUTE
from exporters.noise import noise
from exporters.onnx_export import to_onnx
from exporters.onnx_graph import layer_name, read_graph
from exporters.quantise import SCHEMES, quantise
from exporters.rewrites import rewrite
from exporters.rewrites.prelude import pixels_in
from exporters.sensitivity import (
    SHARE_OF_BOUND,
    Layer,
    macs,
    quantise_within,
    rank_layers,
    worst_layer,
)
from measuring.errors import CheckError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SIZE = 16
PICTURES = varied_pictures(32, SIZE, 1)


def exported(network: nn.Module) -> ModelProto:
    chain = pixels_in(network, InputSpec(size=SIZE, resize=SIZE))
    return to_onnx(rewrite(chain, ("fold_batch_norms", "pool_by_rows")).chain, SIZE)


@pytest.fixture(scope="module")
def tiny(make_tiny: Callable[[], nn.Module]) -> ModelProto:
    return exported(make_tiny())


@pytest.fixture(scope="module")
def ranges(tiny: ModelProto) -> Ranges:
    return collect_ranges(tiny, varied_pictures(64, SIZE, 99))


def spoilt(model: ModelProto, weights: str) -> ModelProto:
    """With the signs of one layer's weights turned."""
    changed = ModelProto()
    changed.CopyFrom(model)
    tensor = next(t for t in changed.graph.initializer if t.name.endswith(weights))
    values = -numpy_helper.to_array(tensor)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return changed


def _layer_names(model: ModelProto) -> list[str]:
    return [layer_name(node) for node in read_graph(model).nodes if node.op_type in COMPUTE]


def test_wide_bound_keeps_nothing(tiny: ModelProto, ranges: Ranges) -> None:
    found = quantise_within(tiny, ranges, SCHEMES["vnni"], pictures=PICTURES, bound=1.0)
    assert (found.kept, found.rounds, found.share) == ((), 1, 0.0)
    assert found.parity.holds
    assert found.bound == 2.0 * found.parity.distance < 1.0


def test_narrow_bound_keeps_the_noisiest_layers(tiny: ModelProto, ranges: Ranges) -> None:
    scheme = SCHEMES["reduced"]
    plain = quantise_within(tiny, ranges, scheme, pictures=PICTURES, bound=1.0)
    bound = 0.9 * plain.parity.distance / SHARE_OF_BOUND
    found = quantise_within(tiny, ranges, scheme, pictures=PICTURES, bound=0.95 * bound, budget=1.0)
    assert found.kept
    assert found.parity.distance < plain.parity.distance
    assert found.share == pytest.approx(sum(layer.macs for layer in found.kept))
    noises = [layer.noise for layer in found.kept]
    assert noises == sorted(noises, reverse=True)


def test_where_the_worst_layers_cost_too_much_the_first_ones_are_kept(
    tiny: ModelProto, ranges: Ranges, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rank_with_a_costly_last_layer(*graphs: Any) -> tuple[Layer, ...]:
        ranked = {layer.name: layer for layer in rank_layers(*graphs)}
        last = replace(ranked.pop(_layer_names(tiny)[-1]), macs=1.0)
        return (last, *ranked.values())

    scheme = SCHEMES["vnni"]
    plain = quantise_within(tiny, ranges, scheme, pictures=PICTURES, bound=1.0)
    monkeypatch.setattr(sensitivity, "rank_layers", rank_with_a_costly_last_layer)
    found = quantise_within(
        tiny,
        ranges,
        scheme,
        pictures=PICTURES,
        bound=0.97 * plain.parity.distance / SHARE_OF_BOUND,
        budget=0.9,
    )
    assert found.parity.holds
    assert [layer.name for layer in found.kept] == _layer_names(tiny)[: len(found.kept)] != []


def test_budget_that_is_not_enough_names_the_worst_layer(tiny: ModelProto, ranges: Ranges) -> None:
    worst = rank_layers(tiny, quantise(tiny, ranges, SCHEMES["vnni"]), PICTURES)[0]
    with pytest.raises(CheckError) as refused:
        quantise_within(tiny, ranges, SCHEMES["vnni"], pictures=PICTURES, bound=1e-9, budget=0.1)
    assert worst.name in str(refused.value)
    assert "with 10% of the arithmetic left in float" in str(refused.value)


@pytest.mark.parametrize("layer", ["partial", "narrow", "head"])
def test_worst_layer_is_the_one_that_was_spoilt(tiny: ModelProto, layer: str) -> None:
    name, found = worst_layer(tiny, spoilt(tiny, f"{layer}.weight"), PICTURES)
    assert name == layer
    assert found > 0.1


def test_noise_of_a_graph_against_itself_is_none(tiny: ModelProto) -> None:
    found = noise(tiny, tiny, PICTURES)
    assert set(found) == set(read_graph(tiny).floats())
    assert max(found.values()) < 1e-9


def test_noise_starts_where_the_graphs_part(tiny: ModelProto) -> None:
    found = noise(tiny, spoilt(tiny, "narrow.weight"), PICTURES)
    convolutions = [node for node in tiny.graph.node if node.op_type == "Conv"]
    parted = [layer_name(node) for node in convolutions if found[node.output[0]] > 1e-9]
    assert parted == ["narrow"]
    assert found["logits"] > 0.01


def test_shares_of_the_arithmetic_are_counted_as_known(tiny: ModelProto) -> None:
    graph = read_graph(tiny)
    counted = [macs(graph, n) for n in graph.nodes if n.op_type in {"Conv", "Gemm"}]
    stem, partial, wide, narrow = 64 * 8 * 27, 64 * 2 * 18, 64 * 16 * 8, 64 * 8 * 16
    assert counted == [stem, partial, wide, narrow, 8 * 12, 12 * 6]
    ranked = rank_layers(tiny, tiny, PICTURES)
    assert np.isclose(sum(layer.macs for layer in ranked), 1.0)
