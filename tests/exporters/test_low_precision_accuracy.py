"""A network that has learnt, in every precision: what its accuracy loses, judged on thousands of
versions of held-out digits."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from numpy.typing import NDArray
from onnx import ModelProto

from exporters.calibration import Ranges, collect_ranges
from exporters.calibration_pictures import calibration_pictures
from exporters.flips import Flips, paired_flips
from exporters.half import to_half
from exporters.onnx_export import to_onnx
from exporters.quantise import SCHEMES
from exporters.rewrites import rewrite
from exporters.rewrites.prelude import pixels_in
from exporters.sensitivity import Quantised, quantise_within
from inference.manifest import Precision
from inference.parity import bound_for
from measuring.input_spec_file import read_input_spec
from measuring.pictures import varied_pictures
from measuring.processor import processor
from models import load
from tests.exporters.augmented_digits import Augmented, augmented, write_trained_on

NETWORKS = (
    "shufflenet_v2_x1_0",
    pytest.param("fasternet_t0", marks=pytest.mark.full),
    pytest.param("mobilenet_v2", marks=pytest.mark.full),
)
TRAIN = Path(__file__).resolve().parents[2] / "examples" / "digits" / "train.py"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

Answer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Learnt:
    model: ModelProto
    ranges: Ranges
    bound: float
    digits: Augmented
    answers: NDArray[np.int64]

    def flips(self, answer: Answer) -> Flips:
        return paired_flips(
            self.answers,
            classes(answer, self.digits),
            labels=self.digits.labels,
            originals=self.digits.originals,
        )

    def require(self, answer: Answer, *, drop: float) -> None:
        """At most this drop of accuracy, and the same answer to 99 % of the pictures."""
        flips = self.flips(answer)
        assert flips.drop.estimate <= drop
        assert flips.judge(drop) != "beyond"
        assert flips.agreement.estimate >= 0.99

    def quantised(self, scheme: str) -> Quantised:
        pictures = varied_pictures(32, self.digits.pixels.shape[1], 1)
        return quantise_within(
            self.model, self.ranges, SCHEMES[scheme], pictures=pictures, bound=self.bound
        )


def classes(answer: Answer, digits: Augmented) -> NDArray[np.int64]:
    starts = range(0, len(digits.pixels), 64)
    parts = [answer(digits.pixels[start : start + 64]).argmax(axis=1) for start in starts]
    return np.concatenate(parts).astype(np.int64)


def on_onnxruntime(model: ModelProto) -> Answer:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = session.run(None, {"pixels": pixels})[0]
        return logits

    return answer


def on_openvino(model: ModelProto, precision: Precision) -> Answer:
    engine = pytest.importorskip("inference.openvino_engine", reason="OpenVINO is not installed")
    run = engine.open_outputs(model.SerializeToString(), precision, threads=1)

    def answer(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = run(pixels)["logits"]
        return logits

    return answer


@pytest.fixture(scope="module", params=NETWORKS)
def learnt(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Learnt:
    network: str = request.param
    folder = tmp_path_factory.mktemp("digits")
    command = (sys.executable, str(TRAIN), network, "--out", str(folder))
    subprocess.run(command, check=True, capture_output=True, timeout=500)
    spec = read_input_spec(folder / "input.toml")
    loaded = load(network, folder / f"{network}.safetensors", input_spec=spec)
    rewrites = ("fold_batch_norms", "pool_by_rows", "shuffle_free")
    model = to_onnx(rewrite(pixels_in(loaded.network, spec), rewrites).chain, spec.size)
    answer = on_onnxruntime(model)
    golden = answer(varied_pictures(16, spec.size, 0))
    digits = augmented(folder / "held_out", spec, versions=7)
    write_trained_on(folder / "held_out", folder / "trained_on")
    calibration = calibration_pictures(folder / "trained_on", spec, pytest.fail)
    ranges = collect_ranges(model, calibration.pixels)
    bound = bound_for("int8", exact=golden, rounded=golden)
    return Learnt(model, ranges, bound, digits, classes(answer, digits))


def test_network_has_learnt_and_pictures_are_many(learnt: Learnt) -> None:
    assert (learnt.answers == learnt.digits.labels).mean() > 0.9
    assert len(learnt.digits.labels) >= 5000
    assert len(np.unique(learnt.digits.originals)) == 719


@pytest.mark.parametrize("scheme", ["vnni-ort", "reduced", "symmetric"])
def test_int8_loses_at_most_half_a_point(learnt: Learnt, scheme: str) -> None:
    learnt.require(on_onnxruntime(learnt.quantised(scheme).model), drop=0.005)


def test_int8_loses_at_most_half_a_point_on_openvino(learnt: Learnt) -> None:
    learnt.require(on_openvino(learnt.quantised("vnni").model, "int8"), drop=0.005)


def test_int8_of_a_learnt_network_needs_no_layer_in_float(learnt: Learnt) -> None:
    assert learnt.quantised("vnni").kept == ()


def test_fp16_loses_at_most_a_fifth_of_a_point(learnt: Learnt) -> None:
    learnt.require(on_onnxruntime(to_half(learnt.model, learnt.ranges)), drop=0.002)


@pytest.mark.skipif(
    not {"avx512_bf16", "amx_bf16"}.intersection(processor().features),
    reason="this processor has no bf16 arithmetic",
)
def test_bf16_loses_at_most_a_fifth_of_a_point(learnt: Learnt) -> None:
    learnt.require(on_openvino(learnt.model, "bf16"), drop=0.002)
