"""What a journal says of each point: one way to run an artifact, at one batch size."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from benchmarks.bench_journal import Journal
from benchmarks.bench_messages import Opened, Visited
from benchmarks.bench_plan import Candidate
from measuring.activity import Shares, shares, total
from measuring.bootstrap import Interval, block_interval


@dataclass(frozen=True, eq=False)
class Point:
    """`visits` in the order of `blocks`; `facts`: of every round."""

    candidate: Candidate
    batch: int
    blocks: tuple[int, ...]
    visits: tuple[Visited, ...]
    facts: tuple[Opened, ...]

    @property
    def seconds_per_image(self) -> NDArray[np.float64]:
        """(blocks,): of all instances together."""
        return np.array([1.0 / (visit.rate * self.batch) for visit in self.visits])

    @property
    def images_per_second(self) -> Interval:
        """The median block and its interval."""
        found = block_interval(self.seconds_per_image)
        return Interval(1 / found.estimate, 1 / found.high, 1 / found.low, found.confidence)

    @property
    def samples(self) -> NDArray[np.float64]:
        """Seconds of every call, block after block."""
        return np.concatenate([np.array(visit.samples) for visit in self.visits])

    @property
    def block_of_samples(self) -> NDArray[np.int64]:
        """The block of each of `samples`."""
        return np.repeat(np.array(self.blocks, np.int64), [len(it.samples) for it in self.visits])

    @property
    def spread(self) -> float:
        """Interquartile range of the blocks over their median."""
        low, middle, high = np.quantile(self.seconds_per_image, [0.25, 0.5, 0.75])
        return float((high - low) / middle)

    @property
    def energy_per_image(self) -> float | None:
        """Joules; None where no counter could be read."""
        joules = [visit.joules for visit in self.visits if visit.joules is not None]
        if len(joules) < len(self.visits):
            return None
        return sum(joules) / (self.batch * sum(visit.calls for visit in self.visits))

    def taken(self, cores: int) -> Shares | None:
        """By others while this was timed; None where the kernel does not say."""
        spans = [(it.before, it.after) for it in self.visits if it.before and it.after]
        if len(spans) < len(self.visits):
            return None
        passed = total([(before, after) for before, after in spans])
        return shares(passed, seconds=sum(it.elapsed for it in self.visits), cores=cores)


def points(journal: Journal) -> tuple[Point, ...]:
    """Of every candidate that never failed, in the order of the plan, by batch size."""
    blocks = sorted(journal.blocks, key=lambda block: block.number)
    numbers = tuple(block.number for block in blocks)
    if len(set(numbers)) < len(numbers) or any(b - a != 1 for a, b in pairwise(numbers)):
        raise ValueError(f"blocks {numbers}, expected each once and none missing")
    found = []
    for candidate in journal.plan.candidates:
        if candidate.key in journal.left_out:
            continue
        facts = tuple(it.opened[candidate.key] for it in journal.rounds)
        for batch in sorted(facts[0].seconds):
            visits = tuple(block.visits[candidate.key][batch] for block in blocks)
            found.append(Point(candidate, batch, numbers, visits, facts))
    return tuple(found)
