"""What cannot be imported, and what is said about it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.imported import Wanted, import_onnx
from inference.errors import ParityError
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from tests.classifiers import SIZE, Foreign, add_output

SPEC = InputSpec(size=SIZE, resize=SIZE + 2)
Edit = Callable[[onnx.ModelProto], None]


def _unseen(step: str) -> None:
    """Where nobody watches."""


def _import(tmp_path: Path, model: onnx.ModelProto, **wanted: Any) -> None:
    onnx.save_model(model, tmp_path / "model.onnx")
    import_onnx(
        tmp_path / "model.onnx",
        Wanted(**{"spec": SPEC, **wanted}),
        repository=tmp_path / "artifacts",
        report=_unseen,
    )


def _second_input(model: onnx.ModelProto) -> None:
    model.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


def _half(model: onnx.ModelProto) -> None:
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "matrix")
    values = numpy_helper.to_array(weight).astype(np.float16)
    weight.CopyFrom(numpy_helper.from_array(values, "half"))
    node = helper.make_node("Cast", ["half"], ["matrix"], to=TensorProto.FLOAT)
    model.graph.node.insert(0, node)


def _quantised(model: onnx.ModelProto) -> None:
    scale = numpy_helper.from_array(np.array(0.1, np.float32), "scale")
    model.graph.initializer.append(scale)
    quantise = helper.make_node("QuantizeLinear", ["images", "scale"], ["coarse"])
    back = helper.make_node("DequantizeLinear", ["coarse", "scale"], ["fine"])
    conv = model.graph.node[0]
    conv.input[0] = "fine"
    model.graph.node.insert(0, back)
    model.graph.node.insert(0, quantise)


def _two_heads(model: onnx.ModelProto) -> None:
    add_output(model, "vector", ["batch", 8])


def _not_finite(model: onnx.ModelProto) -> None:
    weight = next(tensor for tensor in model.graph.initializer if tensor.name == "biases")
    weight.CopyFrom(numpy_helper.from_array(np.full(6, np.nan, np.float32), "biases"))


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        pytest.param(_second_input, r"has 2 inputs: .*; more float \(1\); expected one", id="two"),
        pytest.param(_two_heads, "2 outputs look like a classifier's", id="two-heads"),
        pytest.param(_half, "does not compute in float32: it has float16", id="half"),
        pytest.param(_quantised, "it has DequantizeLinear, QuantizeLinear", id="quantised"),
        pytest.param(_not_finite, "not all of them finite", id="not-finite"),
    ],
)
def test_import_of_a_graph_that_does_not_fit(tmp_path: Path, edit: Edit, told: str) -> None:
    model = Foreign().model()
    edit(model)

    with pytest.raises(InputError, match=told):
        _import(tmp_path, model)
    assert not list((tmp_path / "artifacts").glob("*"))


@pytest.mark.parametrize(
    ("foreign", "wanted", "told"),
    [
        pytest.param(
            Foreign(end="Sigmoid"), {}, "ends in a Sigmoid: its classes do not exclude",
            id="sigmoid",
        ),
        pytest.param(
            Foreign(sides=("h", "w")), {"spec": None},
            r"takes pictures of any size at images, and none was given.*--input-spec",
            id="size-unknown",
        ),
        pytest.param(
            Foreign(), {"spec": InputSpec(size=32, resize=32)},
            "--input-spec says 32 pixels and the model takes 16 x 16", id="other-size",
        ),
        pytest.param(
            Foreign(), {"labels": ("a", "b")}, "labels: 2 labels for 6 classes", id="labels",
        ),
        pytest.param(Foreign(), {"name": "No Name"}, "artifact name 'No Name'", id="name"),
        pytest.param(Foreign(sides=(16, 8)), {}, "not square", id="not-square"),
    ],
)  # fmt: skip
def test_import_of_what_does_not_fit_together(
    tmp_path: Path, foreign: Foreign, wanted: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=told):
        _import(tmp_path, foreign.model(), **wanted)


def test_import_of_a_batch_that_cannot_be_made_free(tmp_path: Path) -> None:
    """A tensor of one picture's shape is joined to each picture."""
    model = Foreign(batch=1, flatten="none").model()
    model.graph.initializer.append(
        numpy_helper.from_array(np.ones((1, 8, 1, 1), np.float32), "token")
    )
    conv = model.graph.node[-1]
    model.graph.node.insert(
        len(model.graph.node) - 1,
        helper.make_node("Concat", ["means", "token"], ["joined"], axis=2),
    )
    model.graph.node.insert(
        len(model.graph.node) - 1, helper.make_node("GlobalMaxPool", ["joined"], ["highest"])
    )
    conv.input[0] = "highest"

    with pytest.raises(
        InputError,
        match=r"for a batch of 1 and cannot take batches of other sizes: .*dynamic batch",
    ):
        _import(tmp_path, model)


def test_import_that_answers_otherwise_never_becomes_an_artifact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mean that is not the model's, put in after the checks of the batch."""
    from exporters import imported

    written = imported._write_model

    def wrong(path: Path, *arguments: Any) -> onnx.ModelProto:
        model = written(path, *arguments)
        changed = onnx.load(path)
        for tensor in changed.graph.initializer:
            if tensor.name == "pixels/mean":
                values = numpy_helper.to_array(tensor) + np.float32(1.0)
                tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        onnx.save_model(changed, path)
        return model

    monkeypatch.setattr(imported, "_write_model", wrong)

    with pytest.raises(ParityError, match="model-onnx-fp32 on onnxruntime does not answer"):
        _import(tmp_path, Foreign().model())
    assert not list((tmp_path / "artifacts").glob("*"))
