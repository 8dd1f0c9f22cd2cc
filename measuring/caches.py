"""The processor's caches, and inputs that do not fit into them."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from measuring.errors import InputError

_DEVICES = Path("/sys/devices/system/cpu")
_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
USUAL = 32 << 20
"""Bytes of a last-level cache where the kernel does not say."""
MOST = 512 << 20
"""Bytes of inputs; a larger cache is not exceeded."""


def last_level_cache(*, devices: Path = _DEVICES) -> int | None:
    """Bytes of the first core's largest cache; None where the kernel does not show it."""
    sizes = []
    for path in (devices / "cpu0" / "cache").glob("index*/size"):
        try:
            text = path.read_text().strip()
            sizes.append(int(text[:-1]) * _UNITS[text[-1]] if text[-1:] in _UNITS else int(text))
        except (OSError, ValueError):
            continue
    return max(sizes, default=None)


def random_pictures(
    size: int, *, at_least: int, seed: int, cache: int | None = None
) -> NDArray[np.uint8]:
    """Pictures (count, size, size, 3) of independent random bytes, `at_least` so many, and twice
    what the last-level cache (`cache` bytes, by default the machine's) holds."""
    cache = cache or last_level_cache() or USUAL
    each = size * size * 3
    count = max(at_least, -(-min(2 * cache, MOST) // each))
    generator = np.random.Generator(np.random.PCG64(seed))
    return generator.integers(0, 256, (count, size, size, 3), np.uint8)


def rotating(pictures: NDArray[np.uint8], batch: int) -> Callable[[], NDArray[np.uint8]]:
    """Each call gives the next `batch` pictures, in turn all of them: what the call before last
    took in has left the cache again. Nothing is copied."""
    if not 1 <= batch <= len(pictures):
        raise InputError(f"rotating: batch is {batch}, expected 1 to {len(pictures)}")
    starts = cycle(range(0, len(pictures) - batch + 1, batch))
    return lambda: pictures[(start := next(starts)) : start + batch]
