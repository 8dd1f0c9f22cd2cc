from collections.abc import Callable

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper
from torch import nn

from exporters.calibration import collect_ranges
from exporters.half import to_half
from exporters.onnx_export import to_onnx
from exporters.onnx_graph import read_graph
from exporters.rewrites import rewrite
from exporters.rewrites.prelude import pixels_in
from inference.parity import compare, spread
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SIZE = 16


def exported(network: nn.Module) -> ModelProto:
    chain = pixels_in(network, InputSpec(size=SIZE, resize=SIZE))
    return to_onnx(rewrite(chain, ("fold_batch_norms", "pool_by_rows")).chain, SIZE)


@pytest.fixture(scope="module")
def tiny(make_tiny: Callable[[], nn.Module]) -> ModelProto:
    return exported(make_tiny())


def logits(model: ModelProto) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(None, {"pixels": varied_pictures(32, SIZE, 3)})[0]
    return found


def test_half_answers_are_the_float_ones_nearly(tiny: ModelProto) -> None:
    expected, answers = logits(tiny), logits(to_half(tiny))
    assert answers.dtype == np.float32
    bound = 0.03 * spread(expected)
    assert compare(answers, expected, reference="float", bound=bound, precision="fp16").holds
    assert np.abs(answers - expected).max() > 1e-5


def test_half_graph_has_one_type_per_operator(tiny: ModelProto) -> None:
    """As strongly typed networks demand: all float inputs and outputs of a node are alike."""
    half = to_half(tiny)
    graph = read_graph(half)
    initial = {tensor.name: tensor.data_type for tensor in half.graph.initializer}
    kinds = {TensorProto.FLOAT, TensorProto.FLOAT16}
    for node in half.graph.node:
        if node.op_type == "Cast":
            continue
        types = {initial.get(name, graph.types.get(name)) for name in (*node.input, *node.output)}
        assert len(types & kinds) <= 1, node
    layers = [node for node in half.graph.node if node.op_type in {"Conv", "Gemm"}]
    assert len(layers) == 6
    assert all(graph.types.get(n.output[0]) == TensorProto.FLOAT16 for n in layers[:-1])


def test_half_prelude_stays_in_float32(tiny: ModelProto) -> None:
    half = to_half(tiny)
    before = [node.op_type for node in half.graph.node][:5]
    assert before == ["Transpose", "Cast", "Sub", "Mul", "Cast"]
    types = read_graph(half).types
    subtract = next(node for node in half.graph.node if node.op_type == "Sub")
    assert types[subtract.output[0]] == TensorProto.FLOAT


def test_half_ports_are_those_of_the_float_graph(tiny: ModelProto) -> None:
    half = to_half(tiny)
    assert list(half.graph.input) == list(tiny.graph.input)
    assert list(half.graph.output) == list(tiny.graph.output)


def test_half_long_means_stay_in_float32() -> None:
    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 4, 1)
            self.head = nn.Linear(4, 3)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.head(self.convolution(x).mean((2, 3)))

    half = to_half(exported(Pooled().eval()))
    types = read_graph(half).types
    mean = next(node for node in half.graph.node if node.op_type == "ReduceMean")
    assert types[mean.output[0]] == TensorProto.FLOAT
    onnx.checker.check_model(half, full_check=True)


def test_half_refuses_a_weight_that_overflows(tiny: ModelProto) -> None:
    changed = ModelProto()
    changed.CopyFrom(tiny)
    tensor = next(t for t in changed.graph.initializer if t.name.endswith("narrow.weight"))
    values = numpy_helper.to_array(tensor).copy()
    values[0, 0] = 70_000.0
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    with pytest.raises(InputError, match=r"narrow\.weight of layer narrow reaches 7e\+04, .*65504"):
        to_half(changed)


def test_half_refuses_a_feature_map_that_overflows(make_tiny: Callable[[], nn.Module]) -> None:
    network = make_tiny()
    network.get_submodule("wide.0").get_parameter("weight").data *= 1e5
    model = exported(network)
    ranges = collect_ranges(model, varied_pictures(8, SIZE, 0))
    with pytest.raises(InputError, match=r"the feature map .* of layer wide\.0 reaches"):
        to_half(model, ranges)
