"""Which of two is faster, where that can be said: every pair of points of one batch size."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from benchmarks.bench_points import Point
from measuring.errors import InputError
from measuring.significance import compare_blocks, holm

LEVEL = 0.01
"""The chance that any of a run's orderings is wrong, by Holm's correction."""
MARGIN = 0.03
"""Below it, two are a tie: runs differ by as much, which the blocks of one do not show."""
SUFFIX = ".pairs.json"


@dataclass(frozen=True)
class Pair:
    """At `batch`: `slower` takes `ratio` times as long as `faster` per picture, and [low, high]
    holds that in 95 of 100 runs; `p_value` is corrected; a tie unless `significant`."""

    batch: int
    faster: str
    slower: str
    ratio: float
    low: float
    high: float
    p_value: float
    significant: bool


@dataclass(frozen=True)
class Pairs:
    """All of a run, at the `level` and with the `margin` that they were compared with."""

    run: str
    level: float
    margin: float
    pairs: tuple[Pair, ...]


_ADAPTER = TypeAdapter(Pairs)


def compare_points(run: str, points: Sequence[Point]) -> Pairs:
    """Every two that were given as many pictures at once, by images per second."""
    couples = []
    for one, other in combinations(points, 2):
        if one.batch == other.batch:
            faster, slower = _ordered(one, other)
            times = (it.seconds_per_image for it in (faster, slower))
            couples.append((faster, slower, compare_blocks(*times, margin=MARGIN)))
    corrected = holm([found.p_value for _, _, found in couples])
    return Pairs(
        run,
        LEVEL,
        MARGIN,
        tuple(
            Pair(
                batch=faster.batch,
                faster=faster.candidate.key,
                slower=slower.candidate.key,
                ratio=found.ratio.estimate,
                low=found.ratio.low,
                high=found.ratio.high,
                p_value=p_value,
                significant=p_value < LEVEL,
            )
            for (faster, slower, found), p_value in zip(couples, corrected, strict=True)
        ),
    )


def _ordered(one: Point, other: Point) -> tuple[Point, Point]:
    """The faster one first: in the middle of their blocks, not of each one's own, which may fall
    into different minutes."""
    difference = np.median(np.log(other.seconds_per_image / one.seconds_per_image))
    return (one, other) if difference >= 0.0 else (other, one)


def tied_with(pairs: Pairs, key: str, batch: int) -> tuple[str, ...]:
    """Those that are neither shown to be faster nor slower."""
    return tuple(
        pair.slower if pair.faster == key else pair.faster
        for pair in pairs.pairs
        if pair.batch == batch and key in (pair.faster, pair.slower) and not pair.significant
    )


def write_pairs(path: Path, pairs: Pairs) -> None:
    """Written whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_bytes(_ADAPTER.dump_json(pairs, indent=1) + b"\n")
    partial.replace(path)


def read_pairs(path: Path) -> Pairs:
    """Raises InputError for a file that cannot be read or has no pairs."""
    try:
        return _ADAPTER.validate_json(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        raise InputError(
            f"{path} has no pairs of a benchmark run; expected a file ending in {SUFFIX}"
        ) from error
