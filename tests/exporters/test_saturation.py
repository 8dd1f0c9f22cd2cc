"""An int8 file for processors with VNNI, on one that adds pairs of products in 16 bits: OpenVINO's
kernels can be told to use no newer instructions, and then really saturate."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto

from exporters.calibration import collect_ranges
from exporters.onnx_export import to_onnx
from exporters.quantise import SCHEMES
from exporters.rewrites import rewrite
from exporters.rewrites.prelude import pixels_in
from exporters.sensitivity import Quantised, quantise_within
from inference.parity import bound_for, compare
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from measuring.processor import processor
from models import create
from models.untrained import calibrate

SIZE = 64
ANSWER = """
import sys, numpy
sys.modules["openvino_telemetry"] = None  # openvino would report and write to the home directory
import openvino
core = openvino.Core()
exactly = {"INFERENCE_PRECISION_HINT": "f32"}
compiled = core.compile_model(core.read_model(sys.argv[1]), "CPU", exactly)
numpy.save(sys.argv[3], compiled(numpy.load(sys.argv[2]))[0])
"""

pytestmark = [
    pytest.mark.skipif(
        "avx512_vnni" not in processor().features, reason="needs a processor with AVX-512 VNNI"
    )
]


@pytest.fixture(scope="module")
def network() -> ModelProto:
    mobilenet = create("mobilenet_v2", 40).eval()
    calibrate(mobilenet, SIZE)
    chain = pixels_in(mobilenet, InputSpec(size=SIZE, resize=SIZE))
    return to_onnx(rewrite(chain, ("fold_batch_norms", "pool_by_rows")).chain, SIZE)


def answers(model: ModelProto, folder: Path, instructions: str) -> NDArray[np.float32]:
    pytest.importorskip("inference.openvino_engine", reason="OpenVINO is not installed")
    onnx.save_model(model, folder / "model.onnx")
    np.save(folder / "pixels.npy", varied_pictures(32, SIZE, 5))
    files = (str(folder / name) for name in ("model.onnx", "pixels.npy", "logits.npy"))
    subprocess.run(
        [sys.executable, "-c", ANSWER, *files],
        check=True,
        env={"ONEDNN_MAX_CPU_ISA": instructions, "PATH": ""},
        timeout=120,
    )
    logits: NDArray[np.float32] = np.load(folder / "logits.npy")
    return logits


@pytest.mark.parametrize(
    ("scheme", "instructions", "holds"),
    [
        pytest.param("vnni", "DEFAULT", True, id="VNNI on a processor that has it"),
        pytest.param("vnni", "AVX2", False, id="VNNI on a processor without"),
        pytest.param("reduced", "AVX2", True, id="seven bits on a processor without"),
    ],
)
def test_bound_tells_a_processor_that_saturates(
    network: ModelProto, tmp_path: Path, scheme: str, instructions: str, holds: bool
) -> None:
    golden = answers(network, tmp_path, "DEFAULT")
    bound = bound_for("int8", exact=golden, rounded=golden)
    ranges = collect_ranges(network, varied_pictures(64, SIZE, 99))
    found: Quantised = quantise_within(
        network, ranges, SCHEMES[scheme], pictures=varied_pictures(32, SIZE, 1), bound=bound
    )
    low = answers(found.model, tmp_path, instructions)
    parity = compare(low, golden, reference="float", bound=found.bound, precision="int8")
    assert parity.holds == holds
