"""Which way wins, with numbers made by hand; and real engines, of which no time is asserted."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.artifact import read_artifact
from inference.measure_runtimes import find_winners, measure_runtimes
from inference.profiles import Way
from measuring.errors import InputError, MissingError
from measuring.timing import Schedule, Timed
from tests.tiny import write_tiny
from tests.tiny_convolution import write_convolution

BRIEF = Schedule(runs=2, seconds=0.0, warmup=1, blocks=2)
PLAIN, FAST, OTHER = (
    Way("a-onnx-fp32", "onnxruntime", "cpu"),
    Way("a-onnx-fp32", "openvino", "cpu"),
    Way("a-onnx-int8", "onnxruntime", "cpu"),
)


def timed(*seconds: float) -> Timed:
    """One sample in each block."""
    return Timed(np.array(seconds), np.arange(len(seconds)))


def test_find_winners_takes_the_fastest_at_each_batch_size() -> None:
    samples = {
        (PLAIN, 1): timed(2, 2, 2), (FAST, 1): timed(1, 1, 1), (OTHER, 1): timed(3, 3, 3),
        (PLAIN, 8): timed(9, 9, 9), (FAST, 8): timed(8, 8, 8), (OTHER, 8): timed(4, 4, 4),
    }  # fmt: skip
    found = {
        (winner.artifact, winner.batch): winner.way
        for winner in find_winners([PLAIN, FAST, OTHER], samples)
    }
    assert found == {
        (None, 1): FAST, (None, 8): OTHER, (None, None): FAST,
        ("a-onnx-fp32", 1): FAST, ("a-onnx-fp32", 8): FAST, ("a-onnx-fp32", None): FAST,
        ("a-onnx-int8", 1): OTHER, ("a-onnx-int8", 8): OTHER, ("a-onnx-int8", None): OTHER,
    }  # fmt: skip


def test_find_winners_gives_a_tie_to_the_simpler_way() -> None:
    """The second is faster on the whole, and in one block of four slower."""
    samples = {(PLAIN, 1): timed(2, 4, 6, 8), (FAST, 1): timed(1, 3, 5, 9)}
    for order in ([PLAIN, FAST], [FAST, PLAIN]):
        assert {winner.way for winner in find_winners(order, samples)} == {order[0]}


def test_find_winners_weighs_batch_sizes_alike() -> None:
    """Half the time for one picture outweighs one and a half for eight, though that is longer."""
    samples = {
        (PLAIN, 1): timed(2, 2, 2), (FAST, 1): timed(1, 1, 1),
        (PLAIN, 8): timed(20, 20, 20), (FAST, 8): timed(30, 30, 30),
    }  # fmt: skip
    overall = [w.way for w in find_winners([PLAIN, FAST], samples) if w.batch is None]
    assert overall == [FAST, FAST]


def test_measure_runtimes_times_every_runtime_that_answers_right(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32")
    steps: list[str] = []
    measured = measure_runtimes(
        [artifact], {"onnxruntime": "1"}, schedule=BRIEF, report=steps.append
    )
    comparison = measured.comparison
    assert [(timing.engine, timing.batch) for timing in comparison.timings] == [
        ("onnxruntime cpu fp32", 1), ("onnxruntime cpu fp32", 8),
        ("openvino cpu fp32", 1), ("openvino cpu fp32", 8),
    ]  # fmt: skip
    assert all(timing.seconds.estimate > 0 for timing in comparison.timings)
    assert comparison.libraries == {"onnxruntime": "1"}
    assert measured.left_out == ()
    assert steps[0] == "open: convolution-onnx-fp32 with onnxruntime on cpu"
    best = {winner.batch: winner.way for winner in comparison.winners if winner.artifact is None}
    for timing in comparison.timings:
        if best[timing.batch] == timing.way:
            assert timing.ratio.estimate == 1.0


def test_measure_runtimes_leaves_out_what_answers_wrong(tmp_path: Path) -> None:
    """OpenVINO refuses a float32 graph that is called int8; ONNX Runtime runs any."""
    artifact = write_convolution(tmp_path, "int8", file="fp32")
    measured = measure_runtimes([artifact], {}, schedule=BRIEF)
    assert {timing.way.runtime for timing in measured.comparison.timings} == {"onnxruntime"}
    (left,) = measured.left_out
    assert left.way.runtime == "openvino"
    assert "expected f32 or i8 or u8" in left.reason


def test_measure_runtimes_with_nothing_that_opens_says_why(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32", bound=1e-12)
    with pytest.raises(MissingError, match=r"no runtime could be measured: .*does not answer as"):
        measure_runtimes([artifact], {}, schedule=BRIEF)


def test_measure_runtimes_of_two_networks_is_refused(tmp_path: Path) -> None:
    one, two = (read_artifact(write_tiny(tmp_path, name)) for name in ("one", "two2"))
    with pytest.raises(InputError, match="received one-onnx-fp32, two2-onnx-fp32; measure each"):
        measure_runtimes([one, two], {}, schedule=BRIEF)
    with pytest.raises(InputError, match="received nothing"):
        measure_runtimes([], {}, schedule=BRIEF)


def test_measure_runtimes_times_the_variant_for_this_machine(tmp_path: Path) -> None:
    artifact = write_convolution(tmp_path, "fp32")
    (variant,) = artifact.manifest.variants
    wishful = replace(variant, features=("abacus",))
    only_plain = replace(variant, runtimes=("onnxruntime",))
    manifest = replace(artifact.manifest, variants=(wishful, only_plain))
    measured = measure_runtimes([replace(artifact, manifest=manifest)], {}, schedule=BRIEF)
    assert {timing.way.runtime for timing in measured.comparison.timings} == {"onnxruntime"}
