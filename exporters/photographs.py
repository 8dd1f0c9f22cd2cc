"""Real photographs to hold an export to, besides generated pictures: those that scikit-image and
scikit-learn bring along, where they are installed. Nothing is downloaded.
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from inference.decode import decode
from inference.engine import Pixels
from inference.preprocess import preprocess
from measuring.input_spec import InputSpec

# Package -> files in it. Not by the packages' own functions: those import much, and may download.
PHOTOGRAPHS = {
    "skimage": (
        "data/astronaut.png",
        "data/camera.png",
        "data/chelsea.png",
        "data/coffee.png",
        "data/hubble_deep_field.jpg",
        "data/motorcycle_left.png",
        "data/rocket.jpg",
    ),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
_MOST_PIXELS = 1 << 22


def photographs(spec: InputSpec) -> Pixels | None:
    """(N, size, size, 3), whole photographs as `spec` wants them; None where there are none."""
    pixels = [preprocess(_read(path), spec) for path in _installed()]
    return np.stack(pixels) if pixels else None


def _installed() -> list[Path]:
    """The files that lie there, without an import of their packages."""
    paths: list[Path] = []
    for package, files in PHOTOGRAPHS.items():
        found = find_spec(package)
        for folder in (found and found.submodule_search_locations) or ():
            paths += [Path(folder, file) for file in files]
    return [path for path in paths if path.is_file()]


def _read(path: Path) -> Pixels:
    return decode(path.read_bytes(), max_pixels=_MOST_PIXELS)
