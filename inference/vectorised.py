"""Making pictures smaller with the processor's vector instructions, without the interpreter's lock.

Reads and writes Pillow's own memory, by the layout of the release that is pinned.
"""

from math import nextafter

from cykooz_resizer import (  # type: ignore[import-untyped]
    CropBox,
    FilterType,
    ResizeAlg,
    ResizeOptions,
    Resizer,
)
from PIL import Image

from inference.picture import Box
from measuring.input_spec import InputSpec

_ALGORITHMS = {
    "bilinear": ResizeAlg.convolution(FilterType.bilinear),
    "bicubic": ResizeAlg.convolution(FilterType.catmull_rom),
}


# Nearer to 1 and below, fast_image_resize 6.1.0 reads outside of its memory: leaving out weights of
# zero, it takes the window of the first pixel, or of the last, for that of all. A cubic's weights
# are zero at whole distances from its middle; once neighbours of the result are further apart
# than those of the picture, their windows begin and end in order.
_LEAST_SHRINKING = 1.0625


def shrinks(part: Box, spec: InputSpec) -> bool:
    """Whether this part of a picture may be resized here: only if it becomes smaller both ways."""
    left, top, right, bottom = part
    return min(right - left, bottom - top) >= _LEAST_SHRINKING * spec.size


def resized_part(picture: Image.Image, part: Box, spec: InputSpec) -> Image.Image:
    """As `inference.preprocess.resized_part`, within a level; not for `nearest`, and only what
    `shrinks`.

    With a resizer of its own: one that is kept holds on to the memory of its largest picture.
    """
    resized = Image.new("RGB", (spec.size, spec.size), None)
    left, top, right, bottom = part
    box = CropBox(
        left, top, _extent(left, right, picture.width), _extent(top, bottom, picture.height)
    )
    options = ResizeOptions(_ALGORITHMS[spec.interpolation], crop_box=box)
    Resizer().resize_pil(picture, resized, options)
    return resized


def _extent(start: float, end: float, most: int) -> float:
    """`end - start`, and never so that their rounded sum lies behind the picture."""
    extent = end - start
    return extent if start + extent <= most else nextafter(extent, 0.0)
