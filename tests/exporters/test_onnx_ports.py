from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from exporters.onnx_ports import ClassOutput, PictureInput, class_output, picture_input
from measuring.errors import InputError
from tests.classifiers import Foreign


def _with_input(kind: int, shape: list[Any]) -> onnx.ModelProto:
    model = Foreign().model()
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("images", kind, shape))
    return model


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        pytest.param([1, 3, 32, 32], PictureInput("images", "NCHW", 1, 32, False), id="fixed"),
        pytest.param(["N", 3, 32, 32], PictureInput("images", "NCHW", None, 32, False), id="free"),
        pytest.param([2, 32, 32, 3], PictureInput("images", "NHWC", 2, 32, False), id="last"),
        pytest.param([None, 3, "H", "W"], PictureInput("images", "NCHW", None, None, False),
                     id="nothing-fixed"),
        pytest.param([1, "H", 32, 3], PictureInput("images", "NHWC", 1, 32, False), id="one-side"),
    ],
)  # fmt: skip
def test_picture_input_is_read_from_the_shape(shape: list[Any], expected: PictureInput) -> None:
    assert picture_input(_with_input(TensorProto.FLOAT, shape)) == expected


def test_picture_input_of_bytes() -> None:
    assert picture_input(_with_input(TensorProto.UINT8, [1, 3, 8, 8])).is_uint8


def test_picture_input_leaves_weights_among_the_inputs_out() -> None:
    """As files of old versions have it."""
    model = Foreign().model()
    shape = list(model.graph.initializer[0].dims)
    name = model.graph.initializer[0].name
    model.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    assert picture_input(model).name == "images"


@pytest.mark.parametrize(
    ("kind", "shape", "told"),
    [
        pytest.param(TensorProto.FLOAT16, [1, 3, 8, 8], r"float16 \(1, 3, 8, 8\), exp", id="half"),
        pytest.param(99, [1, 3, 8, 8], r"images type 99 \(1, 3, 8, 8\)", id="no-type-at-all"),
        pytest.param(TensorProto.FLOAT, [1, 192], r"float \(1, 192\), expected", id="flat"),
        pytest.param(TensorProto.FLOAT, [1, 1, 8, 8], "nothing has three channels", id="grey"),
        pytest.param(TensorProto.FLOAT, ["N", "C", "H", "W"], "nothing has three", id="unknown"),
        pytest.param(TensorProto.FLOAT, [1, 3, 3, 3], "either could be the channels", id="either"),
        pytest.param(TensorProto.FLOAT, [1, 3, 8, 9], "not square", id="not-square"),
    ],
)
def test_picture_input_that_is_none_is_told(kind: int, shape: list[Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        picture_input(_with_input(kind, shape))


@pytest.mark.parametrize(
    ("foreign", "expected"),
    [
        pytest.param(Foreign(), ClassOutput("scores", 6, 2, None), id="logits"),
        pytest.param(Foreign(flatten="none"), ClassOutput("scores", 6, 4, None), id="four"),
        pytest.param(Foreign(end="Softmax"), ClassOutput("scores", 6, 2, "Softmax"), id="softmax"),
        pytest.param(
            Foreign(end="Softmax", flatten="none"), ClassOutput("scores", 6, 4, "Softmax"),
            id="softmax-of-four",
        ),
        pytest.param(
            Foreign(end="LogSoftmax"), ClassOutput("scores", 6, 2, "LogSoftmax"), id="log-softmax",
        ),
    ],
)  # fmt: skip
def test_class_output_is_the_logits(foreign: Foreign, expected: ClassOutput) -> None:
    assert class_output(onnx.shape_inference.infer_shapes(foreign.model())) == expected


def test_class_output_finds_a_softmax_before_what_passes_it_on() -> None:
    model = Foreign(end="Softmax", flatten="none").model()
    model.graph.node.append(helper.make_node("Flatten", ["ended"], ["flat"], axis=1))
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("flat", TensorProto.FLOAT, ["batch", 6])
    )

    found = class_output(onnx.shape_inference.infer_shapes(model))

    assert found == ClassOutput("scores", 6, 4, "Softmax")


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        pytest.param(["batch", 1], "0 outputs look like a classifier's", id="one-class"),
        pytest.param(["batch", 6, 7, 7], "0 outputs look like a classifier's", id="maps"),
        pytest.param(["batch"], r"in: scores float \(free\); expected one", id="one-dimension"),
    ],
)
def test_class_output_that_is_none_is_told(shape: list[Any], told: str) -> None:
    model = Foreign().model()
    model.graph.output[0].CopyFrom(
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)
    )

    with pytest.raises(InputError, match=told):
        class_output(model)
