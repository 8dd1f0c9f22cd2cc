"""Resizing with the processor's vector instructions, without the interpreter's lock.

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


def resized_part(picture: Image.Image, part: Box, spec: InputSpec) -> Image.Image:
    """As `inference.preprocess.resized_part`, within a level; not for `nearest`.

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
