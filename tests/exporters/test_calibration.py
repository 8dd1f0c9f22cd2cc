"""Calibration: the pictures, and what is observed of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
from onnx import TensorProto, helper
from PIL import Image
from torch import nn

from exporters import calibration_pictures as module
from exporters.calibration import Observed, collect_ranges, covering
from exporters.calibration_pictures import calibration_pictures, generated
from exporters.onnx_export import to_onnx
from exporters.rewrites.prelude import pixels_in
from measuring.errors import CheckError, InputError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SPEC = InputSpec(size=16, resize=20)


def write_pictures(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for index, pixels in enumerate(varied_pictures(count, 24, 5)):
        Image.fromarray(pixels).save(folder / f"{index:03}.png")


def test_ranges_are_the_extremes_and_channel_means(make_tiny: Callable[[], nn.Module]) -> None:
    """More pictures than one batch holds, against the tensor itself."""
    model = to_onnx(pixels_in(make_tiny(), SPEC), SPEC.size)
    pictures = varied_pictures(37, SPEC.size, 2)
    observed = collect_ranges(model, pictures)
    watched = next(node.output[0] for node in model.graph.node if node.op_type == "Gelu")
    model.graph.output.append(helper.make_tensor_value_info(watched, TensorProto.FLOAT, None))
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run([watched], {"pixels": pictures})[0]
    found = observed[watched]
    assert (found.low, found.high) == pytest.approx((values.min(), values.max()), abs=1e-5)
    assert found.means == pytest.approx(values.mean(axis=(0, 2, 3)), abs=1e-5)


def test_ranges_of_a_network_that_overflows_are_refused(
    make_tiny: Callable[[], nn.Module],
) -> None:
    network = make_tiny()
    network.get_submodule("narrow").get_parameter("weight").data *= 1e38
    model = to_onnx(pixels_in(network, SPEC), SPEC.size)
    with pytest.raises(CheckError, match="expected finite values"):
        collect_ranges(model, varied_pictures(4, SPEC.size, 2))


def observed(low: float, high: float) -> Observed:
    return Observed(low, high, np.zeros(1))


def test_covering_includes_all_tensors_of_a_scale_and_zero() -> None:
    both = [observed(0.5, 2.0), observed(1.0, 3.0)]
    assert covering(both, symmetric=False) == (0.0, 3.0)
    assert covering([observed(-1.0, 3.0)], symmetric=False) == (-1.0, 3.0)
    assert covering([observed(-4.0, 3.0)], symmetric=True) == (-4.0, 4.0)
    assert covering([observed(0.0, 0.0)], symmetric=False) == (0.0, 1.0)


def test_generated_pictures_come_with_photographs() -> None:
    pictures = generated(SPEC)
    assert pictures.pixels.shape[1:] == (16, 16, 3)
    assert len(pictures.pixels) > module.GENERATED
    assert pictures.source.startswith("128 generated and 9 photographs")


def test_folder_is_read_to_its_depth_and_joined_with_generated_ones(tmp_path: Path) -> None:
    write_pictures(tmp_path / "mine" / "cats", 3)
    write_pictures(tmp_path / "mine" / "dogs", 2)
    (tmp_path / "mine" / "notes.txt").write_text("not a picture")
    steps: list[str] = []
    pictures = calibration_pictures(tmp_path / "mine", SPEC, steps.append)
    assert len(pictures.pixels) == 5 + len(generated(SPEC).pixels)
    assert pictures.source.startswith("5 of mine and 128 generated")
    assert steps == []


def test_broken_picture_is_named_and_left_out(tmp_path: Path) -> None:
    write_pictures(tmp_path / "mine", 2)
    (tmp_path / "mine" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    steps: list[str] = []
    pictures = calibration_pictures(tmp_path / "mine", SPEC, steps.append)
    assert pictures.source.startswith("2 of mine")
    assert len(steps) == 1
    assert "broken.jpg" in steps[0]


def test_large_folder_is_drawn_from_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST", 4)
    write_pictures(tmp_path / "mine", 10)
    pictures = calibration_pictures(tmp_path / "mine", SPEC, print)
    assert pictures.source.startswith("4 of 10 of mine")


def test_folder_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"the one picture in .* cannot be read"):
        calibration_pictures(tmp_path, SPEC, lambda _: None)
    (tmp_path / "empty.jpg").touch()
    with pytest.raises(InputError, match=r"none of the 2 pictures in .* can be read"):
        calibration_pictures(tmp_path, SPEC, lambda _: None)


def test_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no pictures, expected .*; .* photographs"):
        calibration_pictures(tmp_path, SPEC, print)


def test_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no folder"):
        calibration_pictures(tmp_path / "nowhere", SPEC, print)
