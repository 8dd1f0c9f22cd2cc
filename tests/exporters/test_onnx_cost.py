from collections.abc import Callable

import onnx
import pytest
from onnx import TensorProto, helper
from torch import nn

from exporters.free_batch import free_batch
from exporters.onnx_cost import onnx_cost
from exporters.onnx_export import to_onnx
from exporters.onnx_ports import picture_input
from exporters.rewrites.prelude import pixels_in
from measuring.input_spec import InputSpec
from models import cost, create
from tests.classifiers import CLASSES, SIZE, Foreign


def test_onnx_cost_of_a_graph_counted_by_hand() -> None:
    found = onnx_cost(Foreign().model())

    image, maps, kernels = 3 * SIZE * SIZE, 8 * 7 * 7, 8 * 27 + 8
    product = 8 * CLASSES + CLASSES
    assert found.macs == maps * 27 + 8 * CLASSES
    assert found.parameters == kernels + product
    convolution = image + kernels + maps
    pooling, relu, gemm = maps + 8, 2 * maps, 8 + product + CLASSES
    assert found.bytes_moved == 4 * (convolution + relu + pooling + gemm)


def test_onnx_cost_leaves_the_prelude_out() -> None:
    model = Foreign(uint8=True).model()

    # Cast and Mul read `images` and `wide`; the product of the bytes is the graph's own.
    with_all, without = onnx_cost(model), onnx_cost(model, without="images")

    assert without.macs == with_all.macs
    assert with_all.bytes_moved - without.bytes_moved == 4 * 2 * 3 * SIZE * SIZE


@pytest.mark.parametrize("name", ["shufflenet_v2_x0_5", "fasternet_t0"])
def test_onnx_cost_counts_as_the_networks_do(name: str) -> None:
    network = create(name).eval()

    counted = cost(network, 64)
    found = onnx_cost(_exported(network, 64), without="pixels")

    assert found.macs == counted.macs
    # BatchNorms may have been folded, and formulas of activations written out.
    assert found.parameters == pytest.approx(counted.parameters, rel=0.03)
    assert found.bytes_moved == pytest.approx(counted.bytes_moved, rel=0.5)


def test_onnx_cost_of_a_tiny_network_with_every_layer(
    make_tiny: Callable[[], nn.Module],
) -> None:
    network = make_tiny()

    assert onnx_cost(_exported(network, SIZE)).macs == cost(network, SIZE).macs


def _exported(network: nn.Module, size: int) -> onnx.ModelProto:
    return to_onnx(pixels_in(network, InputSpec(size=size, resize=size)), size)


@pytest.mark.parametrize(
    ("nodes", "macs"),
    [
        pytest.param(
            [helper.make_node("ConvTranspose", ["x", "up"], ["y"], strides=[2, 2])],
            3 * 8 * 8 * 4 * 2 * 2, id="transposed-convolution",
        ),
        pytest.param([helper.make_node("MatMul", ["x", "square"], ["y"])], 3 * 8 * 8 * 8,
                     id="matrix-product"),
    ],
)  # fmt: skip
def test_onnx_cost_of_other_products(nodes: list[onnx.NodeProto], macs: int) -> None:
    shapes = {"up": (3, 4, 2, 2), "square": (8, 8)}
    used = {name for node in nodes for name in node.input}
    constants = [
        helper.make_tensor(name, TensorProto.FLOAT, shape, [0.5] * _size(shape))
        for name, shape in shapes.items()
        if name in used
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 8, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        constants,
    )

    assert onnx_cost(helper.make_model(graph)).macs == macs


def _size(shape: tuple[int, ...]) -> int:
    size = 1
    for side in shape:
        size *= side
    return size


def test_onnx_cost_is_for_one_picture_of_a_freed_batch() -> None:
    model = onnx.shape_inference.infer_shapes(Foreign(batch=4, flatten="Reshape").model())

    freed = free_batch(model, picture_input(model), SIZE)

    assert onnx_cost(freed).macs == onnx_cost(Foreign().model()).macs
