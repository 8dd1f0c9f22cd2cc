"""A decoded picture to the pixels a network was trained on, in one step over what the crop keeps.

Within a level of `preprocess` for a picture of full size; docs/decoding.md has the figures.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.picture import Box, Picture, upright
from inference.preprocess import kept_part, preprocess, resized_part
from measuring.input_spec import InputSpec

try:
    from inference import vectorised
except ImportError:  # cykooz-resizer is not built for every kind of machine
    vectorised = None  # type: ignore[assignment]

# A picture is decoded at a fraction only while it stays this many times as large as the network
# wants it: the decoder scales with another filter than the weights were evaluated with.
MARGIN = 2


def shortest_side(specs: Iterable[InputSpec]) -> int | None:
    """What `read_picture` may scale down to for all these specs; None where one needs every pixel,
    since the nearest neighbour in a smaller picture is another pixel."""
    sides = []
    for spec in specs:
        if spec.interpolation == "nearest":
            return None
        sides.append(spec.size if spec.crop == "squash" else spec.resize)
    return MARGIN * max(sides)


def resample(picture: Picture, spec: InputSpec) -> NDArray[np.uint8]:
    """-> (size, size, 3), writable."""
    if spec.interpolation == "nearest":
        return preprocess(np.asarray(upright(picture.image, picture.orientation)), spec)
    part = picture.stored(kept_part(picture.upright_size, spec))
    return np.array(upright(_resized(picture.image, part, spec), picture.orientation))


def _resized(image: Image.Image, part: Box, spec: InputSpec) -> Image.Image:
    if vectorised is not None and vectorised.shrinks(part, spec):
        return vectorised.resized_part(image, part, spec)
    return resized_part(image, part, spec)
