"""Where each channel of a ShuffleNetV2 stage is read when nothing is ever shuffled.

A unit keeps the first half of its channels, passes the second half through its branch, and
shuffles the two: kept channel i moves to place 2i, branch channel i to 2i + 1. Followed through a
stage, that is only bookkeeping: a channel of a map, once made, is read by the one branch that it
is passed to, or by what comes after the stage. About half of a branch's channels are read by the
next branch, a quarter by the one after, and so on. The branch's last pointwise convolution can
give its channels in any order, so it gives them in the order in which they are read: what is read
together lies together, a segment, and no channel is copied to keep it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from exporters.rewrites.channels import aligned

# (map, channel): the two branches of the first unit make maps 0 and 1, unit k makes map k + 1.
Place = tuple[int, int]


@dataclass(frozen=True)
class Arrangement:
    """`block`: segments have a multiple of so many channels, filled up with zero channels;
    `least`: what is read later is not cut into segments of fewer channels, but read as a whole,
    with zero weights, as often as some of it is needed; `split`: one convolution makes a map and
    a Split cuts it into its segments, otherwise a convolution makes each segment."""

    block: int = 1
    least: int = 1
    split: bool = True


@dataclass(frozen=True)
class Segment:
    """Channels of map `source` that are read together; None is a zero channel."""

    source: int
    channels: tuple[int | None, ...]


@dataclass(frozen=True)
class Read:
    """What a branch, or what follows the stage, reads: the segments one after the other, and
    `layout`, the place that each of their channels has in the original's input; None where it is
    a zero channel or not for this reader."""

    segments: tuple[Segment, ...]
    layout: tuple[int | None, ...]


@dataclass(frozen=True)
class StagePlan:
    """`maps[m]`: the segments of map m; `reads[k]`: the input of the branch of the k-th unit after
    the first, and last what the stage gives."""

    maps: tuple[tuple[Segment, ...], ...]
    reads: tuple[Read, ...]


def plan_stage(half: int, units: int, arrangement: Arrangement) -> StagePlan:
    """The plan of a stage of 2 * `half` channels with `units` units after the first."""
    inputs = _inputs(half, units)
    reader = {place: k for k, places in enumerate(inputs) for place in places}
    maps = tuple(
        _segments(source, [reader[source, channel] for channel in range(half)], arrangement)
        for source in range(units + 2)
    )
    return StagePlan(maps, tuple(_read(maps, places) for places in inputs))


def _inputs(half: int, units: int) -> list[list[Place]]:
    """The places that each branch reads, in the original's order, and last the stage's output."""
    state: list[Place] = [(i % 2, i // 2) for i in range(2 * half)]
    inputs = []
    for unit in range(units):
        kept, passed = state[:half], state[half:]
        inputs.append(passed)
        made = [(unit + 2, channel) for channel in range(half)]
        state = [place for pair in zip(kept, made, strict=True) for place in pair]
    return [*inputs, state]


def _segments(source: int, readers: Sequence[int], arrangement: Arrangement) -> tuple[Segment, ...]:
    """The map's channels by who reads them; from the first group that is too small, in one."""
    groups = [
        [channel for channel, reader in enumerate(readers) if reader == time]
        for time in sorted(set(readers))
    ]
    cut = next((i for i, group in enumerate(groups) if len(group) < arrangement.least), len(groups))
    rest = [channel for group in groups[cut:] for channel in group]
    return tuple(
        Segment(source, aligned(group, arrangement.block))
        for group in (*groups[:cut], rest)
        if group
    )


def _read(maps: tuple[tuple[Segment, ...], ...], places: list[Place]) -> Read:
    position = {place: i for i, place in enumerate(places)}
    segments = tuple(
        segment
        for segments in maps
        for segment in segments
        if any((segment.source, channel) in position for channel in segment.channels)
    )
    layout = tuple(
        position.get((segment.source, channel)) if channel is not None else None
        for segment in segments
        for channel in segment.channels
    )
    return Read(segments, layout)
