"""How far the fast pixels are from the exact ones, and whether a network answers the same.

    python -m benchmarks.decoding_agreement [--quick]

Records the seconds of the fast way for each picture, with the differences as settings.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import get_args

import click
import numpy as np
import torch
from numpy.typing import NDArray

from inference.decode import decode, read_picture
from inference.engine import Pixels
from inference.preprocess import preprocess
from inference.resample import resample, shortest_side
from measuring.input_spec import InputSpec, Interpolation
from measuring.latencies import latencies
from measuring.machine import fingerprint
from measuring.photographs import varied_jpegs
from measuring.record import Measurement, Scalar, append_measurements, now
from models import Loaded, load
from models.pixels_in import PixelsIn

NAME = "decoding agreement"
NETWORK = "shufflenet_v2_x0_5"
SCALED = tuple(way for way in get_args(Interpolation) if way != "nearest")
"""The interpolations that take a picture decoded at a fraction of its size."""
SHORTER = (120, 2_000)  # pixels of the shorter side, from and below
PICTURES = 1_040  # each of the 26 in turn, 40 times over
MAX_PIXELS = 50_000_000


@dataclass(frozen=True)
class Pair:
    """One picture both ways: `fast` and `exact` (size, size, 3), `seconds` of the fast way."""

    fast: Pixels
    exact: Pixels
    scale: int
    seconds: float

    @property
    def difference(self) -> float:
        """The mean over the pixels, of 255."""
        return float(np.abs(self.fast.astype(np.int16) - self.exact).mean())


@click.command()
@click.option("--quick", is_flag=True, help="Few pictures: to see that it works.")
@click.option(
    "--output", type=click.Path(path_type=Path), default=Path("results/decoding.jsonl"),
    show_default=True, help="JSON lines that the measurements are added to.",
)  # fmt: skip
def main(quick: bool, output: Path) -> None:
    """Compare the two ways over many pictures, for each interpolation that is scaled."""
    for found in agreements(load(NETWORK, "untrained"), 52 if quick else PICTURES):
        append_measurements(output, [found])
        click.echo(f"{found.settings['interpolation']}: {dict(found.settings)}", err=True)


def agreements(loaded: Loaded, count: int) -> list[Measurement]:
    """A record over `count` pictures for each interpolation, on the same files."""
    started = now()
    specs = [replace(loaded.input_spec, interpolation=way) for way in SCALED]
    pairs: dict[InputSpec, list[Pair]] = {spec: [] for spec in specs}
    for data in varied_jpegs(count, seed=1, shorter=SHORTER):
        for spec, pair in _pairs(data, specs):
            pairs[spec].append(pair)
    return [_measurement(loaded, spec, pairs[spec], started) for spec in specs]


def _pairs(data: bytes, specs: list[InputSpec]) -> Iterator[tuple[InputSpec, Pair]]:
    whole = decode(data, max_pixels=MAX_PIXELS)
    for spec in specs:
        started = time.perf_counter()
        picture = read_picture(data, max_pixels=MAX_PIXELS, shortest=shortest_side([spec]))
        fast = resample(picture, spec)
        seconds = time.perf_counter() - started
        yield spec, Pair(fast, preprocess(whole, spec), picture.scale, seconds)


def _measurement(loaded: Loaded, spec: InputSpec, pairs: list[Pair], started: str) -> Measurement:
    differences = np.array([pair.difference for pair in pairs])
    exact = _top_1(loaded, np.stack([pair.exact for pair in pairs]))
    same = _top_1(loaded, np.stack([pair.fast for pair in pairs])) == exact
    settings: dict[str, Scalar] = {
        "network": NETWORK,
        "interpolation": spec.interpolation,
        "pictures": len(pairs),
        "scaled": sum(pair.scale > 1 for pair in pairs),
        "mean_difference": float(differences.mean()),
        "most_difference": float(differences.max()),
        "agreement": float(same.mean()),
        "classes": len(set(exact.tolist())),
    }
    seconds = latencies([pair.seconds for pair in pairs])
    return Measurement(NAME, settings, seconds, fingerprint(), started)


def _top_1(loaded: Loaded, pixels: Pixels) -> NDArray[np.int64]:
    network = PixelsIn(loaded.network, loaded.input_spec).eval()
    with torch.inference_mode():
        logits = [network(torch.from_numpy(some)) for some in np.array_split(pixels, 26)]
    return torch.cat(logits).argmax(dim=1).numpy()


if __name__ == "__main__":
    main()
