"""The pictures that ranges are observed on: the user's own where a folder is given, and always
generated ones and photographs, too, since verification asks about such pictures as well."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from exporters.photographs import photographs
from inference.decode import decode
from inference.engine import Pixels
from inference.preprocess import preprocess
from measuring.errors import InputError, StrideError
from measuring.input_spec import InputSpec
from measuring.pictures import varied_pictures

SUFFIXES = frozenset({".jpeg", ".jpg", ".png", ".webp"})
MOST = 512  # of the user's pictures; more hardly widen a range
GENERATED = 128
SEED = 99  # no verification draws it: those are golden (0), searched on (1) or random

_MOST_PIXELS = 1 << 26
_WITHOUT = (
    "leave --calibration out to calibrate only on what is always added: generated pictures, and "
    "photographs where scikit-image or scikit-learn is installed"
)

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class CalibrationPictures:
    """`pixels`: (N, size, size, 3) uint8; `source`: what they are, for the manifest."""

    pixels: Pixels
    source: str


def calibration_pictures(
    directory: Path | None, spec: InputSpec, report: Report
) -> CalibrationPictures:
    """Those below `directory`, at most 512 evenly drawn, besides the generated ones.

    A file that cannot be read is named to `report` and left out. Raises InputError for a folder
    that is none, or has no picture that can be read.
    """
    others = generated(spec)
    if directory is None:
        return others
    files = picture_files(directory)
    chosen = [files[int(i)] for i in np.linspace(0, len(files) - 1, min(MOST, len(files)))]
    pixels: list[Pixels] = []
    for path in chosen:
        try:
            pixels.append(preprocess(decode(path.read_bytes(), max_pixels=_MOST_PIXELS), spec))
        except (OSError, StrideError) as error:
            report(f"calibrate: skipped {path}: {error}")
    if not pixels:
        which = "the one picture" if len(chosen) == 1 else f"none of the {len(chosen)} pictures"
        can = "cannot" if len(chosen) == 1 else "can"
        raise InputError(
            f"{which} in {directory} {can} be read, expected JPEG, PNG or WebP files; {_WITHOUT}"
        )
    drawn = f" of {len(files)}" if len(files) > len(chosen) else ""
    return CalibrationPictures(
        np.concatenate([np.stack(pixels), others.pixels]),
        f"{len(pixels)}{drawn} of {directory.name} and {others.source}",
    )


def generated(spec: InputSpec) -> CalibrationPictures:
    """Pictures that need no files of the user's."""
    varied = varied_pictures(GENERATED, spec.size, SEED)
    real = photographs(spec)
    if real is None:
        return CalibrationPictures(varied, f"{GENERATED} generated")
    source = f"{GENERATED} generated and {len(real)} photographs of scikit-image and scikit-learn"
    return CalibrationPictures(np.concatenate([varied, real]), source)


def picture_files(directory: Path) -> list[Path]:
    """Every picture below the folder, by name, in order.

    Raises InputError for a folder that is none, or has no file named as a picture is.
    """
    if not directory.is_dir():
        raise InputError(
            f"{directory} is no folder, expected one with the pictures to calibrate on"
        )
    files = sorted(p for p in directory.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
    if not files:
        raise InputError(
            f"{directory} has no pictures, expected files ending in {', '.join(sorted(SUFFIXES))}; "
            f"{_WITHOUT}"
        )
    return files
