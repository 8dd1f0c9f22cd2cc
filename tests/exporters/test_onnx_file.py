from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from exporters.onnx_file import read_onnx
from measuring.errors import InputError
from tests.classifiers import Foreign

Damage = Callable[[bytes], bytes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save_model(Foreign().model(), path)
    return path


def _split(path: Path, location: str = "model.data") -> onnx.ModelProto:
    """The weights in a file beside the model, which is then changed to name `location`."""
    onnx.save_model(
        Foreign().model(),
        path,
        save_as_external_data=True,
        location="model.data",
        size_threshold=0,
    )
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path.write_bytes(model.SerializeToString())
    return model


def test_read_onnx_gives_the_model_as_it_is(path: Path) -> None:
    assert read_onnx(path).model == Foreign().model()


def test_read_onnx_takes_weights_beside_the_file_in(path: Path) -> None:
    _split(path)

    file = read_onnx(path)

    assert file.model.graph.initializer[0].data_location == TensorProto.DEFAULT
    first = numpy_helper.to_array(file.model.graph.initializer[0])
    np.testing.assert_array_equal(
        first, numpy_helper.to_array(Foreign().model().graph.initializer[0])
    )


def test_read_onnx_other_weights_beside_the_file_are_another_sha256(path: Path) -> None:
    _split(path)
    before = read_onnx(path).sha256
    weights = path.with_name("model.data")
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")

    assert read_onnx(path).sha256 != before


@pytest.mark.parametrize(
    "location", ["../model.data", "/etc/hostname", "below/model.data", ".", "", "a\\b", ".hidden"]
)
def test_read_onnx_weights_elsewhere_are_refused(path: Path, location: str) -> None:
    _split(path, location)

    with pytest.raises(InputError, match="expected the plain name of a file beside it"):
        read_onnx(path)


def test_read_onnx_weights_behind_a_link_are_refused(path: Path) -> None:
    _split(path)
    weights = path.with_name("model.data")
    weights.rename(path.with_name("elsewhere"))
    weights.symlink_to(path.with_name("elsewhere"))

    with pytest.raises(InputError, match=r"model\.data is a link, expected the weights"):
        read_onnx(path)


def test_read_onnx_follows_the_link_that_the_user_named(path: Path) -> None:
    path.with_name("link.onnx").symlink_to(path)

    assert read_onnx(path.with_name("link.onnx")).sha256 == read_onnx(path).sha256


def test_read_onnx_weights_that_are_missing_are_named(path: Path) -> None:
    _split(path)
    path.with_name("model.data").unlink()

    with pytest.raises(InputError, match=r"model\.data is not a file"):
        read_onnx(path)


def test_read_onnx_weights_that_are_too_short_are_refused(path: Path) -> None:
    _split(path)
    path.with_name("model.data").write_bytes(b"1234")

    with pytest.raises(InputError, match="is not valid ONNX"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        pytest.param(lambda _: b"graph: none of this\n", "is no ONNX model", id="text"),
        pytest.param(lambda _: b"", "is no ONNX model: it has no graph", id="empty"),
        pytest.param(lambda data: data[: len(data) // 2], "is no ONNX model", id="truncated"),
        pytest.param(lambda _: b"\x89PNG\r\n\x1a\n" + bytes(99), "begins with", id="picture"),
    ],
)
def test_read_onnx_of_another_file_says_what_it_begins_with(
    path: Path, damage: Damage, told: str
) -> None:
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(InputError, match=told):
        read_onnx(path)


def test_read_onnx_cut_anywhere_is_an_input_error(path: Path) -> None:
    data = path.read_bytes()
    for length in range(0, len(data), 37):
        path.write_bytes(data[:length])
        with pytest.raises(InputError):
            read_onnx(path)


@pytest.mark.parametrize("name", ["absent.onnx", "."])
def test_read_onnx_of_no_file(path: Path, name: str) -> None:
    with pytest.raises(InputError, match="is not a file"):
        read_onnx(path.parent / name)


def test_read_onnx_far_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporters.onnx_file.MOST_BYTES", 1000)

    with pytest.raises(InputError, match=r"has [\d,]+ bytes, expected at most 1,000"):
        read_onnx(path)


def test_read_onnx_far_too_large_together(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _split(path)
    size = path.stat().st_size
    monkeypatch.setattr("exporters.onnx_file.MOST_BYTES", size + 100)

    with pytest.raises(InputError, match=r"model\.data has [\d,]+ bytes, expected at most 100"):
        read_onnx(path)


def test_read_onnx_operators_of_somebody_else_are_named(path: Path) -> None:
    model = Foreign().model()
    model.graph.node[1].domain = "com.example"
    model.opset_import.append(helper.make_opsetid("com.example", 1))
    onnx.save_model(model, path)

    with pytest.raises(InputError, match=r"not ONNX's own: com\.example\.Relu; expected the stand"):
        read_onnx(path)


def test_read_onnx_branches_are_refused(path: Path) -> None:
    model = Foreign().model()
    inner = helper.make_graph([helper.make_node("Relu", ["maps"], ["inner"])], "inner", [], [])
    node = helper.make_node("If", ["maps"], ["positive"], then_branch=inner, else_branch=inner)
    model.graph.node[1].CopyFrom(node)
    onnx.save_model(model, path)

    with pytest.raises(InputError, match="graphs within If, expected one graph without branches"):
        read_onnx(path)


def test_read_onnx_functions_of_the_model_are_written_out(path: Path) -> None:
    model = Foreign().model()
    imports = [helper.make_opsetid("", 17)]
    function = helper.make_function(
        "mine", "Act", ["x"], ["y"], [helper.make_node("Relu", ["x"], ["y"])], imports
    )
    model.functions.append(function)
    model.graph.node[1].op_type, model.graph.node[1].domain = "Act", "mine"
    model.opset_import.append(helper.make_opsetid("mine", 1))
    onnx.save_model(model, path)

    read = read_onnx(path).model

    assert [node.op_type for node in read.graph.node] == [
        node.op_type for node in Foreign().model().graph.node
    ]


def test_read_onnx_weights_of_another_size_than_their_shape(path: Path) -> None:
    model = Foreign().model()
    tensor = next(entry for entry in model.graph.initializer if entry.name == "matrix")
    tensor.raw_data = tensor.raw_data[:-4]
    onnx.save_model(model, path)

    with pytest.raises(InputError, match="is not valid ONNX"):
        read_onnx(path)


def test_read_onnx_weights_of_a_type_that_does_not_exist(path: Path) -> None:
    model = Foreign().model()
    model.graph.initializer[0].data_type = 74
    path.write_bytes(model.SerializeToString())

    with pytest.raises(InputError, match="is not valid ONNX"):
        read_onnx(path)


def test_read_onnx_old_opset_is_converted(path: Path) -> None:
    onnx.save_model(Foreign(opset=6).model(), path)

    model = read_onnx(path).model

    assert model.opset_import[0].version == 13
    assert model.graph.input[0] == Foreign().model().graph.input[0]
    onnx.checker.check_model(model, full_check=True)


def test_read_onnx_old_opset_that_cannot_be_converted_says_what_to_do(path: Path) -> None:
    model = Foreign(opset=6).model()
    model.graph.node[1].CopyFrom(helper.make_node("Upsample", ["maps"], ["positive"],
                                                  width_scale=2.0, height_scale=2.0))  # fmt: skip
    model.opset_import[0].version = 1
    onnx.save_model(model, path)

    with pytest.raises(
        InputError, match=r"is of opset 1, which cannot be converted to 13: .*export"
    ):
        read_onnx(path)
