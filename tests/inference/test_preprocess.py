from importlib.resources import files
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from inference.decode import decode
from inference.preprocess import preprocess
from measuring.errors import InputError
from measuring.input_spec import InputSpec, Interpolation
from measuring.pictures import varied_pictures

PHOTOS = [
    pytest.param("skimage/data/astronaut.png", id="astronaut-square"),
    pytest.param("skimage/data/chelsea.png", id="cat-wide"),
    pytest.param("skimage/data/coffee.png", id="coffee-wide"),
    pytest.param("skimage/data/retina.jpg", id="retina-large"),
    pytest.param("sklearn/datasets/images/flower.jpg", id="flower-wide"),
    pytest.param("sklearn/datasets/images/china.jpg", id="temple-wide"),
]


def photo(name: str) -> NDArray[np.uint8]:
    package, _, path = name.partition("/")
    return decode(files(package).joinpath(path).read_bytes(), max_pixels=10_000_000)


def triangle(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(0.0, 1.0 - np.abs(x))


def cubic(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keys' kernel with a = -1/2."""
    x = np.abs(x)
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def weights(before: int, after: int, interpolation: Interpolation) -> NDArray[np.float64]:
    """(after, before): each output as a sum of inputs, the kernel widened when shrinking."""
    scale = before / after
    centres = (np.arange(after) + 0.5) * scale - 0.5
    distance = (np.arange(before)[None, :] - centres[:, None]) / max(scale, 1.0)
    kernel = cubic(distance) if interpolation == "bicubic" else triangle(distance)
    return np.asarray(kernel / kernel.sum(axis=1, keepdims=True))


def resized_and_cropped(image: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float64]:
    """Resize and centre crop as two matrix products in 64 bits."""
    height, width, _ = image.shape
    short = min(height, width)
    new_height, new_width = spec.resize * height // short, spec.resize * width // short
    top, left = round((new_height - spec.size) / 2), round((new_width - spec.size) / 2)
    rows = weights(height, new_height, spec.interpolation)[top : top + spec.size]
    columns = weights(width, new_width, spec.interpolation)[left : left + spec.size]
    across = np.clip(columns @ image.astype(np.float64), 0, 255)  # (height, size, 3)
    return np.clip(np.tensordot(rows, across, axes=1), 0, 255)


def plain(image: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """The steps of the usual training pipeline, one by one."""
    picture = Image.fromarray(image)
    width, height = picture.size
    size = (
        (spec.resize, int(spec.resize * height / width))
        if width <= height
        else (int(spec.resize * width / height), spec.resize)
    )
    picture = picture.resize(size, Image.Resampling[spec.interpolation.upper()])
    left = round((size[0] - spec.size) / 2.0)
    top = round((size[1] - spec.size) / 2.0)
    return np.asarray(picture)[top : top + spec.size, left : left + spec.size]


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_preprocess_photo_is_within_a_level_of_exact_arithmetic(
    name: str, interpolation: Interpolation
) -> None:
    image, spec = photo(name), InputSpec(size=96, resize=110, interpolation=interpolation)
    error = np.abs(preprocess(image, spec) - resized_and_cropped(image, spec))
    assert error.max() <= 1.01
    assert error.mean() < 0.35


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(InputSpec(), id="usual"),
        pytest.param(InputSpec(size=224, resize=232), id="newer-recipe"),
        pytest.param(InputSpec(size=128, resize=129, interpolation="bicubic"), id="odd-margin"),
        pytest.param(InputSpec(size=320, resize=701, interpolation="nearest"), id="enlarged"),
    ],
)
def test_preprocess_photo_is_exactly_the_plain_steps(name: str, spec: InputSpec) -> None:
    image = photo(name)
    np.testing.assert_array_equal(preprocess(image, spec), plain(image, spec))


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_preprocess_of_any_shape_is_exactly_the_plain_steps(
    height: int, width: int, size: int, margin: int
) -> None:
    image = varied_pictures(1, 90, seed=height)[0][:height, :width]
    spec = InputSpec(size=size, resize=size + margin)
    np.testing.assert_array_equal(preprocess(image, spec), plain(image, spec))


def test_preprocess_of_pixels_already_right_leaves_them() -> None:
    (image,) = varied_pictures(1, 32, seed=0)
    np.testing.assert_array_equal(preprocess(image, InputSpec(size=32, resize=32)), image)


def test_preprocess_result_may_be_written_to_without_changing_the_picture() -> None:
    (image,) = varied_pictures(1, 32, seed=0)
    before = image.copy()
    preprocess(image, InputSpec(size=32, resize=32))[:] = 0
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("shape", [(20, 300, 3), (300, 20, 3)])
def test_preprocess_squash_shows_the_whole_picture(shape: tuple[int, int, int]) -> None:
    image = np.zeros(shape, np.uint8)
    image[-1, -1] = image[0, 0] = 255
    squashed = preprocess(image, InputSpec(size=20, resize=64, crop="squash"))
    assert squashed.shape == (20, 20, 3)
    assert squashed[0, 0, 0] > 0
    assert squashed[-1, -1, 0] > 0


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
@pytest.mark.parametrize("upright", [True, False])
def test_preprocess_slender_picture_is_its_middle(
    interpolation: Interpolation, upright: bool
) -> None:
    """So slender that it is resized only where the crop keeps it; a ramp shows which part."""
    ramp = np.linspace(0, 255, 3000).astype(np.uint8)
    image = np.ascontiguousarray(np.broadcast_to(ramp[:, None, None], (3000, 2, 3)))
    spec = InputSpec(size=90, resize=100, interpolation=interpolation)
    pixels = preprocess(image if upright else image.transpose(1, 0, 2), spec).astype(int)
    expected = plain(image if upright else image.transpose(1, 0, 2), spec).astype(int)
    assert np.abs(pixels - expected).max() <= 1
    assert abs(pixels.mean() - 127) < 3


@pytest.mark.parametrize("shape", [(1, 20_000, 3), (20_000, 1, 3), (1, 1, 3), (65_000, 2, 3)])
def test_preprocess_extreme_shape_gives_the_usual_pixels(shape: tuple[int, int, int]) -> None:
    image = np.full(shape, 77, np.uint8)
    pixels = preprocess(image, InputSpec())
    assert pixels.shape == (224, 224, 3)
    assert np.all(pixels == 77)


@pytest.mark.parametrize(
    "image",
    [
        pytest.param(np.zeros((4, 4), np.uint8), id="grey"),
        pytest.param(np.zeros((4, 4, 4), np.uint8), id="four-channels"),
        pytest.param(np.zeros((1, 4, 4, 3), np.uint8), id="a-batch"),
        pytest.param(np.zeros((0, 4, 3), np.uint8), id="no-rows"),
        pytest.param(np.zeros((4, 4, 3), np.float32), id="floats"),
    ],
)
def test_preprocess_of_no_picture_is_refused(image: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match=r"expected \(height, width, 3\) and uint8"):
        preprocess(image, InputSpec())


def test_preprocess_takes_what_decode_gives() -> None:
    buffer = BytesIO()
    Image.new("RGB", (50, 40), (10, 200, 30)).save(buffer, "PNG")
    pixels = preprocess(decode(buffer.getvalue(), max_pixels=2000), InputSpec(size=8, resize=9))
    assert np.all(pixels == (10, 200, 30))
