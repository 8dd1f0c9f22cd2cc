import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import TensorProto, helper

from exporters.tensorrt_graph import cast_before_transpose
from measuring.pictures import varied_pictures
from tests.tiny import tiny_model


def _transposing_first() -> onnx.ModelProto:
    nodes = [
        helper.make_node("Transpose", ["pixels"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("Cast", ["first"], ["wide"], to=TensorProto.FLOAT),
        helper.make_node("GlobalAveragePool", ["wide"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N", 8, 8, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 3])],
        value_info=[helper.make_tensor_value_info("first", TensorProto.UINT8, ["N", 3, 8, 8])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def _answers(model: onnx.ModelProto) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    logits: np.ndarray[tuple[int, ...], np.dtype[np.float32]]
    (logits,) = session.run(None, {"pixels": varied_pictures(4, 8, 3)})
    return logits


def test_cast_comes_first_and_nothing_else_changes() -> None:
    model = _transposing_first()

    turned = cast_before_transpose(model)

    onnx.checker.check_model(turned, full_check=True)
    assert [node.op_type for node in turned.graph.node][:2] == ["Cast", "Transpose"]
    assert [node.op_type for node in model.graph.node][:2] == ["Transpose", "Cast"]
    np.testing.assert_array_equal(_answers(turned), _answers(model))


def test_graph_that_casts_first_stays_as_it_is() -> None:
    model = tiny_model(np.ones((3, 5), np.float32), size=8)

    assert cast_before_transpose(model) == model


def test_bytes_that_go_two_ways_stay_as_they_are() -> None:
    model = _transposing_first()
    model.graph.node.append(helper.make_node("Shape", ["pixels"], ["shape"]))

    assert cast_before_transpose(model) == model
