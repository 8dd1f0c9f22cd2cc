"""Networks that are exported wrongly on purpose, in one place each: the place is named."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from onnx import ModelProto, TensorProto, numpy_helper
from torch import Tensor, nn

from exporters import files
from exporters.departure import find_departure
from exporters.export import export
from exporters.formats import FOR_OPENVINO, PLAIN
from exporters.half import to_half
from exporters.rewrites import REWRITES
from exporters.sensitivity import quantise_within
from exporters.source import Source
from inference.errors import ParityError
from inference.manifest import Precision
from measuring.errors import CheckError
from measuring.pictures import varied_pictures
from measuring.processor import processor
from models import Loaded

SIZE, CLASSES = 16, 6
PICTURES = varied_pictures(4, SIZE, 5)
WRONG = 1.05

Load = Callable[..., Loaded]

needs_bfloat16 = pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16"} & set(processor().features),
    reason="needs a processor that computes in bfloat16",
)


class WrongConv(nn.Conv2d):
    """Its weights are exported too large."""

    def forward(self, x: Tensor) -> Tensor:
        scale = WRONG if torch.compiler.is_exporting() else 1.0
        return nn.functional.conv2d(x, self.weight * scale, self.bias, padding=self.padding)


class WrongAnswer(nn.Module):
    """A module whose answer is exported too large."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.module(x)
        return answer * WRONG if torch.compiler.is_exporting() else answer


class WithoutModule(nn.Module):
    """A convolution that is no layer, only a function."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        assert isinstance(conv, nn.Conv2d)
        self.weight, self.bias = conv.weight, conv.bias

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.conv2d(x, self.weight, self.bias)


def wrong_conv(network: nn.Module, name: str) -> nn.Module:
    conv = network.get_submodule(name)
    conv.__class__ = WrongConv
    return network


def wrong_answer(network: nn.Module, name: str) -> nn.Module:
    network.set_submodule(name, WrongAnswer(network.get_submodule(name)))
    return network


@pytest.fixture
def source_of(load_as: Load) -> Callable[[nn.Module], Source]:
    return lambda network: Source(load_as(network, SIZE, CLASSES), "tiny")


def export_to(repository: Path, source: Source, precision: Precision = "fp32") -> Any:
    return export(
        source, artifact_name="net", format="onnx", precision=precision, repository=repository
    )


@pytest.mark.parametrize(
    ("layer", "position"), [("partial", 1), ("wide.0", 2), ("narrow", 3)], ids=str
)
def test_export_that_is_wrong_in_one_convolution_names_it_and_leaves_nothing(
    tiny_network: nn.Module,
    source_of: Callable[[nn.Module], Source],
    tmp_path: Path,
    layer: str,
    position: int,
) -> None:
    source = source_of(wrong_conv(tiny_network, layer))
    with pytest.raises(ParityError) as refused:
        export_to(tmp_path, source)
    nodes = [n for n in source.graph(PLAIN).model.graph.node if n.op_type == "Conv"]
    told = str(refused.value)
    assert "net-onnx-fp32 on onnxruntime cpu fp32 does not answer as its network does" in told
    assert (
        "in model.onnx the layer that adds most error, run by onnxruntime on the CPU in fp32, is "
        f"{layer} (node {nodes[position].name}) (by 0.00"
    ) in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_departure_of_a_wrong_layer_is_that_of_its_weights(
    tiny_network: nn.Module, source_of: Callable[[nn.Module], Source], runtime: str
) -> None:
    source = source_of(wrong_conv(tiny_network, "narrow"))
    found = find_departure(source, source.graph(PLAIN), runtime, "fp32", PICTURES)
    assert f"run by {runtime} on the CPU in fp32, is narrow (node" in found.told
    # (1.05 - 1)² of the mean square, which is the variance and the square of the mean.
    assert (WRONG - 1) ** 2 <= found.error < 2 * (WRONG - 1) ** 2


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("rewrites", [PLAIN, FOR_OPENVINO, ()], ids=["plain", "openvino", "none"])
def test_departure_of_a_right_export_is_rounding(
    tiny_network: nn.Module,
    source_of: Callable[[nn.Module], Source],
    runtime: str,
    rewrites: tuple[str, ...],
) -> None:
    tiny_network.set_submodule("wide.2", nn.ReLU(inplace=True))
    source = source_of(tiny_network)
    found = find_departure(source, source.graph(rewrites), runtime, "fp32", PICTURES)
    assert found.told.startswith(f"neither a layer nor the logits depart when {runtime} on the CPU")
    assert found.error < 1e-11


def test_departure_of_a_product_and_its_bias_counts_them_as_one_layer(
    source_of: Callable[[nn.Module], Source],
) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Flatten(2), nn.Linear(SIZE**2, 8), nn.Flatten(), nn.Linear(24, 6))
    source = source_of(network.eval())
    graph = source.graph(())
    assert {"MatMul", "Add", "Gemm"} <= {node.op_type for node in graph.model.graph.node}
    found = find_departure(source, graph, "onnxruntime", "fp32", PICTURES)
    assert found.told.startswith("neither a layer nor the logits depart")


@needs_bfloat16
def test_departure_in_bfloat16_is_of_its_size(
    tiny_network: nn.Module, source_of: Callable[[nn.Module], Source]
) -> None:
    source = source_of(tiny_network)
    found = find_departure(source, source.graph(FOR_OPENVINO), "openvino", "bf16", PICTURES)
    names = [
        name for name, m in tiny_network.named_modules() if isinstance(m, nn.Conv2d | nn.Linear)
    ]
    layer = re.search(r"openvino on the CPU in bf16, is (\S+) \(node ", found.told)
    assert layer is not None
    assert layer[1] in names
    assert 1e-7 < found.error < 1e-3


@pytest.mark.parametrize(
    ("name", "place"),
    [
        pytest.param("wide.2", r"in front of narrow \(node \w+\)", id="an-activation"),
        pytest.param("head", "after the last layer", id="the-end"),
    ],
)
def test_departure_outside_the_layers_is_located_between_them(
    tiny_network: nn.Module, source_of: Callable[[nn.Module], Source], name: str, place: str
) -> None:
    source = source_of(wrong_answer(tiny_network, name))
    found = find_departure(source, source.graph(PLAIN), "onnxruntime", "fp32", PICTURES)
    told = rf"no layer departs by itself: the difference arises {place} \(by 0\.0"
    assert re.search(told, found.told)


def test_departure_of_a_rewrite_blames_no_layer(
    tiny_network: nn.Module,
    source_of: Callable[[nn.Module], Source],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def wrong(chain: nn.Sequential) -> nn.Sequential:
        return nn.Sequential(*chain.children(), nn.Hardtanh(-0.1, 0.1))

    monkeypatch.setitem(REWRITES, "wrong", wrong)
    source = source_of(tiny_network)
    found = find_departure(source, source.graph(("wrong",)), "onnxruntime", "fp32", PICTURES)
    assert "the network itself answers differently, rewritten by wrong (by " in found.told


def test_departure_where_layers_cannot_be_paired_says_so(
    tiny_network: nn.Module, source_of: Callable[[nn.Module], Source]
) -> None:
    tiny_network.set_submodule("narrow", WithoutModule(tiny_network.get_submodule("narrow")))
    source = source_of(tiny_network)
    with pytest.raises(
        CheckError, match=r"graph has 6 layers .* expected the 5 \(Conv2d, Linear\)"
    ):
        find_departure(source, source.graph(PLAIN), "onnxruntime", "fp32", PICTURES)


def test_departure_that_cannot_be_found_does_not_hide_what_failed(
    tiny_network: nn.Module, source_of: Callable[[nn.Module], Source], tmp_path: Path
) -> None:
    tiny_network.set_submodule("narrow", WithoutModule(tiny_network.get_submodule("narrow")))
    with pytest.raises(ParityError) as refused:
        export_to(tmp_path, source_of(wrong_conv(tiny_network, "partial")))
    assert "on onnxruntime cpu fp32 does not answer as its network does" in str(refused.value)
    assert "in model.onnx no layer can be named: the graph has 6 layers" in str(refused.value)


def test_departure_that_a_runtime_cannot_compute_does_not_hide_what_failed(
    tiny_network: nn.Module,
    source_of: Callable[[nn.Module], Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("out of\nmemory")

    monkeypatch.setattr(files, "find_departure", fails)
    with pytest.raises(ParityError, match=r"on onnxruntime .* named: out of memory$"):
        export_to(tmp_path, source_of(wrong_conv(tiny_network, "partial")))


def spoilt(model: ModelProto, name: str) -> ModelProto:
    """With the signs of one layer's weights turned."""
    tensor = next(t for t in model.graph.initializer if name in t.name)
    assert tensor.data_type in (TensorProto.FLOAT16, TensorProto.INT8)
    tensor.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(tensor), tensor.name))
    return model


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_export_in_lower_precision_names_the_layer_that_is_wrong(
    tiny_network: nn.Module,
    source_of: Callable[[nn.Module], Source],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    precision: Precision,
) -> None:
    def quantised(*given: Any, **options: Any) -> Any:
        right = quantise_within(*given, **options)
        return replace(right, model=spoilt(right.model, "conv2d_2_weight_quantised"))

    monkeypatch.setattr(files, "to_half", lambda *given: spoilt(to_half(*given), "wide.0.weight"))
    monkeypatch.setattr(files, "quantise_within", quantised)
    with pytest.raises(
        ParityError, match=r"the layer that adds most error is wide\.0 \(by [\d.]+ "
    ):
        export_to(tmp_path, source_of(tiny_network), precision)
    assert list(tmp_path.iterdir()) == []
