"""T(b), how long an engine call takes by its batch size: from warm-up, corrected by every call."""

from collections.abc import Mapping

from measuring.fit import fit_batch_cost

WEIGHT = 0.1
"""Of the latest call in the running means."""
LEAP = 8.0
"""A call counts as at most this many times what was expected: one that was interrupted for long
says little of the next."""
UNKNOWN = 1e-6
"""Seconds per image before anything was measured: admit, and learn."""


class BatchTimes:
    """`measured`: seconds by batch size. Between those sizes and beyond, the fitted line holds.

    One factor follows what happens while serving: neighbours that take the cores slow all sizes.
    Updated by one thread, read by any.
    """

    def __init__(self, measured: Mapping[int, float]) -> None:
        self._measured = {size: seconds for size, seconds in measured.items() if seconds > 0}
        self._start, self._per_image = _line(self._measured)
        self._factor = 1.0
        self._deviation = 0.0

    def expected(self, images: int) -> float:
        """Seconds of a call with so many images, as things are now."""
        return self._factor * self._base(images)

    @property
    def deviation(self) -> float:
        """Mean distance of a call from what was expected, as a share of it."""
        return self._deviation

    def update(self, images: int, seconds: float) -> None:
        """Take in what a call took."""
        ratio = min(seconds / self._base(images), LEAP * self._factor)
        off = abs(ratio / self._factor - 1.0)
        self._deviation += WEIGHT * (off - self._deviation)
        self._factor += WEIGHT * (ratio - self._factor)

    def _base(self, images: int) -> float:
        measured = self._measured.get(images)
        return self._start + self._per_image * images if measured is None else measured


def _line(measured: Mapping[int, float]) -> tuple[float, float]:
    if len(measured) > 1:
        cost = fit_batch_cost(list(measured), list(measured.values()))
        return cost.t0, cost.per_image
    return 0.0, next((seconds / size for size, seconds in measured.items()), UNKNOWN)
