"""A decoded picture to the pixels a network was trained on: resize and crop as its weights say.

The same arithmetic as torchvision's `Resize` and `CenterCrop` on a PIL image, so that published
accuracies hold.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.picture import Box
from measuring.errors import InputError
from measuring.input_spec import InputSpec, Interpolation

_FILTERS: dict[Interpolation, Image.Resampling] = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
}
_MOST_RESIZED = 1 << 23  # pixels; above, what the crop throws away is not computed


def preprocess(image: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of any size -> (size, size, 3), writable.

    `crop="center"`: shorter side to `resize`, antialiased, then the middle; `crop="squash"`: both
    sides to `size`. Raises InputError for an array that is no picture.
    """
    if image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape or image.dtype != np.uint8:
        raise InputError(
            f"preprocess: got an array of shape {image.shape} and type {image.dtype}, "
            "expected (height, width, 3) and uint8"
        )
    picture = Image.fromarray(image)
    if spec.crop == "squash":
        return np.array(_resized(picture, (spec.size, spec.size), spec.interpolation))
    width, height = _scaled_size(picture.size, spec.resize)
    if width * height > _MOST_RESIZED:
        return np.array(resized_part(picture, kept_part(picture.size, spec), spec))
    left, top = _crop_offset(width, spec.size), _crop_offset(height, spec.size)
    resized = _resized(picture, (width, height), spec.interpolation)
    return np.array(resized.crop((left, top, left + spec.size, top + spec.size)))


def kept_part(size: tuple[int, int], spec: InputSpec) -> Box:
    """Which part of a picture of this width and height the pixels show, in its own pixels."""
    if spec.crop == "squash":
        return (0.0, 0.0, *size)
    width, height = _scaled_size(size, spec.resize)
    left, top = _crop_offset(width, spec.size), _crop_offset(height, spec.size)
    across, down = size[0] / width, size[1] / height
    right, bottom = (left + spec.size) * across, (top + spec.size) * down
    return left * across, top * down, min(right, size[0]), min(bottom, size[1])


def resized_part(picture: Image.Image, part: Box, spec: InputSpec) -> Image.Image:
    """A part of the picture resized to the square of `spec.size`, without the rest.

    1 x 20,000 pixels would otherwise become 256 x 5,120,000. Pillow rounds coordinates and orders
    its two passes differently here: a value may change by a level, more where bicubic overshoots,
    and `nearest` may choose the other of two neighbours.
    """
    return picture.resize((spec.size, spec.size), _FILTERS[spec.interpolation], box=part)


def _scaled_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height once the shorter side has the given length; the longer is rounded down."""
    width, height = size
    if width <= height:
        return shorter, int(shorter * height / width)
    return int(shorter * width / height), shorter


def _crop_offset(length: int, crop: int) -> int:
    """Where the middle begins; halves go to the even neighbour, as `round` has it."""
    return round((length - crop) / 2.0)


def _resized(
    picture: Image.Image, size: tuple[int, int], interpolation: Interpolation
) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, _FILTERS[interpolation])
