"""What stands in for a float64 original: the estimate of what float32 costs."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from exporters.onnx_original import OnnxOriginal
from exporters.onnx_ports import class_output, picture_input
from inference.parity import bound_for, spread
from measuring.errors import InputError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures
from tests.classifiers import SIZE, Foreign

SPEC = InputSpec(size=SIZE, resize=SIZE)


def _original(foreign: Foreign) -> OnnxOriginal:
    model = onnx.shape_inference.infer_shapes(foreign.model())
    return OnnxOriginal(model, picture_input(model), class_output(model), SPEC)


def _exact(foreign: Foreign, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The same classifier in float64 numpy."""
    arrays = {
        tensor.name: onnx.numpy_helper.to_array(tensor).astype(np.float64)
        for tensor in foreign.model().graph.initializer
    }
    images = ((pixels / 255.0 - SPEC.mean) / SPEC.std).transpose(0, 3, 1, 2)
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))[:, :, ::2, ::2]
    maps = np.einsum("nchwij,ocij->nohw", windows, arrays["filters"])
    means = np.maximum(maps + arrays["filter_biases"][:, None, None], 0).mean(axis=(2, 3))
    logits: NDArray[np.float64] = means @ arrays["matrix"].T + arrays["biases"]
    return logits


def test_logits_are_those_of_the_formula() -> None:
    pixels = varied_pictures(8, SIZE, 2)

    logits = _original(Foreign()).logits(pixels)

    np.testing.assert_allclose(logits, _exact(Foreign(), pixels), atol=1e-5)


def test_rounded_answers_are_about_as_far_as_float32_is_from_exact() -> None:
    pixels = varied_pictures(16, SIZE, 2)
    original = _original(Foreign())
    logits = original.logits(pixels)

    rounded = original.rounded(pixels)

    estimate = max(float(np.abs(answers - logits).max()) for answers in rounded)
    loss = float(np.abs(_exact(Foreign(), pixels) - logits).max())
    assert 0.5 * loss < estimate < 20 * loss
    assert estimate < 1e-4 * spread(logits)


def test_bound_is_too_narrow_for_weights_in_fp16() -> None:
    pixels = varied_pictures(16, SIZE, 2)
    original = _original(Foreign())
    logits = original.logits(pixels)
    bound = max(bound_for("fp32", exact=logits, rounded=r) for r in original.rounded(pixels))
    coarse = onnx.ModelProto()
    coarse.CopyFrom(original.model)
    for tensor in coarse.graph.initializer:
        values = onnx.numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))

    answers = replace(original, model=coarse).logits(pixels)

    assert np.abs(answers - logits).max() > 2 * bound


def test_rounded_answers_are_the_same_each_time() -> None:
    pixels = varied_pictures(4, SIZE, 2)
    original = _original(Foreign())

    for once, again in zip(original.rounded(pixels), original.rounded(pixels), strict=True):
        np.testing.assert_array_equal(once, again)


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_logits_of_a_fixed_batch_are_those_of_a_free_one(batch: int) -> None:
    pixels = varied_pictures(5, SIZE, 2)

    logits = _original(Foreign(batch=batch)).logits(pixels)

    np.testing.assert_allclose(logits, _original(Foreign()).logits(pixels), atol=1e-5)


def test_logits_come_from_before_the_softmax() -> None:
    pixels = varied_pictures(5, SIZE, 2)

    logits = _original(Foreign(end="Softmax")).logits(pixels)

    np.testing.assert_array_equal(logits, _original(Foreign()).logits(pixels))


def test_logits_of_pictures_of_a_size_that_does_not_run() -> None:
    foreign = Foreign(sides=("h", "w"))
    original = replace(_original(foreign), spec=InputSpec(size=2, resize=2))

    with pytest.raises(InputError, match=r"does not run on 4 pictures of 2 x 2: .*--input-spec"):
        original.logits(varied_pictures(4, 2, 0))
