"""Int8 graphs of a small network: what runs in integers, and that the answers survive."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from onnx import ModelProto, numpy_helper
from torch import nn

from exporters.calibration import collect_ranges
from exporters.onnx_export import to_onnx
from exporters.quantise import SCHEMES, quantise
from exporters.rewrites import rewrite
from exporters.rewrites.prelude import pixels_in
from inference.parity import compare, spread
from measuring.errors import CheckError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from models import create
from models.untrained import calibrate

SIZE = 32
CONVOLUTIONS = 52

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


@pytest.fixture(scope="module")
def pictures() -> Pixels:
    return varied_pictures(32, SIZE, 99)


def exported(network: nn.Module, size: int) -> ModelProto:
    chain = pixels_in(network.eval(), InputSpec(size=size, resize=size))
    return to_onnx(rewrite(chain, ("fold_batch_norms", "pool_by_rows")).chain, size)


@pytest.fixture(scope="module")
def mobilenet() -> ModelProto:
    """Convolutions of every kind: dense, depthwise and pointwise, with clamps and shortcuts."""
    network = create("mobilenet_v2", 20).eval()
    calibrate(network, SIZE)
    return exported(network, SIZE)


@pytest.fixture(scope="module")
def tiny(make_tiny: Callable[[], nn.Module]) -> ModelProto:
    return exported(make_tiny(), 16)


def logits(model: ModelProto, pixels: Pixels) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = session.run(
        None, {"pixels": pixels}
    )[0]
    return found


def executed_by_onnxruntime(model: ModelProto, folder: Path) -> Counter[str]:
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)


@pytest.mark.parametrize("scheme", ["vnni", "vnni-ort", "reduced"])
def test_quantised_convolutions_all_run_in_integers_on_onnxruntime(
    mobilenet: ModelProto, pictures: Pixels, scheme: str, tmp_path: Path
) -> None:
    low = quantise(mobilenet, collect_ranges(mobilenet, pictures), SCHEMES[scheme])
    found = executed_by_onnxruntime(low, tmp_path)
    assert (found["QLinearConv"], found["Conv"]) == (CONVOLUTIONS, 0)
    assert (found["QGemm"], found["QLinearAdd"], found["QLinearGlobalAveragePool"]) == (1, 10, 1)
    assert found["QuantizeLinear"] == 1  # of the pixels
    assert found["DequantizeLinear"] == 0


def test_quantised_convolutions_all_run_in_integers_on_openvino(
    mobilenet: ModelProto, pictures: Pixels
) -> None:
    engine = pytest.importorskip("inference.openvino_engine", reason="OpenVINO is not installed")
    low = quantise(mobilenet, collect_ranges(mobilenet, pictures), SCHEMES["vnni"])
    core = engine.ov.Core()
    executed = engine.executed(core.compile_model(core.read_model(low.SerializeToString()), "CPU"))
    convolutions = {
        precision: count for (kind, precision), count in executed.items() if kind == "Convolution"
    }
    assert convolutions == {"u8": CONVOLUTIONS}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_quantised_answers_are_the_float_ones_nearly(
    mobilenet: ModelProto, pictures: Pixels, scheme: str
) -> None:
    low = quantise(mobilenet, collect_ranges(mobilenet, pictures), SCHEMES[scheme])
    asked = varied_pictures(32, SIZE, 5)
    expected = logits(mobilenet, asked)
    bound = 0.35 * spread(expected)
    parity = compare(logits(low, asked), expected, reference="float", bound=bound, precision="int8")
    assert parity.holds
    assert 0.01 * spread(expected) < parity.distance


@pytest.mark.parametrize(("scheme", "largest"), [("vnni", 127), ("reduced", 63)])
def test_quantised_weights_have_the_bits_of_their_scheme(
    tiny: ModelProto, scheme: str, largest: int
) -> None:
    ranges = collect_ranges(tiny, varied_pictures(16, 16, 1))
    graph = quantise(tiny, ranges, SCHEMES[scheme]).graph
    weights = [
        numpy_helper.to_array(tensor)
        for tensor in graph.initializer
        if tensor.name.endswith("_weight_quantised")
    ]
    assert len(weights) == 6
    assert {int(np.abs(values.astype(np.int64)).max()) for values in weights} == {largest}


def test_symmetric_scheme_has_signed_feature_maps_and_float_biases(tiny: ModelProto) -> None:
    ranges = collect_ranges(tiny, varied_pictures(16, 16, 1))
    graph = quantise(tiny, ranges, SCHEMES["symmetric"]).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    points = [constants[node.input[2]] for node in graph.node if node.op_type == "QuantizeLinear"]
    assert points
    assert all(point.dtype == np.int8 and point == 0 for point in points)
    assert not any(values.dtype == np.int32 for values in constants.values())


def test_moved_data_keeps_its_scale(tiny: ModelProto) -> None:
    """Split, partial convolution and Concat of the tiny network share one."""
    ranges = collect_ranges(tiny, varied_pictures(16, 16, 1))
    graph = quantise(tiny, ranges, SCHEMES["vnni"]).graph
    scales = {node.input[0]: node.input[1] for node in graph.node if node.op_type[0] == "Q"}
    split = next(node for node in graph.node if node.op_type == "Split")
    concat = next(node for node in graph.node if node.op_type == "Concat")
    joined = [*split.output, *concat.output]
    assert len({scales[name] for name in joined}) == 1


def test_kept_layer_stays_in_float(tiny: ModelProto, tmp_path: Path) -> None:
    ranges = collect_ranges(tiny, varied_pictures(16, 16, 1))
    first = next(node.output[0] for node in tiny.graph.node if node.op_type == "Conv")
    low = quantise(tiny, ranges, SCHEMES["vnni-ort"], keep=frozenset({first}))
    found = executed_by_onnxruntime(low, tmp_path)
    assert (found["Conv"] + found["FusedConv"], found["QLinearConv"]) == (1, 3)


def test_bias_takes_back_what_rounded_weights_add(tiny: ModelProto) -> None:
    """Over the pictures calibrated on, the logits do not drift to one side."""
    pictures = varied_pictures(64, 16, 1)
    low = quantise(tiny, collect_ranges(tiny, pictures), SCHEMES["reduced"])
    difference = logits(low, pictures) - logits(tiny, pictures)
    assert np.abs(difference.mean(axis=0)).max() < 0.5 * difference.std(axis=0).max()


def test_dead_channel_is_no_division_by_zero(make_tiny: Callable[[], nn.Module]) -> None:
    network = make_tiny()
    stem = network.get_submodule("stem.0")
    stem.get_parameter("weight").data[3] = 0.0
    model = exported(network, 16)
    pictures = varied_pictures(16, 16, 1)
    low = quantise(model, collect_ranges(model, pictures), SCHEMES["vnni"])
    assert np.abs(logits(low, pictures) - logits(model, pictures)).max() < 0.2


def test_ranges_of_another_graph_are_refused(tiny: ModelProto) -> None:
    with pytest.raises(CheckError, match="calibration saw no values of"):
        quantise(tiny, {}, SCHEMES["vnni"])
