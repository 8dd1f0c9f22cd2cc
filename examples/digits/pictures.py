"""Scikit-learn's handwritten digits: what is trained on, and what is held out as PNG files.

Pixels are made as the service makes them, PNG -> decode -> preprocess, so that a network is trained
on exactly what it will be asked.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.decode import decode
from inference.preprocess import preprocess
from measuring.errors import MissingError
from measuring.input_spec import InputSpec

LABELS = tuple("0123456789")
HELD_OUT = 0.4
SIDE = 8  # pixels of a picture's side
STROKE = 16  # the value of full ink

# 8 x 8 pixels become 40 x 40: the networks halve the side five times, and want something to halve.
# Mean and deviation are those of the pictures, the same for each channel: they are grey.
INPUT_SPEC = InputSpec(
    size=40, resize=40, interpolation="bilinear", mean=(0.305,) * 3, std=(0.376,) * 3
)


@dataclass(frozen=True)
class Pictures:
    """`files[i]` is a PNG of the digit `labels[i]`, the picture `indices[i]` of scikit-learn."""

    files: tuple[bytes, ...]
    labels: NDArray[np.int64]
    indices: tuple[int, ...]

    def pixels(self) -> NDArray[np.uint8]:
        """(N, size, size, 3), as the service would make them."""
        decoded = (decode(file, max_pixels=SIDE * SIDE) for file in self.files)
        return np.stack([preprocess(image, INPUT_SPEC) for image in decoded])


def split_digits() -> tuple[Pictures, Pictures]:
    """(to train on, held out): 40 % of every digit is held out, the same pictures each time.

    Raises MissingError where scikit-learn is not installed.
    """
    values, labels = _load()
    generator = np.random.Generator(np.random.PCG64(0))
    trained: list[int] = []
    held_out: list[int] = []
    for digit in range(len(LABELS)):
        mixed = generator.permutation(np.flatnonzero(labels == digit)).tolist()
        cut = round(HELD_OUT * len(mixed))
        held_out += mixed[:cut]
        trained += mixed[cut:]
    return _pictures(values, labels, sorted(trained)), _pictures(values, labels, sorted(held_out))


def write_companions(directory: Path, held_out: Pictures) -> None:
    """What stands beside the checkpoints: labels.txt, input.toml, held_out/<label>/<index>.png."""
    (directory / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    (directory / "input.toml").write_text(_toml(INPUT_SPEC))
    for file, label, index in zip(held_out.files, held_out.labels, held_out.indices, strict=True):
        folder = directory / "held_out" / LABELS[label]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{index:04}.png").write_bytes(file)


def _load() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """(1797, 8, 8) ink from 0 to 16, and (1797,) digits."""
    try:
        datasets = import_module("sklearn.datasets")  # untyped: what comes out is typed here
    except ModuleNotFoundError as error:
        raise MissingError(
            "the digits come with scikit-learn, which is not installed; "
            "run: pip install 'stride[demo]'"
        ) from error
    digits = datasets.load_digits()
    return np.asarray(digits.images, np.float64), np.asarray(digits.target, np.int64)


def _pictures(
    values: NDArray[np.float64], labels: NDArray[np.int64], indices: list[int]
) -> Pictures:
    return Pictures(
        tuple(_png(values[index]) for index in indices), labels[indices], tuple(indices)
    )


def _png(values: NDArray[np.float64]) -> bytes:
    file = BytesIO()
    Image.fromarray(np.rint(values * (255 / STROKE)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def _toml(spec: InputSpec) -> str:
    return "".join(
        f"{line}\n"
        for line in (
            f"size = {spec.size}",
            f"resize = {spec.resize}",
            f'interpolation = "{spec.interpolation}"',
            f"mean = {_list(spec.mean)}",
            f"std = {_list(spec.std)}",
        )
    )


def _list(channels: Iterable[float]) -> str:
    return f"[{', '.join(map(str, channels))}]"
