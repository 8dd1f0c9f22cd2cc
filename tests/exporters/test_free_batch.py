import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
from onnx import helper, numpy_helper

from exporters.free_batch import BATCH, free_batch
from exporters.onnx_ports import picture_input
from tests.classifiers import SIZE, Foreign


def _free(foreign: Foreign, edit: str = "") -> onnx.ModelProto:
    model = onnx.shape_inference.infer_shapes(foreign.model())
    if edit == "allowzero":
        node = next(node for node in model.graph.node if node.op_type == "Reshape")
        node.attribute.append(helper.make_attribute("allowzero", 1))
    return free_batch(model, picture_input(model), SIZE)


def _shapes(model: onnx.ModelProto) -> list[list[int]]:
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    nodes = [node for node in model.graph.node if node.op_type == "Reshape"]
    return [constants[node.input[1]].tolist() for node in nodes]


def _run(model: onnx.ModelProto, batch: int) -> tuple[int, ...]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (answers,) = session.run(None, {"images": np.ones((batch, 3, SIZE, SIZE), np.float32)})
    shape: tuple[int, ...] = answers.shape
    return shape


def test_free_batch_reshape_keeps_the_batch_it_gets() -> None:
    freed = _free(Foreign(batch=1, flatten="Reshape"))

    assert _shapes(freed) == [[0, 8]]
    assert freed.graph.input[0].type.tensor_type.shape.dim[0].dim_param == BATCH
    assert _run(freed, 5) == (5, 6)


def test_free_batch_reshape_that_takes_zero_for_zero() -> None:
    assert _run(_free(Foreign(batch=2, flatten="Reshape", opset=14), "allowzero"), 5) == (5, 6)


def test_free_batch_shape_that_others_share_stays() -> None:
    model = onnx.shape_inference.infer_shapes(Foreign(batch=1, flatten="Reshape").model())
    model.graph.node.append(helper.make_node("Identity", ["flat"], ["kept"]))

    freed = free_batch(model, picture_input(model), SIZE)

    constants = {t.name: numpy_helper.to_array(t).tolist() for t in freed.graph.initializer}
    assert constants["flat"] == [1, 8]
    assert _shapes(freed) == [[0, 8]]


def test_free_batch_of_a_shape_in_a_constant_node() -> None:
    model = Foreign(batch=1, flatten="Reshape").model()
    shape = next(t for t in model.graph.initializer if t.name == "flat")
    node = helper.make_node("Constant", [], ["flat"], value=shape)
    model.graph.initializer.remove(shape)
    model.graph.node.insert(0, node)
    inferred = onnx.shape_inference.infer_shapes(model)

    assert _run(free_batch(inferred, picture_input(inferred), SIZE), 5) == (5, 6)


def test_free_batch_that_is_free_already_changes_no_reshape() -> None:
    assert _shapes(_free(Foreign(flatten="Reshape"))) == [[1, 8]]


def test_free_batch_leaves_the_model_it_got_alone() -> None:
    model = onnx.shape_inference.infer_shapes(Foreign(batch=1, flatten="Reshape").model())
    before = model.SerializeToString(deterministic=True)

    free_batch(model, picture_input(model), SIZE)

    assert model.SerializeToString(deterministic=True) == before
