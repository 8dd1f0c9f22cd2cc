from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort  # type: ignore[import-untyped]
import pytest
import torch
from torch import Tensor, nn

from exporters.onnx_export import to_onnx
from exporters.rewrites.fold import fold
from exporters.rewrites.prelude import pixels_in
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from models.pixels_in import PixelsIn

SPEC = InputSpec(size=16, resize=16)


@pytest.fixture(scope="module")
def tiny_onnx(make_tiny: Callable[[], nn.Module], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("onnx") / "model.onnx"
    onnx.save_model(to_onnx(pixels_in(fold(make_tiny()).network, SPEC), SPEC.size), path)
    return path


def test_to_onnx_is_pixels_in_logits_out_with_a_free_batch(tiny_onnx: Path) -> None:
    session = ort.InferenceSession(tiny_onnx)
    (pixels,), (logits,) = session.get_inputs(), session.get_outputs()
    assert (pixels.name, pixels.type, pixels.shape) == ("pixels", "tensor(uint8)", ["N", 16, 16, 3])
    assert (logits.name, logits.type, logits.shape) == ("logits", "tensor(float)", ["N", 6])


def test_to_onnx_is_one_file_that_tells_nothing_of_this_machine(tiny_onnx: Path) -> None:
    assert [path.name for path in tiny_onnx.parent.iterdir()] == ["model.onnx"]
    assert b".py" not in tiny_onnx.read_bytes()
    model = onnx.load(tiny_onnx)
    assert model.producer_name == "stride"
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 20}


def test_to_onnx_answers_as_the_network(tiny_onnx: Path, tiny_network: nn.Module) -> None:
    pixels = varied_pictures(5, 16, 3)
    with torch.inference_mode():
        expected = PixelsIn(tiny_network, SPEC).eval()(torch.from_numpy(pixels)).numpy()
    (logits,) = ort.InferenceSession(tiny_onnx).run(None, {"pixels": pixels})
    np.testing.assert_allclose(logits, expected, atol=1e-5)


def test_to_onnx_graph_is_what_the_network_says(tiny_onnx: Path) -> None:
    operators = Counter(node.op_type for node in onnx.load(tiny_onnx).graph.node)
    assert operators["Conv"] == 4
    assert operators["Split"] == operators["Concat"] == operators["Gelu"] == 1
    assert not operators["BatchNormalization"]


def test_to_onnx_says_nothing(tiny_network: nn.Module, capfd: pytest.CaptureFixture[str]) -> None:
    to_onnx(pixels_in(tiny_network, SPEC), SPEC.size)
    assert capfd.readouterr() == ("", "")


class FixedBatch(nn.Module):
    """Works for two pictures, and for two pictures only."""

    def forward(self, images: Tensor) -> Tensor:
        return images.reshape(2, -1)[:, :4]


class AsksTheContent(nn.Module):
    """Takes one of two paths, depending on the pictures."""

    def forward(self, images: Tensor) -> Tensor:
        flat = images.flatten(1)
        return flat[:, :4] if images.sum() > 0 else flat[:, 4:8]


@pytest.mark.parametrize("network", [FixedBatch(), AsksTheContent()], ids=["batch", "content"])
def test_to_onnx_refuses_a_network_that_depends_on_its_pictures(
    network: nn.Module,
) -> None:
    with pytest.raises(InputError, match="must not depend on"):
        to_onnx(pixels_in(network, SPEC), SPEC.size)
