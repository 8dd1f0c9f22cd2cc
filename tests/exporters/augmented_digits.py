"""Held-out digits of the digits example, each in several versions: shifted, turned, stretched and
with other contrast, always the same ones. And the others, as a folder to calibrate on."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.decode import decode
from inference.preprocess import preprocess
from measuring.input_spec import InputSpec


@dataclass(frozen=True, eq=False)
class Augmented:
    """`pixels` (N, size, size, 3); `labels` and `originals` (N,), the latter numbering what each
    version was made of."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    originals: NDArray[np.int64]


def augmented(held_out: Path, spec: InputSpec, *, versions: int, seed: int = 0) -> Augmented:
    """`versions` of every held_out/<label>/*.png, the first of them the picture itself."""
    files = sorted(held_out.glob("*/*.png"))
    rng = np.random.Generator(np.random.PCG64(seed))
    pixels = [
        _version(
            Image.fromarray(preprocess(decode(file.read_bytes(), max_pixels=64), spec)), k, rng
        )
        for file in files
        for k in range(versions)
    ]
    labels = np.array([int(file.parent.name) for file in files], np.int64)
    return Augmented(
        np.stack(pixels),
        np.repeat(labels, versions),
        np.repeat(np.arange(len(files), dtype=np.int64), versions),
    )


def write_trained_on(held_out: Path, folder: Path) -> None:
    """scikit-learn's digits that are not among held_out/<label>/<index>.png, as such files."""
    digits = import_module("sklearn.datasets").load_digits()  # untyped
    kept = {int(file.stem) for file in held_out.glob("*/*.png")}
    folder.mkdir()
    for index, ink in enumerate(digits.images):  # (8, 8), from 0 to 16
        if index not in kept:
            grey = np.rint(ink * (255 / 16)).astype(np.uint8)
            Image.fromarray(grey).save(folder / f"{index:04}.png")


def _version(picture: Image.Image, number: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    if number == 0:
        return np.array(picture)
    middle = picture.width / 2
    angle = np.deg2rad(rng.uniform(-6.0, 6.0))
    scale = rng.uniform(0.95, 1.05)
    across, down = rng.uniform(-0.05, 0.05, 2) * picture.width
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    matrix = (
        *(cosine, sine, middle - cosine * middle - sine * middle + across),
        *(-sine, cosine, middle + sine * middle - cosine * middle + down),
    )
    moved = picture.transform(
        picture.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
    )
    contrast, brightness = rng.uniform(0.85, 1.05), rng.uniform(-8.0, 8.0)
    values = np.asarray(moved, np.float64) * contrast + brightness
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
