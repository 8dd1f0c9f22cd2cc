"""Photographs and painted pictures as files of many sizes and qualities, all made from wheels."""

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from measuring.errors import MissingError
from measuring.pictures import varied_pictures

PHOTOGRAPHS = (
    *("skimage/data/astronaut.png", "skimage/data/chelsea.png", "skimage/data/coffee.png"),
    *("skimage/data/hubble_deep_field.jpg", "skimage/data/ihc.png", "skimage/data/retina.jpg"),
    *("skimage/data/motorcycle_left.png", "skimage/data/rocket.jpg"),
    *("sklearn/datasets/images/china.jpg", "sklearn/datasets/images/flower.jpg"),
)
_PAINTED = 16  # one of each kind, each as often as a photograph


def available() -> tuple[str, ...]:
    """Those of PHOTOGRAPHS whose packages are installed."""
    installed = {
        package
        for package in {name.partition("/")[0] for name in PHOTOGRAPHS}
        if find_spec(package) is not None
    }
    return tuple(name for name in PHOTOGRAPHS if name.partition("/")[0] in installed)


def photograph_bytes(name: str) -> bytes:
    """The file as its package carries it, which is not imported for that: it would take a second.

    Raises MissingError where the package is not installed.
    """
    package, _, path = name.partition("/")
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise MissingError(
            f"the photograph {name} is not there; its package is installed with: "
            'pip install "stride[demo]"'
        )
    return Path(found.submodule_search_locations[0], path).read_bytes()


@cache
def photograph(name: str) -> Image.Image:
    """RGB, at its own size."""
    return Image.open(BytesIO(photograph_bytes(name))).convert("RGB")


def encoded(image: Image.Image, kind: str = "JPEG", **options: object) -> bytes:
    """The bytes of a file, as Pillow writes it."""
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def varied_jpegs(count: int, seed: int, shorter: tuple[int, int]) -> Iterator[bytes]:
    """JPEGs whose shorter sides are in a range: photographs and painted pictures in turn, with
    other proportions, qualities, chroma subsamplings and, one in five, progressive."""
    rng = np.random.Generator(np.random.PCG64(seed))
    painted = [Image.fromarray(picture) for picture in varied_pictures(_PAINTED, 640, seed)]
    pictures = [*map(photograph, PHOTOGRAPHS), *painted]
    for index in range(count):
        picture = pictures[index % len(pictures)]
        side, proportion = int(rng.integers(*shorter)), picture.width / picture.height
        proportion *= float(rng.uniform(0.75, 1.3333))
        size = (side, int(side / proportion)) if proportion < 1 else (int(side * proportion), side)
        yield encoded(
            picture.resize(size, Image.Resampling.BICUBIC),
            quality=int(rng.choice([50, 65, 75, 85, 95])),
            subsampling=int(rng.choice([0, 1, 2])),
            progressive=bool(rng.random() < 0.2),
        )


def camera_picture(width: int, height: int) -> Image.Image:
    """The photographs side by side, with a sensor's noise, for the detail of a large picture."""
    picture = Image.new("RGB", (width, height))
    columns, rows = 4, 4
    across, down = -(-width // columns), -(-height // rows)
    for place in range(columns * rows):
        tile = photograph(PHOTOGRAPHS[place % len(PHOTOGRAPHS)])
        left, top = place % columns * across, place // columns * down
        picture.paste(tile.resize((across, down), Image.Resampling.BICUBIC), (left, top))
    rng = np.random.Generator(np.random.PCG64(0))
    noise = rng.normal(0.0, 3.0, (height, width, 1)).astype(np.float32)
    return Image.fromarray(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8))
