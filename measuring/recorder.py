"""Seconds that come one by one, kept in bounded memory."""

from array import array

import numpy as np
from numpy.typing import NDArray

from measuring.latencies import GRID, Latencies, counted, latencies

MOST = 1 << 20
"""Samples that are kept themselves, 8 MB of them; of more, all are counted in a histogram."""


class Recorder:
    """All samples while there are no more than `most`, else how many lay in each bucket of a
    histogram, with their exact sum and extremes. Can be sent between processes and merged, which
    loses nothing that the parts still had."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._samples = array("d")
        self._counts: NDArray[np.int64] | None = None
        self._total, self._least, self._largest = 0.0, np.inf, 0.0

    def add(self, seconds: float) -> None:
        """One more, 0 or above."""
        self._samples.append(seconds)
        if len(self._samples) > self._most:
            self._fold()

    def merge(self, other: "Recorder") -> None:
        """All that the other one has; it is as it was afterwards."""
        if other._counts is not None:
            self._fold()
            assert self._counts is not None  # noqa: S101  it has just been made
            self._counts += other._counts
            self._total += other._total
            self._least = min(self._least, other._least)
            self._largest = max(self._largest, other._largest)
        self._samples.extend(other._samples)
        if self._counts is not None or len(self._samples) > self._most:
            self._fold()

    @property
    def count(self) -> int:
        """How many have come."""
        return len(self._samples) + (0 if self._counts is None else int(self._counts.sum()))

    def latencies(self) -> Latencies | None:
        """None where none has come."""
        if self.count == 0:
            return None
        if self._counts is None:
            return latencies(self._samples)
        self._fold()
        return counted(self._counts, total=self._total, least=self._least, most=self._largest)

    def _fold(self) -> None:
        """Into the histogram with what is kept."""
        if self._counts is None:
            self._counts = np.zeros(len(GRID) - 1, np.int64)
        seconds = np.array(self._samples, np.float64)
        if len(seconds):
            # not np.histogram, whose last bucket includes its upper edge
            self._counts += np.bincount(
                np.searchsorted(GRID, seconds, side="right") - 1, minlength=len(GRID) - 1
            )[: len(GRID) - 1]
            self._total += float(seconds.sum())
            self._least = min(self._least, float(seconds.min()))
            self._largest = max(self._largest, float(seconds.max()))
        self._samples = array("d")
