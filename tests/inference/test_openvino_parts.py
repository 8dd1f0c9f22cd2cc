"""Into how many parts a batch is cut, and from what that is known."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from inference.open_engine import open_engine
from inference.openvino_parts import last_cache, parts_of, widest_layer
from measuring.pictures import varied_pictures
from tests.tiny_convolution import CLASSES, SIZE, tiny_convolution, write_convolution

pytest.importorskip("inference.openvino_engine", reason="OpenVINO is not installed")

from inference import openvino_engine

# What the tiny convolution reads and writes, a 3x3 kernel without a border.
NUMBERS = 3 * SIZE**2 + CLASSES * (SIZE - 2) ** 2


@pytest.mark.parametrize(
    ("batch", "threads", "widest", "parts"),
    [
        pytest.param(8, 1, 5, 1, id="all-of-it-fits"),
        pytest.param(8, 1, 6, 2, id="a-half-fits"),
        pytest.param(8, 1, 20, 4, id="a-quarter-fits"),
        pytest.param(8, 1, 41, 1, id="not-even-one-picture-fits"),
        pytest.param(8, 2, 5, 2, id="a-part-for-each-thread"),
        pytest.param(8, 2, 20, 4, id="as-many-parts-for-each-thread"),
        pytest.param(6, 4, 5, 1, id="threads-that-cannot-share-it"),
        pytest.param(6, 4, 20, 3, id="threads-that-cannot-share-it-and-a-third-fits"),
        pytest.param(7, 1, 20, 7, id="prime"),
        pytest.param(1, 2, 50, 1, id="one"),
    ],
)
def test_parts_are_the_fewest_that_fit(batch: int, threads: int, widest: int, parts: int) -> None:
    assert parts_of(batch, threads=threads, widest=widest, cache=80) == parts


def test_widest_layer_counts_what_is_read_and_written() -> None:
    weights = np.ones((CLASSES, 3, 3, 3), np.int8)
    model = openvino_engine.read_graph(tiny_convolution(weights, "fp32").SerializeToString())
    assert widest_layer(model, 2) == 0  # the number of pictures is free
    model.reshape([1, SIZE, SIZE, 3])
    assert widest_layer(model, 2) == 2 * NUMBERS


def test_widest_layer_of_a_model_without_one_is_nothing() -> None:
    graph = helper.make_graph(
        [helper.make_node("Relu", ["pixels"], ["logits"])],
        "no layer",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    assert widest_layer(openvino_engine.read_graph(model.SerializeToString()), 4) == 0


def test_last_cache_is_the_largest_that_the_kernel_shows(tmp_path: Path) -> None:
    for index, size in enumerate(("32K", "1024K", "32768K", "nonsense")):
        folder = tmp_path / "cpu0" / "cache" / f"index{index}"
        folder.mkdir(parents=True)
        (folder / "size").write_text(f"{size}\n")
    assert last_cache(tmp_path) == 32768 << 10


def test_last_cache_is_guessed_where_the_kernel_is_silent(tmp_path: Path) -> None:
    assert last_cache(tmp_path) == 32 << 20


def test_openvino_cuts_a_batch_that_the_cache_cannot_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = open_engine(write_convolution(tmp_path, "fp32"), runtime="openvino", threads=1)
    assert isinstance(whole, openvino_engine.OpenVinoEngine)
    pixels = varied_pictures(8, SIZE, seed=2)
    expected = whole.infer(pixels)
    whole.close()
    parts_of_two = 2 * (2 * 4 * NUMBERS)
    monkeypatch.setattr(openvino_engine, "last_cache", lambda: parts_of_two)

    cut = open_engine(write_convolution(tmp_path / "cut", "fp32"), runtime="openvino", threads=1)

    assert isinstance(cut, openvino_engine.OpenVinoEngine)
    np.testing.assert_allclose(cut.infer(pixels), expected, atol=1e-6)
    compiled = len(cut.compiled())
    cut.infer(pixels[:2])  # of the same parts
    assert len(cut.compiled()) == compiled
    assert all(model.get_property("NUM_STREAMS") == 1 for model in cut.compiled())
    cut.close()
