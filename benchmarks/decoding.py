"""What the bytes of a picture cost until a network can take them: plain Pillow, exact and fast.

    python -m benchmarks.decoding [--quick]

The tables in docs/decoding.md are made from the records by `benchmarks.decoding_page`.
"""

from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path

import click
import numpy as np
from PIL import Image

from benchmarks.pairs import FULL, QUICK, Call, Contest, compare
from benchmarks.progress import show
from inference.decode import decode, read_picture
from inference.engine import Pixels
from inference.jpeg_header import read_jpeg_header
from inference.preprocess import preprocess
from inference.resample import resample, shortest_side
from measuring.input_spec import InputSpec
from measuring.machine import fingerprint
from measuring.photographs import camera_picture, encoded, photograph, photograph_bytes
from measuring.record import Scalar, append_measurements
from measuring.timing import Schedule

SPEC = InputSpec()
MAX_PIXELS = 50_000_000
PLAIN = "plain Pillow"


@click.command()
@click.option("--quick", is_flag=True, help="Few runs: to see that it works, not for figures.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("results/decoding.jsonl"),
    show_default=True, help="JSON lines that the measurements are added to.",
)  # fmt: skip
def main(quick: bool, output: Path) -> None:
    """Time every way from a file to pixels, on files small and large."""
    schedule = QUICK if quick else FULL
    files = pictures()
    for label, data in files.items():
        ways = {PLAIN: plain, "exact": exact, "fast": fast}
        _measure("decoding", label, _given(ways, data), schedule, output)
    for label, data in list(files.items())[:2]:
        _measure("decoding step", label, steps(data), schedule, output)


def _measure(
    name: str, label: str, calls: Mapping[str, Call], schedule: Schedule, output: Path
) -> None:
    base = next(iter(calls))
    settings: dict[str, Scalar] = {"file": label, "threads": 1}
    contest = Contest(name, base, SPEC.size, 1, settings)
    found = compare(contest, calls, fingerprint(), schedule)
    append_measurements(output, found)
    show(found, "file")


def pictures() -> dict[str, bytes]:
    """Files as they are sent: from the web, as they are in a data set, and from a camera."""
    web = photograph("sklearn/datasets/images/china.jpg").resize((500, 375))
    camera = camera_picture(4_000, 3_000)
    files = {
        "JPEG": encoded(web, quality=84),
        "JPEG, fine": photograph_bytes("sklearn/datasets/images/china.jpg"),
        "JPEG, camera": encoded(camera, quality=85),
        "JPEG, camera, progressive": encoded(camera, quality=85, progressive=True),
        "PNG": encoded(web, "PNG"),
        "PNG, camera": encoded(camera, "PNG", compress_level=1),
        "WebP": encoded(web, "WEBP", quality=84),
    }
    return {f"{label}, {_size(data)}": data for label, data in files.items()}


def _size(data: bytes) -> str:
    with Image.open(BytesIO(data)) as image:
        return f"{image.width} x {image.height}, {len(data) / 1e3:,.0f} KB"


def _given(ways: Mapping[str, Callable[[bytes], Pixels]], data: bytes) -> dict[str, Call]:
    return {way: partial(prepare, data) for way, prepare in ways.items()}


def plain(data: bytes) -> Pixels:
    """As most services do it: decode, resize all of it, crop."""
    image = Image.open(BytesIO(data)).convert("RGB")
    shorter = min(image.size)
    size = (SPEC.resize * image.width // shorter, SPEC.resize * image.height // shorter)
    left, top = (round((side - SPEC.size) / 2) for side in size)
    resized = image.resize(size, Image.Resampling.BILINEAR)
    return np.array(resized.crop((left, top, left + SPEC.size, top + SPEC.size)))


def exact(data: bytes) -> Pixels:
    """What `--exact-decoding` serves, and what artifacts are verified and calibrated with."""
    return preprocess(decode(data, max_pixels=MAX_PIXELS), SPEC)


def fast(data: bytes) -> Pixels:
    """What is served otherwise."""
    shortest = shortest_side([SPEC])
    return resample(read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest), SPEC)


def steps(data: bytes) -> dict[str, Call]:
    """The parts of the exact and the fast way, each alone."""
    shortest = shortest_side([SPEC])
    image = decode(data, max_pixels=MAX_PIXELS)
    picture = read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest)
    return {
        "exact: decode": lambda: decode(data, max_pixels=MAX_PIXELS),
        "exact: resize": lambda: preprocess(image, SPEC),
        "fast: decode": lambda: read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest),
        "fast: resize": lambda: resample(picture, SPEC),
        "either: the header": lambda: read_jpeg_header(data),
        "either: an array": lambda: np.array(Image.new("RGB", (SPEC.size, SPEC.size), None)),
    }


if __name__ == "__main__":
    main()
