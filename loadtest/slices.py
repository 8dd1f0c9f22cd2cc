"""Latencies by slices of the time they were measured in: how far slices differ is what noise is."""

import numpy as np

from loadtest.outcome import SLICES
from measuring.latencies import Latencies, latencies
from measuring.recorder import MOST, Recorder


class SlicedRecorder:
    """One `Recorder` for each of SLICES equal parts of the measured seconds."""

    def __init__(self) -> None:
        self._parts = [Recorder(MOST // SLICES) for _ in range(SLICES)]

    def add(self, seconds: float, share: float) -> None:
        """One more, 0 or above; `share` of the measured seconds had passed when it was due."""
        self._parts[min(max(int(share * SLICES), 0), SLICES - 1)].add(seconds)

    def merge(self, other: "SlicedRecorder") -> None:
        """All that the other one has; it is as it was afterwards."""
        for part, theirs in zip(self._parts, other._parts, strict=True):
            part.merge(theirs)

    @property
    def count(self) -> int:
        """How many have come."""
        return sum(part.count for part in self._parts)

    def latencies(self) -> Latencies | None:
        """With the number of its slice as the block of each, as long as all samples are kept. None
        where none has come."""
        found = {number: it for number, part in enumerate(self._parts) if (it := part.latencies())}
        samples = [it.samples for it in found.values() if it.samples is not None]
        if len(samples) == len(found) > 0:
            numbers = np.repeat(list(found), [len(each) for each in samples])
            return latencies(np.concatenate(samples), blocks=numbers)
        together = Recorder()
        for part in self._parts:
            together.merge(part)
        return together.latencies()
