"""A folder of the user's pictures whose classes are known, and how often an engine is right."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.bench_messages import ClassifyRequest, Request
from benchmarks.bench_process import CandidateError, EngineProcess
from inference.decode import decode
from inference.manifest import Manifest
from inference.preprocess import preprocess
from measuring.errors import InputError, StrideError

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp"})
_MOST_PIXELS = 1 << 26
_EXPECTED = (
    "expected a subfolder for each class, named as its label or its number, or a .csv file whose "
    "rows are: picture, class"
)


@dataclass(frozen=True)
class Labelled:
    """Pictures, and the class of each: a label, or its number."""

    pictures: tuple[tuple[Path, str], ...]
    source: str


def labelled_pictures(directory: Path) -> Labelled:
    """By the subfolders' names, or by the one .csv file in the folder.

    Raises InputError for a folder that is none, or that has neither.
    """
    if not directory.is_dir():
        raise InputError(f"--images {directory} is no folder; {_EXPECTED}")
    tables = sorted(directory.glob("*.csv"))
    if len(tables) > 1:
        names = ", ".join(path.name for path in tables)
        raise InputError(f"--images {directory} has several tables ({names}); leave one there")
    pictures = _from_table(tables[0]) if tables else _from_folders(directory)
    if not pictures:
        raise InputError(f"--images {directory} has no labelled pictures; {_EXPECTED}")
    return Labelled(pictures, f"measured on {len(pictures)} pictures of {directory.name}")


def check_labels(labelled: Labelled, manifest: Manifest) -> None:
    """Raises InputError for a class that the network does not have."""
    for name in dict.fromkeys(name for _, name in labelled.pictures):
        class_index(name, manifest.labels)


def top1_accuracy(
    labelled: Labelled, manifest: Manifest, process: EngineProcess, folder: Path
) -> float:
    """The share of pictures whose likeliest class is theirs; `folder` keeps the decoded ones.

    Raises InputError for a class that the network does not have or a picture that cannot be read,
    CandidateError where the engine fails.
    """
    expected = [class_index(name, manifest.labels) for _, name in labelled.pictures]
    spec = manifest.input
    path = folder / f"labelled-{spec.size}-{spec.resize}-{spec.crop}-{spec.interpolation}.npy"
    if not path.exists():
        pixels = [preprocess(_decoded(picture), spec) for picture, _ in labelled.pictures]
        np.save(path, np.stack(pixels))
    answer = process.ask(Request(classify=ClassifyRequest(str(path)))).classified
    if answer is None or len(answer.top1) != len(expected):
        raise CandidateError("it did not classify the pictures")
    return float(np.mean(np.array(answer.top1) == np.array(expected)))


def class_index(name: str, labels: Sequence[str]) -> int:
    """The class with this label, whatever its case and its spaces, or with this number."""
    known: Mapping[str, int] = {_plain(label): i for i, label in reversed(list(enumerate(labels)))}
    if _plain(name) in known:
        return known[_plain(name)]
    if name.isdecimal() and int(name) < len(labels):
        return int(name)
    raise InputError(
        f"--images: the network has no class {name!r}; expected one of its {len(labels):,} labels, "
        f"such as {labels[0]!r}, or a number from 0 to {len(labels) - 1:,}"
    )


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").split()).casefold()


def _from_folders(directory: Path) -> tuple[tuple[Path, str], ...]:
    return tuple(
        (path, folder.name)
        for folder in sorted(it for it in directory.iterdir() if it.is_dir())
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in SUFFIXES
    )


def _from_table(table: Path) -> tuple[tuple[Path, str], ...]:
    """A first row that names no picture is a heading."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = [[cell.strip() for cell in row] for row in csv.reader(file) if row]
    pictures = []
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise InputError(f"{table} row {number} has {len(row)} cells; {_EXPECTED}")
        path = table.parent / row[0]
        if number == 1 and path.suffix.lower() not in SUFFIXES:
            continue
        if not path.is_file():
            raise InputError(f"{table} row {number}: no picture {path}; {_EXPECTED}")
        pictures.append((path, row[1]))
    return tuple(pictures)


def _decoded(path: Path) -> "np.typing.NDArray[np.uint8]":
    try:
        return decode(path.read_bytes(), max_pixels=_MOST_PIXELS)
    except (OSError, StrideError) as error:
        raise InputError(f"--images: {path} cannot be read: {error}") from error
