"""Brings every way of storing colour to RGB, as a person sees the picture."""

import numpy as np
from PIL import Image

_WHITE = (255, 255, 255)


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode that JPEG, PNG and WebP have -> RGB.

    Transparent parts show white, the paper on which viewers and browsers show pictures; the
    colour hidden under them is often black or noise and was never meant to be seen. 16 bits are
    scaled, not clipped, to 8. CMYK converts without a colour profile, as in training pipelines.
    """
    if image.mode.startswith("I"):
        return _from_16_bits(image).convert("RGB")
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if not image.has_transparency_data:
        return image.convert("RGB")
    translucent = image if image.mode == "RGBA" else image.convert("RGBA")
    paper = Image.new("RGB", image.size, _WHITE)
    paper.paste(translucent, mask=translucent.getchannel("A"))
    return paper


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey 0 to 65,535 -> 0 to 255, rounded; a level marked as transparent becomes white."""
    levels = np.asarray(image).astype(np.uint32)
    grey = ((levels + 128) // 257).astype(np.uint8)
    transparent = image.info.get("transparency")
    if isinstance(transparent, int):
        grey[levels == transparent] = 255
    return Image.fromarray(grey)
